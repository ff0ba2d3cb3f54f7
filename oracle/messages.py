"""What oracles say to each other over HTTP, as JSON: proposals, signatures, attested reports.

Nothing here is trusted by where it comes from: a proposal carries the signature of the leader of its sequence, an attested
report the signatures of its quorum. Byte strings travel as 0x-hex, integers as JSON integers.
"""

import re
from typing import Annotated, Self

from eth_typing import ChecksumAddress
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from web3 import Web3

from proofmill.chain.reports import MAXIMUM_VERDICTS, Outcome, Report, ReportHead, Verdict
from proofmill.chain.typed_data import SIGNATURE_BYTES

MAXIMUM_SIGNATURES = 21  # 2f + 1 of the largest committee, as in contracts/interfaces/IOracleCommittee.vyi
MAXIMUM_MESSAGE_BYTES = 64 << 10

_WORD = re.compile(r"0x[0-9a-f]{64}")
_SIGNATURE = re.compile(rf"0x[0-9a-f]{{{2 * SIGNATURE_BYTES}}}")


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("32 bytes as 0x and 64 lower-case hex digits are expected")
    return value


def _signature(value: str) -> str:
    if not _SIGNATURE.fullmatch(value):
        raise ValueError(f"{SIGNATURE_BYTES} bytes as 0x and lower-case hex digits are expected")
    return value


def _address(value: str) -> str:
    if not Web3.is_checksum_address(value):
        raise ValueError("a checksummed address is expected")
    return value


Word = Annotated[str, AfterValidator(_word)]
Address = Annotated[str, AfterValidator(_address)]
SignatureHex = Annotated[str, AfterValidator(_signature)]


def _from_hex(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def _to_hex(value: bytes) -> str:
    return "0x" + value.hex()


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VerdictMessage(_Message):
    job_id: int = Field(ge=1, lt=1 << 256)
    outcome: int = Field(ge=min(Outcome), le=max(Outcome))
    commitment: Word


class SignatureMessage(_Message):
    rsv: SignatureHex

    @classmethod
    def of(cls, signature: bytes) -> Self:
        return cls(rsv=_to_hex(signature))

    def signature(self) -> bytes:
        return _from_hex(self.rsv)


class ReportMessage(_Message):
    config_digest: Word
    sequence: int = Field(ge=1, lt=1 << 64)
    observed_at: int = Field(ge=0, lt=1 << 64)
    evidence_hash: Word
    target: Address
    verdicts: list[VerdictMessage] = Field(min_length=1, max_length=MAXIMUM_VERDICTS)

    @classmethod
    def of(cls, report: Report) -> Self:
        head = report.head
        return cls(
            config_digest=_to_hex(head.config_digest),
            sequence=head.sequence,
            observed_at=head.observed_at,
            evidence_hash=_to_hex(head.evidence_hash),
            target=head.target,
            verdicts=[
                VerdictMessage(
                    job_id=verdict.job_id,
                    outcome=int(verdict.outcome),
                    commitment=_to_hex(verdict.commitment),
                )
                for verdict in report.verdicts
            ],
        )

    def report(self) -> Report:
        return Report(
            head=ReportHead(
                config_digest=_from_hex(self.config_digest),
                sequence=self.sequence,
                observed_at=self.observed_at,
                evidence_hash=_from_hex(self.evidence_hash),
                target=ChecksumAddress(Web3.to_checksum_address(self.target)),
            ),
            verdicts=tuple(
                Verdict(verdict.job_id, Outcome(verdict.outcome), _from_hex(verdict.commitment))
                for verdict in self.verdicts
            ),
        )


class Proposal(_Message):
    """A leader asks for signatures: its report and its own signature over it."""

    report: ReportMessage
    signature: SignatureMessage


class Endorsement(_Message):
    """A member's answer to a proposal that it agrees with."""

    signature: SignatureMessage


class RefusalMessage(BaseModel):
    """A member's answer to a message that it does not agree with; a newer version may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    error: str
    code: str = ""
    jobs: list[Annotated[int, Field(ge=1, lt=1 << 256)]] = Field(default=[], max_length=MAXIMUM_VERDICTS)


class AttestedReport(_Message):
    """A report with a quorum, ready to be relayed. `signers` is the bitmask; signatures ascend by member index."""

    report: ReportMessage
    signers: int = Field(gt=0, lt=1 << 31)
    signatures: list[SignatureMessage] = Field(min_length=1, max_length=MAXIMUM_SIGNATURES)
