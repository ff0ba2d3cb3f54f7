"""The parameters that decide what a lie costs, read from where the product fixes them: a default that moves, moves here too."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from proofmill.chain.terms import BASIS_POINTS, RATE_UNIT
from proofmill.deploy import INITIAL_RATES, MILL, DeployParameters
from proofmill.deterrence import BOND_MULTIPLE
from proofmill.errors import ProofmillError

ROOT: Final = Path(__file__).resolve().parents[2]
MODULES: Final = "contracts/modules"
NUMBER: Final = r"([0-9_]+)"


class DefaultMissing(ProofmillError, LookupError):
    """A contract does not say any more what is read from it."""


@dataclass(frozen=True)
class Protocol:
    """The defaults; shares are fractions of one, amounts MILL, times seconds.

    Attributes:
        bond_rate: bond for each MILL of a price, the least that the escrow accepts.
        bond_multiple: how often that least bond a client asks for, unless its user says otherwise.
        member_bond: what a member of the committee loses for a refuted verdict.
        fault_cap: the most of its stake that one bond of an operator may be.
        window_cap: the most of its stake that all open bonds may be, and that slashes beyond bonds may take in a window.
        open_cap: what the open bonds may be by the half rule; ``window_cap`` is stricter at its default.
        slash_window: how long that window is.
        compensation_cap: the most of a slash that the requester gets.
        reporter_share: of a slash, for the challenger.
        late_penalty: of the bond, for who never submits.
        challenge_bond: what a challenger deposits.
        challenge_window: seconds in which a verdict can be contested.
        dispute_window: seconds that a dispute may take.
        evaluator_fee: share of a price for the committee.
        sources: where each of them stands.
    """

    bond_rate: float
    bond_multiple: float
    member_bond: float
    fault_cap: float
    window_cap: float
    open_cap: float
    slash_window: int
    compensation_cap: float
    reporter_share: float
    late_penalty: float
    challenge_bond: float
    challenge_window: int
    dispute_window: int
    evaluator_fee: float
    sources: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def bond_share(self) -> float:
        """The default bond of a job over its price."""
        return self.bond_rate * self.bond_multiple

    @classmethod
    def read(cls, root: Path = ROOT) -> Protocol:
        """The defaults of this checkout.

        Raises:
            DefaultMissing: a contract module does not have the expected line.
        """
        deployed = DeployParameters()
        caps = _read(root, "staking_limits.vy", rf"self\._set_slash_caps\({NUMBER}, {NUMBER}\)")
        windows = _read(root, "job_policy.vy", rf"self\._store_windows\({NUMBER}, {NUMBER}\)")
        [half] = _read(root, "commitments.vy", rf"assert {NUMBER} \* committed <= stake")
        days, day = _read(root, "commitments.vy", rf"WINDOW: constant\(uint256\) = {NUMBER} \* {NUMBER}")
        [of_own] = _read(root, "slashing.vy", rf"min\(_penalty\.compensation, own // {NUMBER}\)")
        tokens, base, exponent = _read(
            root,
            "challenge_bonds.vy",
            rf"INITIAL_BOND: constant\(uint256\) = {NUMBER} \* {NUMBER}\*\*{NUMBER}",
        )
        deploy = "proofmill/deploy.py, DeployParameters"
        staking, policy = f"{MODULES}/staking_limits.vy, __init__", f"{MODULES}/job_policy.vy, __init__"
        return cls(
            bond_rate=deployed.bond_rate / RATE_UNIT,
            bond_multiple=float(BOND_MULTIPLE),
            member_bond=deployed.member_bond / MILL,
            fault_cap=caps[0] / BASIS_POINTS,
            window_cap=caps[1] / BASIS_POINTS,
            open_cap=1 / half,
            slash_window=days * day,
            compensation_cap=1 / of_own,
            reporter_share=INITIAL_RATES.reporter_bps / BASIS_POINTS,
            late_penalty=deployed.late_penalty_bps / BASIS_POINTS,
            challenge_bond=tokens * base**exponent / MILL,
            challenge_window=windows[0],
            dispute_window=windows[1],
            evaluator_fee=INITIAL_RATES.evaluator_fee_bps / BASIS_POINTS,
            sources={
                "bond_rate": deploy,
                "bond_multiple": "proofmill/deterrence.py, BOND_MULTIPLE",
                "member_bond": deploy,
                "fault_cap": staking,
                "window_cap": staking,
                "open_cap": f"{MODULES}/commitments.vy, commit",
                "slash_window": f"{MODULES}/commitments.vy, WINDOW",
                "compensation_cap": f"{MODULES}/slashing.vy, slash",
                "reporter_share": "proofmill/deploy.py, INITIAL_RATES",
                "late_penalty": deploy,
                "challenge_bond": f"{MODULES}/challenge_bonds.vy, INITIAL_BOND",
                "challenge_window": policy,
                "dispute_window": policy,
                "evaluator_fee": "proofmill/deploy.py, INITIAL_RATES",
            },
        )


def _read(root: Path, module: str, pattern: str) -> list[int]:
    """The numbers of the one place in a contract module that fits."""
    path = root / MODULES / module
    found = re.findall(pattern, path.read_text("utf-8"))
    if len(found) != 1:
        raise DefaultMissing(
            f"{path} has {len(found)} places that fit {pattern}",
            remedy="Say in bench/economics/protocol.py where the default stands now.",
        )
    numbers = found[0] if isinstance(found[0], tuple) else (found[0],)
    return [int(number) for number in numbers]
