"""From the members' observations to the figures of a report.

A report's figures are a function of its evidence alone, so that a member signs what it recomputes, not what it believes. With
at least 2f + 1 observations, f of them by liars, the lower median lies between two honest ones, or is one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import cbor2
from eth_typing import ChecksumAddress

from proofmill.chain.reports import Measurement
from proofmill.errors import ProofmillError
from proofmill.measuring.observations import Observation, Outcome, SignedObservation
from proofmill.measuring.rules import MeasuringRules

EVIDENCE_KIND: Final = "proofmill/capability-evidence/1"


class InsufficientEvidence(ProofmillError):
    """The observations do not bear a report; says which rule they miss."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Who may observe: the members' keys in order, and f."""

    chain_id: int
    committee: ChecksumAddress
    config_digest: bytes
    keys: tuple[ChecksumAddress, ...]
    faults_tolerated: int

    @property
    def quorum(self) -> int:
        """Members whose observations a figure needs: 2f + 1."""
        return 2 * self.faults_tolerated + 1


@dataclass(frozen=True, slots=True)
class WindowResult:
    """How a device fared in one window, by the committee. ``operations_per_second`` is 0 where it failed."""

    window: int
    operator: ChecksumAddress
    device_id: bytes
    device_class: int
    operations_per_second: int
    memory_bytes: int
    picojoules_per_operation: int
    observed_at: int

    @property
    def has_failed(self) -> bool:
        return self.operations_per_second == 0


def result_of(signed: Sequence[SignedObservation], panel: Panel, rules: MeasuringRules) -> WindowResult:
    """The committee's figures for one device in one window.

    Raises:
        InsufficientEvidence: fewer than 2f + 1 members, one twice, a stranger, or observations of different things.
    """
    observations = [item.observation for item in signed]
    if len({observation.about for observation in observations}) != 1:
        raise _insufficient("observations of different devices or windows are mixed, or there are none")
    _, rules_digest, window, _, operator, device_id = observations[0].about
    if observations[0].config_digest != panel.config_digest:
        raise _insufficient("the observations are of another configuration of the committee")
    if rules_digest != rules.digest():
        raise _insufficient("the observations follow other rules")
    signers = [item.signer(panel.chain_id, panel.committee) for item in signed]
    if len(set(signers)) != len(signers):
        raise _insufficient("a member is heard twice")
    if strangers := set(signers) - set(panel.keys):
        raise _insufficient(f"{', '.join(sorted(strangers))} is no member")
    if len(signers) < panel.quorum:
        raise _insufficient(f"{len(signers)} members observed it, {panel.quorum} are needed")

    measured = [item for item in observations if item.outcome is Outcome.MEASURED]
    speed = _lower_median([item.operations_per_second for item in observations])
    if speed == 0:
        measured = []
    energies = [item.picojoules_per_operation for item in measured if item.picojoules_per_operation]
    classes = [item.device_class for item in measured]
    return WindowResult(
        window=window,
        operator=operator,
        device_id=device_id,
        device_class=_lower_median(classes),
        operations_per_second=speed,
        memory_bytes=_lower_median([item.memory_bytes for item in measured]),
        # A low figure flatters, so of two middle ones the higher counts; what fewer than f + 1 know nobody knows.
        picojoules_per_operation=_upper_median(energies) if len(energies) > panel.faults_tolerated else 0,
        observed_at=_lower_median([item.observed_at for item in observations]),
    )


def measurement_of(
    results: Sequence[WindowResult], rules: MeasuringRules, evidence_hash: bytes
) -> Measurement:
    """What goes on chain for a device whose latest windows are ``results``, the newest last.

    One good window is a measurement; so many failures in a row as the rules say are a withdrawal.

    Raises:
        InsufficientEvidence: the newest window failed, and not enough in a row before it; or they are of several devices.
    """
    newest = results[-1]
    if any((item.operator, item.device_id) != (newest.operator, newest.device_id) for item in results):
        raise _insufficient("windows of different devices are mixed")
    if newest.has_failed:
        needed = results[-rules.failures_to_withdraw :]
        windows = [item.window for item in needed]
        if len(needed) < rules.failures_to_withdraw or not all(item.has_failed for item in needed):
            raise _insufficient(
                f"{rules.failures_to_withdraw} failures in a row withdraw a device, not fewer"
            )
        if windows != list(range(newest.window - len(needed) + 1, newest.window + 1)):
            raise _insufficient("the failures are not in consecutive windows")
    elif len(results) != 1:
        raise _insufficient("a measurement rests on its own window alone")
    return Measurement(
        device_id=newest.device_id,
        operator=newest.operator,
        device_class=newest.device_class,
        operations_per_second=newest.operations_per_second,
        memory_bytes=newest.memory_bytes,
        picojoules_per_operation=newest.picojoules_per_operation,
        evidence_hash=evidence_hash,
        observed_at=newest.observed_at,
        expires_at=newest.observed_at + rules.lifetime_seconds,
    )


def evidence_blob(windows: Collection[Sequence[SignedObservation]]) -> bytes:
    """Canonical bytes of the observations behind a report: for each device its windows, as they are judged."""
    return cbor2.dumps(
        {
            "kind": EVIDENCE_KIND,
            "windows": [
                [[*_plain(item.observation), item.signature] for item in signed] for signed in windows
            ],
        },
        canonical=True,
    )


def _plain(observation: Observation) -> list[object]:
    return [
        bytes.fromhex(value[2:])
        if isinstance(value, str)
        else int(value)
        if isinstance(value, int)
        else value
        for value in observation.to_abi()
    ]


def _lower_median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2] if values else 0


def _upper_median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2] if values else 0


def _insufficient(why: str) -> InsufficientEvidence:
    return InsufficientEvidence(why, remedy="Gather the observations of this window from the members again.")
