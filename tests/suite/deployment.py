"""All contracts, wired as on a real chain, and who plays which part. No test lives here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import boa
from boa.interpret import set_search_paths
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

ROOT = Path(__file__).resolve().parents[2]
set_search_paths([str(ROOT)])

DAY = 86_400
HOUR = 3_600
MILL = 10**18
COIN = 10**6  # base units of the other payment token, which can block accounts
SUPPLY = 10**9 * MILL
NOBODY = "0x" + "00" * 20
NO_WORD = bytes(32)
MAX_UINT256 = 2**256 - 1

THAW_PERIOD = 14 * DAY
MAXIMUM_REPORT_AGE = HOUR
MEMBER_BOND = 10_000 * MILL

COMPLETE, REJECT, VOID = 3, 4, 5
MODEL_ID = b"model".ljust(32, b"\1")
INPUT_ROOT = b"input".ljust(32, b"\2")
DELIVERABLE = b"answer".ljust(32, b"\3")
REASON = b"reason".ljust(32, b"\4")
EVIDENCE = b"evidence".ljust(32, b"\5")


class Answer(NamedTuple):
    """`IJobEscrow.Answer`."""

    provider: str = NOBODY
    claimed_at: int = 0
    deliverable: bytes = NO_WORD


class Claim(NamedTuple):
    """`IJobEscrow.Claim`."""

    terms_hash: bytes
    provider: str
    claimed_at: int
    evaluation_window: int


NO_ANSWER = Answer()


@dataclass
class Job:
    """A job as those who take part in it remember it."""

    id: int
    terms: Any  # the struct as boa decodes it
    answer: Answer = NO_ANSWER


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


def actor(name: str) -> str:
    return str(boa.env.generate_address(name))


def member_accounts(count: int) -> list[LocalAccount]:
    return [Account.from_key(bytes([index + 1]) * 32) for index in range(count)]


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
class Suite:
    """The contracts and the accounts around them."""

    mill: Any
    coin: Any
    staking: Any
    escrow: Any
    committee: Any
    registry: Any
    admin: str
    holder: str
    arbiter: str
    treasury: str
    insurance: str
    relayer: str
    stranger: str
    members: list[LocalAccount]

    # ------------------------------------------------------------ money
    def fund(self, account: str, mill: int, coin: int = 0) -> None:
        """Gives tokens and lets escrow and staking take them."""
        self.mill.transfer(account, mill, sender=self.holder)
        self.coin.mint(account, coin)
        for spender in (self.escrow.address, self.staking.address):
            self.mill.approve(spender, MAX_UINT256, sender=account)
        self.coin.approve(self.escrow.address, MAX_UINT256, sender=account)

    # ------------------------------------------------------------ jobs
    def offer(self, **changes: Any) -> tuple[Any, ...]:
        fields: dict[str, Any] = {
            "provider": NOBODY,
            "payment_token": self.mill.address,
            "callback": NOBODY,
            "model_id": MODEL_ID,
            "input_root": INPUT_ROOT,
            "price_floor": 100 * MILL,
            "price_ceiling": 100 * MILL,
            "ramp": 0,
            "bond": 100 * MILL,
            "cancellation_bps": 1_000,
            "claim_deadline": now() + DAY,
            "submit_window": 2 * HOUR,
            "evaluation_window": 3 * HOUR,
            "tier": 0,
            "is_exact": False,
            "reopens": False,
        }
        assert changes.keys() <= fields.keys()
        fields.update(changes)
        return tuple(fields.values())

    def posted(self) -> Job:
        """The job that the escrow's latest call posted."""
        fields = dict(events_of(self.escrow))["JobPosted"]
        return Job(fields["jobId"], fields["terms"])

    def post(self, requester: str, **changes: Any) -> Job:
        self.escrow.post(self.offer(**changes), sender=requester)
        return self.posted()

    def claim(self, job: Job, operator: str) -> None:
        self.escrow.claim(job.id, job.terms, operator, sender=operator)
        job.answer = Answer(operator, now())

    def claim_of(self, job: Job) -> Claim:
        window = (job.terms.schedule >> 128) & (2**24 - 1)
        return Claim(self.escrow.terms_hash(job.terms), job.answer.provider, job.answer.claimed_at, window)

    def submit(self, job: Job, deliverable: bytes = DELIVERABLE) -> None:
        self.escrow.submit(job.id, self.claim_of(job), deliverable, sender=job.answer.provider)
        job.answer = job.answer._replace(deliverable=deliverable)

    # ------------------------------------------------------------ committee
    def report(self, target: Any, **changes: Any) -> tuple[Any, ...]:
        fields: dict[str, Any] = {
            "config_digest": self.committee.config_digest(),
            "sequence": self.committee.latest_sequence() + 1,
            "observed_at": now(),
            "evidence_hash": EVIDENCE,
            "target": target.address,
        }
        assert changes.keys() <= fields.keys()
        fields.update(changes)
        return tuple(fields.values())

    def sign(self, digest: bytes, places: Sequence[int]) -> tuple[int, list[bytes]]:
        """Bit mask and signatures (65 bytes each) of the members named, in ascending order."""
        signatures = [bytes(self.members[place].unsafe_sign_hash(digest).signature) for place in places]
        return sum(1 << place for place in places), signatures

    def transmit(self, verdicts: Sequence[tuple[Job, int]], *, places: Sequence[int] | None = None) -> None:
        """Relays an honest report, signed by as many members as it needs."""
        report = self.report(self.escrow)
        items = [(job.id, outcome, job.terms, job.answer) for job, outcome in verdicts]
        if places is None:
            takes = any(outcome != COMPLETE for _, outcome in verdicts)
            places = range(3 if takes else 2)
        report_hash = self.committee.verdicts_hash(report, items)
        digest = self.committee.report_digest(report[0], report[1], report_hash)
        self.committee.transmit(report, items, *self.sign(digest, places), sender=self.relayer)


def key_grant(member: LocalAccount, committee: str, operator: str) -> bytes:
    """A member's key agrees to sign for an operator."""
    message = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "KeyGrant": [{"name": "operator", "type": "address"}],
        },
        "primaryType": "KeyGrant",
        "domain": {
            "name": "Proofmill Oracle Committee",
            "version": "1",
            "chainId": boa.env.evm.patch.chain_id,
            "verifyingContract": committee,
        },
        "message": {"operator": operator},
    }
    return bytes(member.sign_message(encode_typed_data(full_message=message)).signature)


def deploy_suite() -> Suite:
    """Deploys and wires everything: a committee of four, two payment tokens, an arbiter that a test plays itself."""
    admin, holder, deployer = actor("admin"), actor("holder"), actor("deployer")
    mill = deploy("MillToken.vy", holder, SUPPLY, False, sender=deployer)
    coin = deploy("mocks/MockBlockingToken.vy", sender=deployer)
    staking = deploy("Staking.vy", mill.address, admin, THAW_PERIOD, sender=deployer)
    escrow = deploy("JobEscrow.vy", staking.address, admin, sender=deployer)
    committee = deploy(
        "OracleCommittee.vy", staking.address, admin, MAXIMUM_REPORT_AGE, MEMBER_BOND, sender=deployer
    )
    registry = deploy("CapabilityRegistry.vy", committee.address, admin, sender=deployer)
    suite = Suite(
        mill=mill,
        coin=coin,
        staking=staking,
        escrow=escrow,
        committee=committee,
        registry=registry,
        admin=admin,
        holder=holder,
        arbiter=actor("arbiter"),
        treasury=actor("treasury"),
        insurance=actor("insurance"),
        relayer=actor("relayer"),
        stranger=actor("stranger"),
        members=member_accounts(4),
    )
    _wire(suite)
    return suite


def _wire(suite: Suite) -> None:
    staking, escrow, committee = suite.staking, suite.escrow, suite.committee
    with boa.env.prank(suite.admin):
        staking.set_verifier(escrow.address, True)
        staking.set_verifier(committee.address, True)
        staking.set_insurance(suite.insurance, 5_000)
        staking.add_earnings_token(suite.mill.address)
        staking.add_earnings_token(suite.coin.address)
        escrow.set_evaluator(committee.address)
        escrow.set_arbiter(suite.arbiter)
        escrow.set_treasury(suite.treasury)
        escrow.set_capability_registry(suite.registry.address)
        escrow.set_payment_token(suite.mill.address, 10**18)
        escrow.set_payment_token(suite.coin.address, 10**12 * 10**18)  # one coin is worth one MILL
        escrow.set_rates(200, 100, 1_000, 1_000)
    for member in suite.members:
        suite.fund(member.address, 20 * MEMBER_BOND)
        staking.stake(20 * MEMBER_BOND, sender=member.address)
        grant = key_grant(member, committee.address, member.address)
        committee.join(member.address, grant, sender=member.address)
    committee.set_config([member.address for member in suite.members], 1, sender=suite.admin)
