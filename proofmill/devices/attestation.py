"""A card's own signed word on what it is, where it computes confidentially (Hopper and later): fetched and hashed.

A bonus, never the basis. The signature and NVIDIA's certificates are for whoever wants them to check from the bytes; what is
checked here is that the report answers this nonce, so that it is no old one.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.crypto import keccak

from proofmill.devices.nvml import Nvml
from proofmill.errors import ProofmillError

NONCE_BYTES: Final = 32
# A report begins with the SPDM request that it answers (DMTF DSP0274, GET_MEASUREMENTS): version, code, two parameters, nonce.
GET_MEASUREMENTS: Final = 0xE0
NONCE_AT: Final = 4


class InvalidNonce(ProofmillError, ValueError):
    """A nonce is not of the length that cards take."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a card signed, and with which certificates.

    Attributes:
        nonce: 32 bytes that were asked with.
        report: the card's signed report.
        certificates: the chain for it, PEM, as the card has it; None if the card shows none.
    """

    nonce: bytes
    report: bytes
    certificates: bytes | None

    @property
    def report_hash(self) -> bytes:
        """keccak256 of the report."""
        return keccak(self.report)

    @property
    def certificates_hash(self) -> bytes | None:
        """keccak256 of the certificates."""
        return None if self.certificates is None else keccak(self.certificates)

    @property
    def answers_nonce(self) -> bool:
        """Whether the report was made for this nonce: one that was made before, or elsewhere, was not."""
        asked = self.report[NONCE_AT : NONCE_AT + NONCE_BYTES]
        return self.report[1:2] == bytes([GET_MEASUREMENTS]) and asked == self.nonce


def attest(nvml: Nvml, handle: Any, nonce: bytes, silences: MutableMapping[str, str]) -> Attestation | None:
    """The card's report for a nonce, the seed of a challenge; None, and why in `silences`, if the card has none.

    Raises:
        InvalidNonce: the nonce does not have 32 bytes.
    """
    if len(nonce) != NONCE_BYTES:
        raise InvalidNonce(
            f"a nonce of {len(nonce)} bytes", remedy=f"Pass the {NONCE_BYTES} bytes of a seed."
        )
    report = nvml.ask(silences, "attestation report", lambda: _report(nvml, handle, nonce))
    if report is None:
        return None
    certificates = nvml.ask(silences, "attestation certificates", lambda: _certificates(nvml, handle))
    attestation = Attestation(nonce, report, certificates)
    if not attestation.answers_nonce:
        silences["attestation report"] = "the report was made for another nonce"
        return None
    return attestation


def _report(nvml: Nvml, handle: Any, nonce: bytes) -> bytes:
    answer = nvml.call("nvmlDeviceGetConfComputeGpuAttestationReport", handle, nonce)
    return _sized(answer.attestationReport, answer.attestationReportSize)


def _certificates(nvml: Nvml, handle: Any) -> bytes:
    answer = nvml.call("nvmlDeviceGetConfComputeGpuCertificate", handle)
    return _sized(answer.attestationCertChain, answer.attestationCertChainSize)


def _sized(buffer: Any, size: int) -> bytes:
    """What a library says it has written; no more than there is, and not nothing."""
    if not 0 < size <= len(buffer):
        raise ValueError(f"{size} bytes in a buffer of {len(buffer)}")
    return bytes(buffer[:size])
