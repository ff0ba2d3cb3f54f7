"""The contracts deployed and wired as on a real chain, and the steps of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from web3.contract import Contract
from web3.logs import DISCARD

from bench.gas.chain import GasChain, account

DAY: Final = 86_400
HOUR: Final = 3_600
MILL: Final = 10**18
SUPPLY: Final = 10**9 * MILL
MAX_UINT256: Final = 2**256 - 1
NOBODY: Final = "0x" + "00" * 20
NO_WORD: Final = bytes(32)
THAW_PERIOD: Final = 14 * DAY
MAXIMUM_REPORT_AGE: Final = HOUR
MEMBER_BOND: Final = 10_000 * MILL
STAKE: Final = 1_000_000 * MILL
MEMBERS: Final = 4
FAULTS: Final = 1
SMALL_REPORT: Final = 8  # verdicts
ACTORS: Final = 8  # requesters, and as many workers
COMPLETE, REJECT, VOID = 3, 4, 5
# 32 bytes without a zero: calldata as dear as hashes are
MODEL_ID: Final = bytes(range(1, 33))
INPUT_ROOT: Final = bytes(range(33, 65))
DELIVERABLE: Final = bytes(range(65, 97))
REASON: Final = bytes(range(97, 129))
EVIDENCE: Final = bytes(range(129, 161))
PRICE: Final = 123_456_789_123_456_789_123
BOND: Final = 234_567_891_234_567_891_234


@dataclass(frozen=True)
class Job:
    """A job as its parties remember it."""

    id: int
    terms: tuple[Any, ...]
    provider: str = NOBODY
    claimed_at: int = 0
    deliverable: bytes = NO_WORD

    @property
    def answer(self) -> tuple[str, int, bytes]:
        """`IJobEscrow.Answer`."""
        return self.provider, self.claimed_at, self.deliverable


@dataclass
class GasSuite:
    """Contracts and actors. Steps return what they changed and remember the gas of the last transaction."""

    chain: GasChain
    mill: Contract
    staking: Contract
    escrow: Contract
    committee: Contract
    registry: Contract
    admin: str
    holder: str
    arbiter: str
    relayer: str
    stranger: str
    members: list[LocalAccount]
    requesters: list[LocalAccount]
    workers: list[LocalAccount]
    hot_keys: list[LocalAccount]
    last_gas: int = 0
    spent: dict[str, int] = field(default_factory=dict)

    # ------------------------------------------------------------------ transactions
    def send(self, call: Any, sender: str) -> Any:
        """A transaction; its receipt."""
        receipt = self.chain.send(call, sender)
        self.last_gas = int(receipt["gasUsed"])
        return receipt

    def gas(self, call: Any, sender: str) -> int:
        """A transaction; its gas."""
        self.send(call, sender)
        return self.last_gas

    def fund(self, owner: str, amount: int) -> None:
        """Gives tokens and lets the contracts take them."""
        self.send(self.mill.functions.transfer(owner, amount), self.holder)
        for contract in (self.staking, self.escrow):
            self.send(self.mill.functions.approve(contract.address, MAX_UINT256), owner)

    # ------------------------------------------------------------------ the steps of a job
    def offer(self, **changes: Any) -> tuple[Any, ...]:
        """`IJobEscrow.JobOffer`."""
        fields: dict[str, Any] = {
            "provider": NOBODY,
            "payment_token": self.mill.address,
            "callback": NOBODY,
            "model_id": MODEL_ID,
            "input_root": INPUT_ROOT,
            "price_floor": PRICE,
            "price_ceiling": PRICE,
            "ramp": 0,
            "bond": BOND,
            "cancellation_bps": 1_000,
            "claim_deadline": self.chain.now() + DAY,
            "submit_window": 2 * HOUR,
            "evaluation_window": 3 * HOUR,
            "tier": 0,
            "is_exact": False,
            "reopens": False,
        }
        if not changes.keys() <= fields.keys():
            raise ValueError(f"an offer has no {changes.keys() - fields.keys()}")
        return tuple((fields | changes).values())

    def post(self, requester: str, **changes: Any) -> Job:
        """Posts by an allowance."""
        return self.posted(self.send(self.escrow.functions.post(self.offer(**changes)), requester))

    def posted(self, receipt: Any) -> Job:
        """The job of a receipt."""
        [event] = self.escrow.events.JobPosted().process_receipt(receipt, errors=DISCARD)
        return Job(event["args"]["jobId"], tuple(event["args"]["terms"].values()))

    def claim(self, job: Job, operator: str, actor: str | None = None) -> Job:
        """Claims for an operator, by itself or its hot key."""
        self.send(self.escrow.functions.claim(job.id, job.terms, operator), actor or operator)
        return replace(job, provider=operator, claimed_at=self.chain.now())

    def submit(self, job: Job, actor: str | None = None) -> Job:
        """Submits the answer."""
        schedule = int(job.terms[10])
        evaluation_window = (schedule >> 128) & (2**24 - 1)
        terms_hash = self.escrow.functions.terms_hash(job.terms).call()
        claim = (terms_hash, job.provider, job.claimed_at, evaluation_window)
        self.send(self.escrow.functions.submit(job.id, claim, DELIVERABLE), actor or job.provider)
        return replace(job, deliverable=DELIVERABLE)

    def submitted(self, requester: str, worker: str, **changes: Any) -> Job:
        """A job up to its answer."""
        return self.submit(self.claim(self.post(requester, **changes), worker))

    def report(self, jobs: Sequence[Job], outcome: int) -> int:
        """An honest report over jobs; its gas."""
        functions = self.committee.functions
        report = (
            functions.config_digest().call(),
            functions.latest_sequence().call() + 1,
            self.chain.now(),
            EVIDENCE,
            self.escrow.address,
        )
        verdicts = [(job.id, outcome, job.terms, job.answer) for job in jobs]
        report_hash = functions.verdicts_hash(report, verdicts).call()
        digest = functions.report_digest(report[0], report[1], report_hash).call()
        needed = FAULTS + 1 if outcome == COMPLETE else 2 * FAULTS + 1
        keys = functions.keys().call()
        places = sorted(keys.index(member.address) for member in self.members)[:needed]
        by_key = {member.address: member for member in self.members}
        signatures = [bytes(by_key[keys[place]].unsafe_sign_hash(digest).signature) for place in places]
        mask = sum(1 << place for place in places)
        # A small report has an entry of its own, which is cheaper because its list is shorter in memory.
        transmit = functions.transmit if len(jobs) <= SMALL_REPORT else functions.transmit_batch
        receipt = self.send(transmit(report, verdicts, mask, signatures), self.relayer)
        refused = self.committee.events.ItemRefused().process_receipt(receipt, errors=DISCARD)
        if refused:
            raise RuntimeError(f"the escrow refused an item: {refused[0]['args']['cause']!r}")
        return self.last_gas


def key_grant(suite: GasSuite, member: LocalAccount, operator: str) -> bytes:
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
            "chainId": suite.chain.web3.eth.chain_id,
            "verifyingContract": suite.committee.address,
        },
        "message": {"operator": operator},
    }
    return bytes(member.sign_message(encode_typed_data(full_message=message)).signature)


def deploy(chain: GasChain) -> GasSuite:
    """Everything deployed, wired and staked; no job yet."""
    admin, holder, deployer = (account(name).address for name in ("admin", "holder", "deployer"))
    mill = chain.deploy("MillToken.vy", holder, SUPPLY, True, sender=deployer)
    staking = chain.deploy("Staking.vy", mill.address, admin, THAW_PERIOD, sender=deployer)
    escrow = chain.deploy("JobEscrow.vy", staking.address, admin, sender=deployer)
    committee = chain.deploy(
        "OracleCommittee.vy", staking.address, admin, MAXIMUM_REPORT_AGE, MEMBER_BOND, sender=deployer
    )
    registry = chain.deploy("CapabilityRegistry.vy", committee.address, admin, sender=deployer)
    suite = GasSuite(
        chain=chain,
        mill=mill,
        staking=staking,
        escrow=escrow,
        committee=committee,
        registry=registry,
        admin=admin,
        holder=holder,
        arbiter=account("arbiter").address,
        relayer=account("relayer").address,
        stranger=account("stranger").address,
        members=[account(f"member {n}") for n in range(MEMBERS)],
        requesters=[account(f"requester {n}") for n in range(ACTORS)],
        workers=[account(f"worker {n}") for n in range(ACTORS)],
        hot_keys=[account(f"hot key {n}") for n in range(ACTORS)],
    )
    _wire(suite)
    return suite


def _wire(suite: GasSuite) -> None:
    staking, escrow, committee = suite.staking.functions, suite.escrow.functions, suite.committee.functions
    for call in (
        staking.set_verifier(suite.escrow.address, True),
        staking.set_verifier(suite.committee.address, True),
        staking.set_insurance(account("insurance").address, 5_000),
        staking.add_earnings_token(suite.mill.address),
        escrow.set_evaluator(suite.committee.address),
        escrow.set_arbiter(suite.arbiter),
        escrow.set_treasury(account("treasury").address),
        escrow.set_capability_registry(suite.registry.address),
        escrow.set_payment_token(suite.mill.address, 10**18),
        escrow.set_rates(200, 100, 1_000, 1_000),
    ):
        suite.send(call, suite.admin)
    for member in suite.members:
        suite.fund(member.address, STAKE)
        suite.send(staking.stake(STAKE), member.address)
        grant = key_grant(suite, member, member.address)
        suite.send(committee.join(member.address, grant), member.address)
    suite.send(committee.set_config([member.address for member in suite.members], FAULTS), suite.admin)
    for worker, hot_key in zip(suite.workers, suite.hot_keys, strict=True):
        suite.fund(worker.address, 2 * STAKE)
        suite.send(staking.stake(STAKE), worker.address)
        suite.send(staking.set_hot_key(hot_key.address, True), worker.address)
        suite.send(staking.set_terms(1_000, True), worker.address)
    for requester in suite.requesters:
        suite.fund(requester.address, STAKE)


def warm_up(suite: GasSuite) -> None:
    """Every requester and worker has had a job and keeps another one open: no balance that a job touches is zero."""
    for requester, worker in zip(suite.requesters, suite.workers, strict=True):
        suite.report([suite.submitted(requester.address, worker.address)], COMPLETE)
        suite.claim(suite.post(requester.address), worker.address)
