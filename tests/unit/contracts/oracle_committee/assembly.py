"""A committee of four with a staking and an escrow that a test can bend, and what it takes to sign. No test lives here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import boa
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.models.oracle_committee import (
    COMPLETE,
    CURVE_ORDER,
    Answer,
    Measurement,
    Report,
    Terms,
    Verdict,
    key_grant_digest,
    measurements_hash,
    report_digest,
    signatures_required,
    verdicts_hash,
)
from tests.suite.deployment import DAY, EVIDENCE, HOUR, MILL, NOBODY, actor, deploy, now

BOND = 100 * MILL
MAXIMUM_REPORT_AGE = HOUR
REQUEST_HASH = b"request".ljust(32, b"\6")
DELIVERABLE = b"answer".ljust(32, b"\3")

# How MockEscrowTarget answers: the low four bits of the job's id.
ACCEPTS, REFUSES, REFUSES_AT_LENGTH, BURNS_GAS, REVERTS_WITH_A_BOMB, REENTERS, NEEDS_GAS, IN_SILENCE = range(
    8
)

Signing = Callable[[LocalAccount, bytes], bytes]


# ------------------------------------------------------------------ signatures
def long_signature(key: LocalAccount, digest: bytes) -> bytes:
    """r, s, v: 65 bytes."""
    signed = key.unsafe_sign_hash(digest)  # type: ignore[arg-type]
    return signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big") + bytes([signed.v])


def compact_signature(key: LocalAccount, digest: bytes) -> bytes:
    """EIP-2098: 64 bytes."""
    signed = key.unsafe_sign_hash(digest)  # type: ignore[arg-type]
    return signed.r.to_bytes(32, "big") + (((signed.v - 27) << 255) | signed.s).to_bytes(32, "big")


def mirrored(signature: bytes) -> bytes:
    """The other signature that the curve allows for the same message: n - s with the other parity."""
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    return signature[:32] + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])


def key_accounts(count: int, *, salt: int = 0) -> list[LocalAccount]:
    return [Account.from_key((1_000 * (salt + 1) + index).to_bytes(32, "big")) for index in range(count)]


def multisig_signature(owners: Sequence[LocalAccount], digest: bytes) -> bytes:
    """65 bytes for each owner, in ascending order of their addresses."""
    ordered = sorted(owners, key=lambda owner: int(owner.address, 16))
    return b"".join(long_signature(owner, digest) for owner in ordered)


def chain_id() -> int:
    return int(boa.env.evm.patch.chain_id)


# ------------------------------------------------------------------ items
def verdict(job_id: int, outcome: int = COMPLETE, **changes: Any) -> Verdict:
    """A verdict on a job whose record is the same for the same id."""
    terms = Terms(
        requester="0x" + "11" * 20,
        provider=NOBODY,
        evaluator="0x" + "22" * 20,
        arbiter="0x" + "33" * 20,
        payment_token="0x" + "44" * 20,
        callback=NOBODY,
        request_hash=REQUEST_HASH,
        price_floor=10 * MILL + job_id,
        price_ceiling=20 * MILL,
        bond=30 * MILL,
        schedule=2**190 + job_id,
        rates=2**180,
    )
    answer = Answer(provider="0x" + "55" * 20, claimed_at=1_700_000_000, deliverable=DELIVERABLE)
    return Verdict(job_id, outcome, terms, answer)._replace(**changes)


def measurement(operator: str, device: int = 1, **changes: Any) -> Measurement:
    item = Measurement(
        device_id=device.to_bytes(32, "big"),
        operator=operator,
        device_class=1,
        operations_per_second=10**12,
        memory_bytes=16 * 2**30,
        picojoules_per_operation=7,
        evidence_hash=EVIDENCE,
        observed_at=now(),
        expires_at=now() + 10 * DAY,
    )
    return item._replace(**changes)


@dataclass
class Assembly:
    """Operator i signs with key i and has bit i."""

    staking: Any
    escrow: Any
    committee: Any
    admin: str
    relayer: str
    stranger: str
    reporter: str
    operators: list[str]
    keys: list[LocalAccount]
    faults: int

    # ------------------------------------------------------------ members
    def grant(self, key: LocalAccount, operator: str, **changes: Any) -> bytes:
        contract = changes.get("contract", self.committee.address)
        digest = key_grant_digest(changes.get("chain", chain_id()), str(contract), operator)
        return long_signature(key, digest)

    def give_stake(self, operator: str, amount: int = 10 * BOND) -> None:
        self.staking.set_stake(operator, amount)

    def join(self, operator: str, key: LocalAccount) -> None:
        self.give_stake(operator)
        self.committee.join(key.address, self.grant(key, operator), sender=operator)

    def newcomer(self, name: str = "newcomer", *, salt: int = 7) -> tuple[str, LocalAccount]:
        """An operator that has joined and has no seat."""
        operator, key = actor(name), key_accounts(1, salt=salt)[0]
        self.join(operator, key)
        return operator, key

    def announce(self, operator: str, key: LocalAccount) -> None:
        self.committee.rotate_key(key.address, self.grant(key, operator), sender=operator)

    # ------------------------------------------------------------ reports
    def report(self, **changes: Any) -> Report:
        head = Report(
            config_digest=self.committee.config_digest(),
            sequence=self.committee.latest_sequence() + 1,
            observed_at=now(),
            evidence_hash=EVIDENCE,
            target=str(self.escrow.address),
        )
        return head._replace(**changes)

    def digest(self, head: Report, report_hash: bytes) -> bytes:
        return report_digest(
            chain_id(), str(self.committee.address), head.config_digest, head.sequence, report_hash
        )

    def sign(
        self, head: Report, report_hash: bytes, places: Sequence[int], *, signing: Signing = long_signature
    ) -> tuple[int, list[bytes]]:
        """Bit mask and signatures of the members named, in the order named."""
        digest = self.digest(head, report_hash)
        return sum({1 << place for place in places}), [signing(self.keys[place], digest) for place in places]

    def signed(
        self,
        verdicts: Sequence[Verdict],
        *,
        places: Sequence[int] | None = None,
        signing: Signing = long_signature,
        **changes: Any,
    ) -> tuple[Report, list[Verdict], int, list[bytes]]:
        """All arguments of an honest `transmit`."""
        head = self.report(**changes)
        if places is None:
            places = range(signatures_required([item.outcome for item in verdicts], self.faults))
        mask, signatures = self.sign(head, verdicts_hash(head, verdicts), places, signing=signing)
        return head, list(verdicts), mask, signatures

    def signed_measurements(
        self, items: Sequence[Measurement], *, places: Sequence[int] | None = None, **changes: Any
    ) -> tuple[Report, list[Measurement], int, list[bytes]]:
        head = self.report(**changes)
        chosen = range(2 * self.faults + 1) if places is None else places
        mask, signatures = self.sign(head, measurements_hash(head, items), chosen)
        return head, list(items), mask, signatures

    def transmit(self, verdicts: Sequence[Verdict], **changes: Any) -> None:
        self.committee.transmit(*self.signed(verdicts, **changes), sender=self.relayer)

    # ------------------------------------------------------------ equivocation
    def equivocation(
        self, signer: LocalAccount, *, sequence: int = 9, digest: bytes | None = None, **changes: Any
    ) -> tuple[Any, ...]:
        """Two reports of one key under one number."""
        digest = self.committee.config_digest() if digest is None else digest
        head = self.report(config_digest=digest, sequence=sequence)
        first, second = b"first".ljust(32, b"\1"), b"second".ljust(32, b"\1")
        fields = {
            "key": signer.address,
            "config_digest": digest,
            "sequence": sequence,
            "first_hash": first,
            "first_signature": long_signature(signer, self.digest(head, first)),
            "second_hash": second,
            "second_signature": long_signature(signer, self.digest(head, second)),
        }
        assert changes.keys() <= fields.keys()
        return tuple({**fields, **changes}.values())


def assemble(*, faults: int = 1, seated: bool = True) -> Assembly:
    """Deploy everything; with `seated`, the operators have joined and are the configuration."""
    admin = actor("admin")
    staking, escrow = deploy("mocks/MockBondStaking.vy"), deploy("mocks/MockEscrowTarget.vy")
    committee = deploy(
        "OracleCommittee.vy", staking.address, admin, MAXIMUM_REPORT_AGE, BOND, sender=actor("deployer")
    )
    size = 3 * faults + 1
    assembly = Assembly(
        staking=staking,
        escrow=escrow,
        committee=committee,
        admin=admin,
        relayer=actor("relayer"),
        stranger=actor("stranger"),
        reporter=actor("reporter"),
        operators=[actor(f"member-{place}") for place in range(size)],
        keys=key_accounts(size, salt=faults),
        faults=faults,
    )
    if seated:
        for operator, key in zip(assembly.operators, assembly.keys, strict=True):
            assembly.join(operator, key)
        committee.set_config(assembly.operators, faults, sender=admin)
    return assembly
