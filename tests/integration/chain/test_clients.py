"""The typed clients and the typed data against the deployed contracts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3 import Web3

from proofmill.chain import (
    CompactSignature,
    JobEscrow,
    JobOffer,
    JobOpening,
    JobState,
    JobTerms,
    MillToken,
    Outcome,
    PostedJob,
    Report,
    Suite,
    TransactionSender,
    Verdict,
    commitment,
    recover_signer,
    report_digest,
    sign_report,
    terms_hash,
)
from proofmill.chain.errors import CallReverted, EventNotFound, JobNotFound, NoContractCode
from proofmill.chain.typed_data import COMMITTEE_NAME, COMMITTEE_VERSION
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from tests.integration.conftest import SenderFactory

PRICE = 10**18
words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(Web3.to_checksum_address)
amounts = st.integers(0, 2**256 - 1)
all_terms = st.builds(JobTerms, addresses, addresses, addresses, words, words, *[amounts] * 6)
verdicts = st.builds(Verdict, addresses, amounts, words, st.sampled_from(Outcome), words)
reports = st.builds(
    Report, words, st.integers(0, 2**64 - 1), amounts, words, st.lists(verdicts, max_size=5).map(tuple)
)
on_chain = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def offer(web3: Web3) -> JobOffer:
    now = int(web3.eth.get_block("latest")["timestamp"])
    return JobOffer(EMPTY_ADDRESS, b"\x01" * 32, b"\x02" * 32, PRICE, PRICE, now + 1_000, 1_000, 1_000)


@pytest.fixture
def posted(suite: Suite, web3: Web3, sender: TransactionSender) -> PostedJob:
    """A job that the operator of the default sender posted; it is also its worker in these tests."""
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, PRICE))
    sender.send("allow staking", suite.mill_token.approve(suite.staking.address, 5 * PRICE))
    sender.send("stake", suite.staking.stake(5 * PRICE))
    receipt = sender.send("post", suite.job_escrow.post(offer(web3)))
    return suite.job_escrow.posted_in(receipt)


@on_chain
@given(terms=all_terms)
def test_terms_hash__any_terms__equals_the_contract(terms: JobTerms, suite: Suite) -> None:
    assert terms_hash(terms) == suite.job_escrow.terms_hash(terms)


@on_chain
@given(report=reports)
def test_report_digest__any_report__equals_the_contract(report: Report, suite: Suite) -> None:
    committee = suite.oracle_committee
    assert report_digest(report, CHAIN_ID, committee.address) == committee.report_digest(report)


def test_job__through_its_life__is_read_with_its_terms(
    suite: Suite, web3: Web3, sender: TransactionSender, posted: PostedJob, anvil: Anvil
) -> None:
    escrow, answer = suite.job_escrow, b"\x07" * 32
    job = escrow.job(posted.id)
    assert (job.terms, job.state, job.is_claimed) == (posted.terms, JobState.FUNDED, False)
    assert job.commitment == commitment(job.terms)
    assert escrow.jobs_posted(0, web3.eth.block_number) == [posted]
    assert escrow.deliverable(job.id) is None
    sender.send("claim", escrow.claim(job.id, job.terms))
    assert escrow.job(job.id).provider == sender.address
    sender.send("submit", escrow.submit(job.id, job.terms, answer))
    job = escrow.job(job.id)
    assert job.state is JobState.SUBMITTED
    assert job.commitment == commitment(job.terms, answer)
    assert escrow.deliverable(job.id) == answer
    assert escrow.job(job.id, block=posted.posted_block).state is JobState.FUNDED

    committee, members = suite.oracle_committee, anvil.accounts[5:9]
    assert committee.members() == [member.address for member in members]
    report = Report(
        committee.config_digest(),
        committee.latest_sequence() + 1,
        int(web3.eth.get_block("latest")["timestamp"]),
        b"\x09" * 32,
        (Verdict(escrow.address, job.id, job.commitment, Outcome.COMPLETE, answer),),
    )
    signatures: list[CompactSignature] = [
        sign_report(report, member, CHAIN_ID, committee.address) for member in members[:2]
    ]
    assert recover_signer(report, signatures[1], CHAIN_ID, committee.address) == members[1].address
    receipt = sender.send(
        "transmit", committee.transmit(report, [JobOpening(job.terms, answer)], 0b11, signatures)
    )
    assert committee.event(receipt, "VerdictApplied").args["success"] is True
    assert escrow.event(receipt, "PaymentReleased").args["amount"] == PRICE
    assert escrow.job(job.id).state is JobState.COMPLETED
    with pytest.raises(EventNotFound):
        escrow.event(receipt, "JobPosted")


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
    token, staking, escrow, committee = (
        suite.mill_token,
        suite.staking,
        suite.job_escrow,
        suite.oracle_committee,
    )
    operator = anvil.accounts[1].address
    assert (token.token_name(), token.symbol(), token.decimals()) == ("Proofmill", "MILL", 18)
    assert token.eip712_domain()[1:5] == ("Proofmill", "1", CHAIN_ID, token.address)
    assert staking.stake_token() == escrow.payment_token() == token.address
    assert escrow.staking() == staking.address
    assert escrow.evaluator() == committee.address
    assert staking.is_verifier(escrow.address)
    assert staking.unstake_request_count(operator) == 0
    assert [staking.active(operator), staking.thawing(operator), staking.slashable(operator)] == [0, 0, 0]
    assert staking.committed_to(escrow.address, operator) == 0
    assert (escrow.job_count(), escrow.escrowed()) == (0, 0)
    assert (escrow.minimum_bond_bps(), escrow.late_penalty_bps()) == (10_000, 1_000)
    domain = committee.eip712_domain()
    assert (domain.name, domain.version) == (COMMITTEE_NAME, COMMITTEE_VERSION)
    assert (domain.chain_id, domain.contract) == (CHAIN_ID, committee.address)
    assert committee.faults_tolerated() == 1
    assert committee.config_count() == 1
    assert committee.maximum_report_age() == 3_600
    assert staking.owner() == anvil.accounts[0].address
    assert staking.pending_owner() == EMPTY_ADDRESS
    assert staking.thaw_period() == 7 * 86_400
