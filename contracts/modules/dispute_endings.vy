# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title How challenges and cases end
@author Proofmill
@license Apache-2.0
@notice Open to anyone, so that no bond waits for anybody.
@dev INV-3: a challenge ends when the side whose turn it is is late, when its case is refuted, or when the escrow has ended the
     job or can no longer be told. Nothing of this needs the escrow, Staking or a payment token to work: a case that is refuted
     gives its bonds back before the escrow is told.
"""

from contracts.interfaces import IDisputeGame
from contracts.interfaces import IJobEscrow
from contracts.modules import challenge_bonds
from contracts.modules import dispute_cases
from contracts.modules import dispute_challenges
from contracts.modules import dispute_clock
from contracts.modules import job_word
from contracts.modules import refusal

uses: challenge_bonds
uses: dispute_cases
uses: dispute_challenges


SILENCE: constant(bytes32) = keccak256("the operator did not answer in time")
UPHELD_REASON: constant(bytes32) = keccak256("nobody refuted the answer in time")

# What the escrow was told.
CONVICTED: constant(uint256) = 1
UPHELD: constant(uint256) = 2
DISMISSED: constant(uint256) = 3  # nothing, or that the dispute is over


# ------------------------------------------------------------------ anyone
@external
def time_out(_challenge_id: uint256):
    """
    @notice Ends a challenge whose challenger is late: the operator has four fifths of the bond, the rest is burned. Refutes the
            answer if it is the operator that is late.
    @dev Anyone, once the clock of the side whose turn it is has run out, until the case is refuted or settled.
    @param _challenge_id The challenge.
    """
    doubt: dispute_challenges.Doubt = dispute_challenges._open_doubt(_challenge_id)
    facts: dispute_cases.Facts = dispute_cases._open_facts(dispute_challenges._case_id(_challenge_id))
    extension: uint256 = dispute_clock._extension(facts.dispute_window)
    turn: dispute_clock.Turn = dispute_challenges._turn(_challenge_id, doubt, extension)
    if not dispute_clock._has_run_out(turn, block.timestamp):
        refusal._raise("dispute: clock still runs")
    if turn.is_defenders:
        # No ruling: a right answer can be lost this way.
        dispute_challenges._refute(_challenge_id, SILENCE, 0)
        return
    dispute_challenges._end(_challenge_id, doubt, dispute_challenges.LOST)
    to_provider: uint256 = 0
    burned: uint256 = 0
    to_provider, burned = challenge_bonds._forfeit(facts.provider, doubt.bond)
    log IDisputeGame.ChallengeLost(
        challenge_id=_challenge_id,
        challenger=dispute_challenges._challenges[_challenge_id].challenger,
        to_provider=to_provider,
        burned=burned,
    )


@external
def settle(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @notice Tells the escrow how a case has ended: it slashes the operator of a refuted answer and rewards the lead, pays for one
            that was upheld on appeal, and goes on with one that nobody doubts any more.
    @dev Anyone. If the escrow has ended the job, or its time for a judgement has passed, the case just ends.
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    """
    terms: IJobEscrow.JobTerms = _terms
    answer: IJobEscrow.Answer = _answer
    record: bytes32 = dispute_cases._record(terms, answer)
    case_id: bytes32 = dispute_cases._case_id(_job_id, record)
    facts: dispute_cases.Facts = dispute_cases._facts(case_id)
    if facts.status not in [dispute_cases.OPEN, dispute_cases.REFUTED]:
        refusal._raise("dispute: nothing to settle")
    stage: uint256 = convert(staticcall dispute_cases.JOB_ESCROW.stage(_job_id), uint256)
    if not self._can_be_told(_job_id, stage, facts.dispute_window):
        self._settle(_job_id, record, case_id, facts, DISMISSED)
        return

    challenges: uint256 = dispute_cases._cases[case_id].challenges
    if facts.status == dispute_cases.REFUTED:
        self._settle(_job_id, record, case_id, facts, CONVICTED)
        lead: uint256 = challenges >> dispute_cases.LEAD_SHIFT
        extcall dispute_cases.JOB_ESCROW.convict(
            _job_id,
            terms,
            answer,
            dispute_challenges._challenges[lead].challenger,
            dispute_cases._cases[case_id].reason,
        )
        return

    if challenges & dispute_cases.COUNT_MASK != 0:
        refusal._raise("dispute: challenges are open")
    if stage == dispute_cases.APPEALED:
        if block.timestamp <= facts.appeal_deadline:
            refusal._raise("dispute: appeal still open")
        facts.ruling = dispute_cases.UPHELD_ANSWER
        self._settle(_job_id, record, case_id, facts, UPHELD)
        extcall dispute_cases.JOB_ESCROW.uphold(_job_id, terms, answer, UPHELD_REASON)
        return
    self._settle(_job_id, record, case_id, facts, DISMISSED)
    if stage == dispute_cases.CONTESTED:
        extcall dispute_cases.JOB_ESCROW.dismiss(_job_id, terms, answer)


@external
def reclaim(_challenge_id: uint256):
    """
    @notice Gives a challenger its bond back, once the case is refuted or was settled without a decision.
    @dev Anyone.
    @param _challenge_id The challenge.
    """
    doubt: dispute_challenges.Doubt = dispute_challenges._open_doubt(_challenge_id)
    status: uint256 = dispute_cases._facts(dispute_challenges._case_id(_challenge_id)).status
    if status == dispute_cases.OPEN:
        refusal._raise("dispute: not decided yet")
    dispute_challenges._end(_challenge_id, doubt, dispute_challenges.RETURNED)
    challenger: address = dispute_challenges._challenges[_challenge_id].challenger
    challenge_bonds._give_back(challenger, doubt.bond)
    log IDisputeGame.BondReturned(challenge_id=_challenge_id, challenger=challenger, amount=doubt.bond)


# ------------------------------------------------------------------ internal
@view
@internal
def _can_be_told(_job_id: uint256, _stage: uint256, _dispute_window: uint256) -> bool:
    """
    @dev Whether the escrow still takes a judgement: the same times as its own.
    """
    deadline: uint256 = staticcall dispute_cases.JOB_ESCROW.deadline(_job_id)
    if _stage == job_word.ATTESTED:
        return block.timestamp <= deadline + _dispute_window
    return _stage in [dispute_cases.CONTESTED, dispute_cases.APPEALED] and block.timestamp <= deadline


@internal
def _settle(
    _job_id: uint256, _record: bytes32, _case_id: bytes32, _facts: dispute_cases.Facts, _outcome: uint256
):
    dispute_cases._close(_case_id, _facts)
    log IDisputeGame.CaseSettled(job_id=_job_id, record=_record, outcome=_outcome)
