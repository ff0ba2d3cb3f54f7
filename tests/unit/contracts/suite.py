"""The whole contract suite on titanoboa, with role-named actors and small builders. No test lives here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from boa.interpret import set_search_paths
from eth_account import Account
from eth_account.signers.local import LocalAccount

ROOT = Path(__file__).resolve().parents[3]
set_search_paths([str(ROOT)])

DAY = 86_400
HOUR = 3_600
MILL = 10**18
SUPPLY = 10**9 * MILL
ZERO_ADDRESS = "0x" + "00" * 20
ZERO_WORD = bytes(32)
MAX_UINT256 = 2**256 - 1

THAW_PERIOD = 14 * DAY
MINIMUM_BOND_BPS = 10_000
LATE_PENALTY_BPS = 1_000
FULL_BPS = 10_000
MAXIMUM_REPORT_AGE = HOUR

FUNDED, SUBMITTED, COMPLETED, REJECTED, EXPIRED = 1, 2, 3, 4, 5
COMPLETE, REJECT = COMPLETED, REJECTED

MODEL_ID = b"model".ljust(32, b"\1")
INPUT_ROOT = b"input".ljust(32, b"\2")
DELIVERABLE = b"answer".ljust(32, b"\3")
REASON = b"reason".ljust(32, b"\4")
EVIDENCE = b"evidence".ljust(32, b"\5")


@cache
def deployer_of(path: str) -> Any:
    """Compile once for each test process."""
    return boa.load_partial(str(ROOT / "contracts" / path))


def deploy(path: str, *arguments: Any, sender: str | None = None) -> Any:
    if sender is None:
        return deployer_of(path).deploy(*arguments)
    with boa.env.prank(sender):
        return deployer_of(path).deploy(*arguments)


def now() -> int:
    return int(boa.env.evm.patch.timestamp)


def travel_to(timestamp: int) -> None:
    boa.env.evm.patch.timestamp = timestamp


def events_of(contract: Any) -> list[tuple[str, dict[str, Any]]]:
    """What `contract` itself logged in its latest call: name and fields of each event, in order."""
    logged = []
    for event in contract.get_logs():
        if str(event.address) != str(contract.address):
            continue
        fields = event._asdict()
        del fields["address"]
        logged.append((type(event).__name__, fields))
    return logged


@dataclass
class Job:
    """A posted job, as those who take part in it remember it."""

    id: int
    terms: tuple[Any, ...]

    FIELDS = (
        "requester",
        "provider",
        "evaluator",
        "model_id",
        "input_root",
        "price",
        "bond",
        "late_penalty",
        "claim_deadline",
        "submit_window",
        "evaluation_window",
    )

    def __getattr__(self, name: str) -> Any:
        try:
            return self.terms[self.FIELDS.index(name)]
        except ValueError:
            raise AttributeError(name) from None

    def replace(self, **changes: Any) -> tuple[Any, ...]:
        """The terms with some fields forged."""
        return tuple(changes.get(name, value) for name, value in zip(self.FIELDS, self.terms, strict=True))


@dataclass
class Suite:
    """All contracts, wired as on a real chain, and who plays which part."""

    mill: Any
    payment: Any
    staking: Any
    escrow: Any
    committee: Any
    admin: str
    holder: str
    requester: str
    worker: str
    relayer: str
    stranger: str
    members: list[LocalAccount]

    # ------------------------------------------------------------ money
    def fund(self, account: str, amount: int) -> None:
        """Give payment tokens and let the escrow take them."""
        if self.payment.address == self.mill.address:
            self.mill.transfer(account, amount, sender=self.holder)
        else:
            self.payment.mint(account, amount)
        self.payment.approve(self.escrow.address, MAX_UINT256, sender=account)

    def stake(self, operator: str, amount: int) -> None:
        self.mill.transfer(operator, amount, sender=self.holder)
        self.mill.approve(self.staking.address, MAX_UINT256, sender=operator)
        self.staking.stake(amount, sender=operator)

    # ------------------------------------------------------------ jobs
    def offer(self, **changes: Any) -> tuple[Any, ...]:
        fields: dict[str, Any] = {
            "provider": ZERO_ADDRESS,
            "model_id": MODEL_ID,
            "input_root": INPUT_ROOT,
            "price": 100 * MILL,
            "bond": 150 * MILL,
            "claim_deadline": now() + DAY,
            "submit_window": 2 * HOUR,
            "evaluation_window": 3 * HOUR,
        }
        assert changes.keys() <= fields.keys()
        fields.update(changes)
        return tuple(fields.values())

    def post(self, *, requester: str | None = None, **changes: Any) -> Job:
        job_id = self.escrow.post(self.offer(**changes), sender=requester or self.requester)
        posted = [fields for name, fields in events_of(self.escrow) if name == "JobPosted"]
        return Job(job_id, tuple(posted[0]["terms"]))

    def claimed(self, *, worker: str | None = None, **changes: Any) -> Job:
        job = self.post(**changes)
        self.escrow.claim(job.id, job.terms, sender=worker or self.worker)
        return job

    def submitted(self, *, worker: str | None = None, **changes: Any) -> Job:
        job = self.claimed(worker=worker, **changes)
        self.escrow.submit(job.id, job.terms, DELIVERABLE, sender=worker or self.worker)
        return job

    # ------------------------------------------------------------ committee
    def verdict(self, job: Job, outcome: int = COMPLETE, **changes: Any) -> tuple[Any, ...]:
        fields: dict[str, Any] = {
            "escrow": self.escrow.address,
            "job_id": job.id,
            "commitment": self.escrow.commitment(job.id),
            "outcome": outcome,
            "reason": REASON,
        }
        assert changes.keys() <= fields.keys()
        fields.update(changes)
        return tuple(fields.values())

    def report(self, verdicts: Sequence[tuple[Any, ...]], **changes: Any) -> tuple[Any, ...]:
        fields: dict[str, Any] = {
            "config_digest": self.committee.config_digest(),
            "sequence": self.committee.latest_sequence() + 1,
            "observed_at": now(),
            "evidence_hash": EVIDENCE,
            "verdicts": list(verdicts),
        }
        assert changes.keys() <= fields.keys()
        fields.update(changes)
        return tuple(fields.values())

    def sign(
        self, report: tuple[Any, ...], indices: Sequence[int], *, digest: bytes | None = None
    ) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Bit mask and compact signatures of the members named, in the order named."""
        digest = self.committee.report_digest(report) if digest is None else digest
        return sum(1 << index for index in set(indices)), [
            compact_signature(self.members[index], digest) for index in indices
        ]

    def transmit(
        self,
        jobs: Sequence[Job],
        outcome: int = COMPLETE,
        *,
        signers: Sequence[int] | None = None,
        gas: int | None = None,
        **changes: Any,
    ) -> None:
        """Relay an honest report over `jobs`, signed by as many members as it needs."""
        report = self.report([self.verdict(job, outcome) for job in jobs], **changes)
        if signers is None:
            signers = range(3 if outcome == REJECT else 2)
        self.committee.transmit(
            report, openings(jobs), *self.sign(report, signers), sender=self.relayer, gas=gas
        )


def openings(jobs: Sequence[Job]) -> list[tuple[Any, bytes]]:
    return [(job.terms, DELIVERABLE) for job in jobs]


def compact_signature(member: LocalAccount, digest: bytes) -> tuple[bytes, bytes]:
    """EIP-2098."""
    signature = member.unsafe_sign_hash(digest)
    vs = ((signature.v - 27) << 255) | signature.s
    return signature.r.to_bytes(32, "big"), vs.to_bytes(32, "big")


def member_accounts(count: int) -> list[LocalAccount]:
    return [Account.from_key(bytes([index + 1]) * 32) for index in range(count)]


def actor(name: str) -> str:
    return str(boa.env.generate_address(name))


def deploy_suite(*, payment: str | None = None) -> Suite:
    """Deploy and wire everything; with `payment`, prices are in that mock token instead of MILL."""
    admin, holder, deployer = actor("admin"), actor("holder"), actor("deployer")
    mill = deploy("MillToken.vy", holder, SUPPLY, sender=deployer)
    payment_token = mill if payment is None else deploy(f"mocks/{payment}.vy")
    staking = deploy("Staking.vy", mill.address, admin, THAW_PERIOD, sender=deployer)
    escrow = deploy(
        "JobEscrow.vy",
        payment_token.address,
        staking.address,
        admin,
        MINIMUM_BOND_BPS,
        LATE_PENALTY_BPS,
        sender=deployer,
    )
    committee = deploy("OracleCommittee.vy", admin, MAXIMUM_REPORT_AGE, sender=deployer)
    members = member_accounts(4)

    staking.set_verifier(escrow.address, True, sender=admin)
    escrow.set_evaluator(committee.address, sender=admin)
    committee.set_config([member.address for member in members], 1, sender=admin)
    suite = Suite(
        mill=mill,
        payment=payment_token,
        staking=staking,
        escrow=escrow,
        committee=committee,
        admin=admin,
        holder=holder,
        requester=actor("requester"),
        worker=actor("worker"),
        relayer=actor("relayer"),
        stranger=actor("stranger"),
        members=members,
    )
    suite.fund(suite.requester, 10_000 * MILL)
    suite.stake(suite.worker, 1_000 * MILL)
    return suite
