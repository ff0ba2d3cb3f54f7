"""The typed clients and the typed data against the deployed contracts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3 import Web3

from proofmill.chain import (
    CloseReason,
    JobEscrow,
    JobState,
    JobTerms,
    Measurement,
    MillToken,
    OpenedVerdict,
    Outcome,
    PostedJob,
    Report,
    ReportHead,
    StageFlag,
    Suite,
    TransactionSender,
    report_digest,
    terms_hash,
)
from proofmill.chain.errors import CallReverted, EventNotFound, JobNotFound, NoContractCode, revert_text
from proofmill.chain.records import commitment_of
from proofmill.chain.reports import MAXIMUM_FEW_VERDICTS, measurements_hash
from proofmill.chain.staking import CommitRoom, OperatorTerms, Pool
from proofmill.chain.typed_data import COMMITTEE_NAME, COMMITTEE_VERSION, key_grant_digest
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from tests.integration.committee import attested, judge
from tests.integration.conftest import SenderFactory
from tests.integration.offers import PRICE, offer
from tests.integration.own_chain import MEMBER_BOND, MEMBER_STAKE
from tests.unit.chain.values import all_terms, heads, measurements, opened_verdicts, priced_terms

STAKE = 20 * PRICE
on_chain = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def staked(suite: Suite, sender: TransactionSender) -> None:
    """The operator of the default sender has stake, and lets the escrow take its tokens."""
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    sender.send("allow staking", suite.mill_token.approve(suite.staking.address, STAKE))
    sender.send("stake", suite.staking.stake(STAKE))


@pytest.fixture
def posted(suite: Suite, sender: TransactionSender, staked: None) -> PostedJob:
    """A job that the operator of the default sender posted; it is also its worker in these tests."""
    receipt = sender.send("post", suite.job_escrow.post(offer(suite)))
    return suite.job_escrow.posted_in(receipt)


@on_chain
@given(terms=all_terms)
def test_terms_hash__any_terms__equals_the_contract(terms: JobTerms, suite: Suite) -> None:
    assert terms_hash(terms) == suite.job_escrow.terms_hash(terms)


@on_chain
@given(terms=priced_terms(), passed=st.integers(-100, 2**24))
def test_price_at__any_terms_and_time__equals_the_contract(
    terms: JobTerms, passed: int, suite: Suite
) -> None:
    time = max(0, terms.schedule.posted_at + passed)
    assert terms.price_at(time) == suite.job_escrow.price_at(terms, time)


@on_chain
@given(head=heads, verdicts=st.lists(opened_verdicts, max_size=4))
def test_report_digest__any_report__equals_the_contract(
    head: ReportHead, verdicts: list[OpenedVerdict], suite: Suite
) -> None:
    committee = suite.oracle_committee
    report = Report(head, tuple(opened.verdict for opened in verdicts))
    assert report.hash() == committee.verdicts_hash(head, verdicts)
    digest = report_digest(head.config_digest, head.sequence, report.hash(), CHAIN_ID, committee.address)
    assert digest == committee.report_digest(head.config_digest, head.sequence, report.hash())


@on_chain
@given(head=heads, items=st.lists(measurements, max_size=4))
def test_measurements_hash__any_report__equals_the_contract(
    head: ReportHead, items: list[Measurement], suite: Suite
) -> None:
    assert measurements_hash(head, items) == suite.oracle_committee.measurements_hash(head, items)


def test_key_grant_digest__any_operator__equals_the_contract(suite: Suite, anvil: Anvil) -> None:
    committee = suite.oracle_committee
    for account in anvil.accounts:
        expected = committee.key_grant_digest(account.address)
        assert key_grant_digest(account.address, CHAIN_ID, committee.address) == expected


def test_job__through_its_life__is_read_with_its_record(
    suite: Suite, web3: Web3, sender: TransactionSender, posted: PostedJob, anvil: Anvil
) -> None:
    escrow, answer = suite.job_escrow, b"\x07" * 32
    job = escrow.job(posted.id)
    assert (job.terms, job.state, job.is_open) == (posted.terms, JobState.FUNDED, True)
    assert (job.model_id, job.input_root) == (b"\x01" * 32, b"\x02" * 32)
    assert job.commitment == terms_hash(job.terms)
    assert escrow.jobs_posted(0, web3.eth.block_number) == [posted]
    assert job.deliverable is None
    receipt = sender.send("claim", escrow.claim(job.id, job.terms, sender.address))
    job = escrow.claimed_in(receipt, job)
    assert job == escrow.job(job.id)
    assert (job.provider, job.flags, job.is_known) == (sender.address, StageFlag.CLAIMED, True)
    sender.send("submit", escrow.submit(job.id, job.claim, answer))
    job = escrow.job(job.id)
    assert (job.state, job.deliverable, job.awaits_verdict) == (JobState.SUBMITTED, answer, True)
    assert escrow.commitment(job.id) == commitment_of(job.commitment)
    assert escrow.job(job.id, block=posted.posted_block).state is JobState.FUNDED
    assert escrow.runway(job.id) > 0

    opened = OpenedVerdict(job.id, Outcome.COMPLETE, job.terms, job.answer)
    assert opened.verdict.commitment == job.commitment
    receipt = sender.send("transmit", attested(anvil, suite, [opened]))
    assert suite.oracle_committee.event(receipt, "ReportTransmitted").args["applied"] == 1
    assert escrow.event(receipt, "PaymentReleased").args["amount"] == PRICE
    job = escrow.job(job.id)
    assert (job.state, job.close_reason, job.pay) == (JobState.COMPLETED, CloseReason.ATTESTED, PRICE)
    assert (job.provider, job.deliverable, job.is_known) == (sender.address, answer, True)
    assert escrow.close_reason(job.id) is CloseReason.ATTESTED
    assert escrow.earnings(suite.mill_token.address, sender.address) == PRICE
    with pytest.raises(EventNotFound):
        escrow.event(receipt, "JobPosted")


def test_job__late_worker_and_a_second_one__record_follows(
    suite: Suite, sender: TransactionSender, make_sender: SenderFactory, staked: None, anvil: Anvil
) -> None:
    """A job that reopens has the same terms and the same word again; only its events tell the rounds apart."""
    escrow, now = suite.job_escrow, int(anvil.web3.eth.get_block("latest")["timestamp"])
    wanted = offer(suite, reopens=True, submit_window=60, claim_deadline=now + 100_000)
    job = escrow.job(escrow.posted_in(sender.send("post", escrow.post(wanted))).id)
    sender.send("claim", escrow.claim(job.id, job.terms, sender.address))
    anvil.increase_time(61)
    anvil.mine()
    late = escrow.job(job.id)
    other = make_sender(account=anvil.accounts[2])
    other.send("settle", escrow.claim_refund(job.id, late.terms, late.answer))
    again = escrow.job(job.id)
    assert (again.is_open, again.is_known, again.reopened, again.provider) == (True, True, 1, EMPTY_ADDRESS)
    assert again.commitment == terms_hash(job.terms)
    other.send("allow staking", suite.mill_token.approve(suite.staking.address, STAKE))
    other.send("stake", suite.staking.stake(STAKE))
    other.send("claim", escrow.claim(job.id, job.terms, other.address))
    claimed = escrow.job(job.id)
    assert (claimed.provider, claimed.is_known, claimed.reopened) == (other.address, True, 1)
    other.send("submit", escrow.submit(job.id, claimed.claim, b"\x07" * 32))
    judge(anvil, suite, sender, job.id)
    done = escrow.job(job.id)
    assert (done.state, done.provider, done.deliverable) == (JobState.COMPLETED, other.address, b"\x07" * 32)


def test_job__price_rises__is_what_the_claim_fixed_and_the_change_waits(
    suite: Suite, sender: TransactionSender, staked: None, anvil: Anvil
) -> None:
    escrow, token = suite.job_escrow, suite.mill_token.address
    rising = offer(suite, price_floor=0, price_ceiling=PRICE, ramp=900)
    job = escrow.job(escrow.posted_in(sender.send("post", escrow.post(rising))).id)
    assert job.price == PRICE
    anvil.increase_time(300)
    receipt = sender.send("claim", escrow.claim(job.id, job.terms, sender.address))
    claimed = escrow.job(job.id)
    assert claimed.price == escrow.event(receipt, "JobClaimed").args["price"]
    assert 0 < claimed.price < PRICE
    sender.send("submit", escrow.submit(job.id, claimed.claim, b"\x07" * 32))
    judge(anvil, suite, sender, job.id)
    assert escrow.credit(token, sender.address) == PRICE - claimed.price
    sender.send("withdraw", escrow.withdraw(token, sender.address))
    assert escrow.credit(token, sender.address) == 0
    assert escrow.job(job.id).pay == claimed.price == escrow.earnings(token, sender.address)


def test_job__posted_by_signature__needs_no_approval(
    suite: Suite, anvil: Anvil, make_sender: SenderFactory, web3: Web3
) -> None:
    escrow, token, owner = suite.job_escrow, suite.mill_token, anvil.accounts[2]
    sender, until = make_sender(account=owner), int(web3.eth.get_block("latest")["timestamp"]) + 1_000
    permit = token.sign_permit(owner, escrow.address, PRICE, until)
    first = escrow.posted_in(sender.send("permit", escrow.post_by_permit(offer(suite), permit)))
    signed = token.sign_authorization(owner, escrow.address, PRICE, until, b"\x05" * 32)
    second = escrow.posted_in(
        sender.send("authorization", escrow.post_by_authorization(offer(suite), signed))
    )
    assert token.authorization_state(owner.address, b"\x05" * 32)
    assert [escrow.job(job.id).is_open for job in (first, second)] == [True, True]
    assert escrow.owed(token.address) == 2 * PRICE


def test_transmission__more_verdicts_than_a_small_report_takes__goes_as_a_batch(
    suite: Suite, sender: TransactionSender, staked: None, anvil: Anvil
) -> None:
    escrow, number = suite.job_escrow, MAXIMUM_FEW_VERDICTS + 1
    cheap = replace(offer(suite), price_floor=PRICE // 10, price_ceiling=PRICE // 10, bond=PRICE // 10)
    verdicts = []
    for index in range(number):
        job = escrow.job(escrow.posted_in(sender.send(f"post {index}", escrow.post(cheap))).id)
        receipt = sender.send(f"claim {index}", escrow.claim(job.id, job.terms, sender.address))
        claimed = escrow.claimed_in(receipt, job)
        sender.send(f"submit {index}", escrow.submit(job.id, claimed.claim, b"\x07" * 32))
        submitted = escrow.job(job.id)
        verdicts.append(OpenedVerdict(job.id, Outcome.COMPLETE, submitted.terms, submitted.answer))
    call = attested(anvil, suite, verdicts)
    assert "transmit_batch" in call.description
    receipt = sender.send("transmit", call)
    assert suite.oracle_committee.event(receipt, "ReportTransmitted").args["applied"] == (1 << number) - 1


def test_transmission__one_item_does_not_fit__the_others_are_applied_and_the_cause_is_told(
    suite: Suite, sender: TransactionSender, posted: PostedJob, anvil: Anvil
) -> None:
    escrow = suite.job_escrow
    receipt = sender.send("claim", escrow.claim(posted.id, posted.terms, sender.address))
    job = escrow.claimed_in(receipt, escrow.job(posted.id))
    sender.send("submit", escrow.submit(job.id, job.claim, b"\x07" * 32))
    good = escrow.job(job.id)
    verdicts = [
        OpenedVerdict(99, Outcome.COMPLETE, good.terms, good.answer),
        OpenedVerdict(good.id, Outcome.COMPLETE, good.terms, good.answer),
    ]
    receipt = sender.send("transmit", attested(anvil, suite, verdicts))
    refused = suite.oracle_committee.event(receipt, "ItemRefused").args
    assert refused["index"] == 0
    assert revert_text(bytes(refused["cause"])).startswith("escrow: ")
    assert escrow.job(good.id).state is JobState.COMPLETED


def test_job__reorganised_away__is_forgotten(suite: Suite, posted: PostedJob, anvil: Anvil) -> None:
    assert suite.job_escrow.job(posted.id).terms == posted.terms
    anvil.reorganise(2)
    with pytest.raises(JobNotFound):
        suite.job_escrow.job(posted.id)


def test_job__never_posted__is_not_found(suite: Suite) -> None:
    with pytest.raises(JobNotFound):
        suite.job_escrow.job(999)


def test_permit__signed_here__is_accepted_on_chain(
    suite: Suite, anvil: Anvil, make_sender: SenderFactory, web3: Web3
) -> None:
    owner, spender = anvil.accounts[2], anvil.accounts[3]
    deadline = int(web3.eth.get_block("latest")["timestamp"]) + 1_000
    permit = suite.mill_token.sign_permit(owner, spender.address, 42, deadline)
    make_sender(account=spender).send("permit", suite.mill_token.use_permit(permit))
    assert suite.mill_token.allowance(owner.address, spender.address) == 42
    forged = suite.mill_token.permit(
        owner.address, spender.address, 43, deadline, permit.v, permit.r, permit.s
    )
    with pytest.raises(CallReverted):
        make_sender(account=anvil.accounts[4]).send("forged", forged)


def test_view__no_contract_there__says_so(web3: Web3) -> None:
    with pytest.raises(NoContractCode):
        MillToken(web3, "0x" + "12" * 20).total_supply()
    with pytest.raises(NoContractCode):
        JobEscrow(web3, "0x" + "12" * 20).check_code()


def test_views__of_every_client__are_decoded(suite: Suite, anvil: Anvil) -> None:
    token, staking, escrow = suite.mill_token, suite.staking, suite.job_escrow
    committee, registry = suite.oracle_committee, suite.capability_registry
    operator, member = anvil.accounts[1].address, anvil.accounts[5].address
    assert (token.token_name(), token.symbol(), token.decimals()) == ("Proofmill", "MILL", 18)
    assert token.eip712_domain()[1:5] == ("Proofmill", "1", CHAIN_ID, token.address)
    assert token.clock_mode() == "mode=timestamp"
    assert (token.get_votes(operator), token.delegates(operator)) == (0, EMPTY_ADDRESS)
    assert staking.stake_token() == token.address
    assert escrow.staking() == committee.staking() == staking.address
    assert escrow.evaluator() == registry.committee() == committee.address
    assert (escrow.arbiter(), escrow.treasury()) == (suite.dispute_game.address, EMPTY_ADDRESS)
    assert escrow.capability_registry() == registry.address
    assert escrow.payment_tokens() == [token.address]
    assert (escrow.bond_rate(token.address), escrow.bond_rate(operator)) == (10**18, 0)
    assert staking.is_verifier(escrow.address)
    assert staking.pool(staking.own_pool(operator)) == Pool(0, 0, 0, 0)
    assert staking.redeem_request_range(staking.own_pool(operator), operator) == (0, 0)
    assert [staking.self_stake(operator), staking.delegated(operator), staking.slashable(operator)] == [
        0,
        0,
        0,
    ]
    assert staking.commit_room(operator) == CommitRoom(0, 0)
    assert staking.commit_room(member).total == MEMBER_STAKE * 3 // 10 - MEMBER_BOND
    assert staking.committed_to(committee.address, member) == MEMBER_BOND
    assert staking.terms(operator) == OperatorTerms(0, 0, 0, False)
    assert staking.slash_caps() == (1_000, 3_000)
    assert not staking.is_hot_key(operator, member)
    assert (escrow.job_count(), escrow.owed(token.address)) == (0, 0)
    assert escrow.rates().late_penalty_bps == 125
    assert escrow.windows() == (3_600, 86_400)
    assert escrow.fees(token.address, committee.address) == (0, 0)
    domain = committee.eip712_domain()
    assert (domain.name, domain.version) == (COMMITTEE_NAME, COMMITTEE_VERSION)
    assert (domain.chain_id, domain.contract) == (CHAIN_ID, committee.address)
    assert committee.faults_tolerated() == 1
    assert committee.config_count() == 1
    assert committee.maximum_report_age() == 3_600
    assert committee.member(member) == (member, EMPTY_ADDRESS, 0, MEMBER_BOND)
    assert committee.operator_of(member) == member
    assert (registry.tier(operator), registry.devices_of(operator)) == (0, [])
    assert registry.measurement(bytes(32)).operator == EMPTY_ADDRESS
    assert staking.owner() == anvil.accounts[0].address
    assert staking.pending_owner() == EMPTY_ADDRESS
    assert (staking.closed(), escrow.closed(), committee.closed()) == (0, 0, 0)
    assert staking.thaw_period() == 7 * 86_400
