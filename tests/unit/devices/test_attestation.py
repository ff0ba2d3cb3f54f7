"""A card's signed word: for this nonce, of the size it says, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pynvml
import pytest
from eth_utils.crypto import keccak

from proofmill.devices import Attestation, InvalidNonce, attest, opened
from tests.unit.devices.fake_nvml import FakeCard, FakeLibrary

Install = Callable[[FakeLibrary], FakeLibrary]
NONCE = bytes(range(32))


def ask(install: Install, card: FakeCard, nonce: bytes = NONCE) -> tuple[Attestation | None, dict[str, str]]:
    install(FakeLibrary([card]))
    silences: dict[str, str] = {}
    with opened() as nvml:
        assert nvml is not None
        return attest(nvml, nvml.call("nvmlDeviceGetHandleByIndex", 0), nonce, silences), silences


def test_attest__report_for_the_nonce__hashed_with_its_certificates(install: Install) -> None:
    attestation, silences = ask(install, FakeCard())
    assert attestation is not None
    assert attestation.report_hash == keccak(b"\x11\xe0\x01\xff" + NONCE + b"measurements and signature")
    assert attestation.certificates_hash == keccak(b"-----BEGIN CERTIFICATE-----")
    assert silences == {}


@pytest.mark.parametrize(
    "report",
    [
        lambda _: b"\x11\xe0\x01\xff" + bytes(32) + b"an old one",
        lambda nonce: b"\x11\x60\x01\xff" + nonce + b"no request for measurements",
        lambda nonce: nonce,
    ],
    ids=["replayed", "another message", "the nonce elsewhere"],
)
def test_attest__report_that_does_not_answer_the_nonce__none(
    install: Install, report: Callable[[bytes], bytes]
) -> None:
    attestation, silences = ask(install, FakeCard(report=report))
    assert attestation is None
    assert silences == {"attestation report": "the report was made for another nonce"}


@pytest.mark.parametrize("size", [0, 0x2001, 2**32 - 1])
def test_attest__size_that_the_buffer_does_not_have__none(install: Install, size: int) -> None:
    attestation, silences = ask(install, FakeCard(report_size=size))
    assert attestation is None
    assert f"{size} bytes in a buffer of 8192" in silences["attestation report"]


def test_attest__card_without_it__none_and_why(install: Install) -> None:
    errors = {"nvmlDeviceGetConfComputeGpuAttestationReport": pynvml.NVML_ERROR_NOT_SUPPORTED}
    attestation, silences = ask(install, FakeCard(errors=errors))
    assert attestation is None
    assert "does not say" in silences["attestation report"]


def test_attest__no_certificates__the_report_alone(install: Install) -> None:
    errors = {"nvmlDeviceGetConfComputeGpuCertificate": pynvml.NVML_ERROR_NO_PERMISSION}
    attestation, silences = ask(install, FakeCard(errors=errors))
    assert attestation is not None
    assert (attestation.certificates, attestation.certificates_hash) == (None, None)
    assert "may not ask" in silences["attestation certificates"]


def test_attest__nonce_of_another_length__refused(install: Install) -> None:
    with pytest.raises(InvalidNonce, match="31 bytes"):
        ask(install, FakeCard(), NONCE[1:])
