# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Cases: answers in doubt
@author Proofmill
@license Apache-2.0
@dev A case is (job, record), `record` the 208 low bits of the hash of the job's record, as in the escrow's word. Its first word:

         160 bit provider | 40 appeal deadline | 24 dispute window | 8 status | 8 ruling | 16 zero

     A case that was dismissed begins anew with the next challenge or appeal, if the escrow still allows one: no challenge of the
     earlier round is open then.
"""

from contracts.interfaces import IDisputeGame
from contracts.interfaces import IJobEscrow
from contracts.interfaces import IStaking
from contracts.modules import dispute_clock
from contracts.modules import job_terms
from contracts.modules import job_word
from contracts.modules import refusal


# Statuses of a case.
OPEN: constant(uint256) = 1
REFUTED: constant(uint256) = 2
SETTLED: constant(uint256) = 3

# Rulings: what the arithmetic has said.
FALSE_ANSWER: constant(uint256) = 1
UPHELD_ANSWER: constant(uint256) = 2

PROVIDER_SHIFT: constant(uint256) = 96
APPEAL_SHIFT: constant(uint256) = 56
WINDOW_SHIFT: constant(uint256) = 32
STATUS_SHIFT: constant(uint256) = 24
RULING_SHIFT: constant(uint256) = 16

# Stages of a contested job.
CONTESTED: constant(uint256) = job_word.SUBMITTED | job_word.CONTESTED_FLAG
APPEALED: constant(uint256) = job_word.CONDEMNED | job_word.CONTESTED_FLAG


struct Facts:
    provider: address
    appeal_deadline: uint256
    dispute_window: uint256
    status: uint256
    ruling: uint256


struct CaseEntry:
    facts: uint256
    challenges: uint256  # 128 bit lead | 128 bit bonds that are held
    reason: bytes32


COUNT_MASK: constant(uint256) = 2**128 - 1
LEAD_SHIFT: constant(uint256) = 128

JOB_ESCROW: immutable(IJobEscrow)
STAKING: immutable(IStaking)


_cases: HashMap[bytes32, CaseEntry]


@deploy
def __init__(_job_escrow: address, _staking: address):
    if _job_escrow == empty(address):
        refusal._raise("case: no escrow")
    JOB_ESCROW = IJobEscrow(_job_escrow)
    STAKING = IStaking(_staking)


# ------------------------------------------------------------------ operator or its hot key
@external
def appeal(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @notice Takes a rejected answer to the arithmetic: for a quarter of the dispute window anyone may challenge it; if nobody
            refutes it, it is upheld.
    @dev The operator or its hot key, until the appeal deadline of the condemned job (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    """
    terms: IJobEscrow.JobTerms = _terms
    answer: IJobEscrow.Answer = _answer
    record: bytes32 = self._record(terms, answer)
    self._check_operator(answer.provider)
    self._check_subject(_job_id, terms.arbiter, record)
    if convert(staticcall JOB_ESCROW.stage(_job_id), uint256) != job_word.CONDEMNED:
        refusal._raise("case: not condemned")
    last: uint256 = block.timestamp + dispute_clock._response(self._window(terms.schedule))
    self._begin(_job_id, record, terms, answer, last)


# ------------------------------------------------------------------ views
@view
@external
def case(_job_id: uint256, _record: bytes32) -> IDisputeGame.Case:
    """
    @notice A case as it is now.
    @param _job_id The job.
    @param _record `IJobEscrow.commitment` of the submitted job.
    @return All zero if nobody has doubted the answer.
    """
    entry: CaseEntry = self._cases[self._case_id(_job_id, _record)]
    facts: Facts = self._unpack(entry.facts)
    return IDisputeGame.Case(
        status=facts.status,
        open_challenges=entry.challenges & COUNT_MASK,
        lead=entry.challenges >> LEAD_SHIFT,
        appeal_deadline=facts.appeal_deadline,
        reason=entry.reason,
    )


@view
@external
def ruling(_job_id: uint256, _record: bytes32) -> uint256:
    """
    @notice What was found out about an answer, whatever became of the money.
    @param _job_id The job.
    @param _record `IJobEscrow.commitment` of the submitted job.
    @return 0 nothing, 1 the arithmetic refuted it, 2 it was upheld on appeal. Silence of its operator is no finding.
    """
    return self._unpack(self._cases[self._case_id(_job_id, _record)].facts).ruling


@view
@external
def clock_of(_dispute_window: uint256) -> (uint256, uint256):
    """
    @notice How long the sides of a challenge may think.
    @param _dispute_window Of the job's terms, in seconds.
    @return Seconds that a side has for all its moves; seconds that it has at least for each.
    """
    return dispute_clock._total(_dispute_window), dispute_clock._extension(_dispute_window)


# ------------------------------------------------------------------ internal: which case
@pure
@internal
def _case_id(_job_id: uint256, _record: bytes32) -> bytes32:
    return keccak256(abi_encode(_job_id, _record))


@pure
@internal
def _record(_terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer) -> bytes32:
    hash: bytes32 = job_word._answer_hash(job_word._terms_hash(_terms), _answer)
    return convert(convert(hash, uint256) & job_word.RECORD_MASK, bytes32)


@pure
@internal
def _window(_schedule: uint256) -> uint256:
    return _schedule >> job_terms.DISPUTE_WINDOW_SHIFT & job_terms.MASK_24


@view
@internal
def _check_subject(_job_id: uint256, _arbiter: address, _record: bytes32):
    """
    @dev The record alone could be that of a claimed job: the caller looks at the stage.
    """
    if staticcall JOB_ESCROW.commitment(_job_id) != _record:
        refusal._raise("case: another record")
    if _arbiter != self:
        refusal._raise("case: another arbiter")


@view
@internal
def _check_operator(_provider: address):
    if msg.sender != _provider:
        if not staticcall STAKING.is_hot_key(_provider, msg.sender):
            refusal._raise("case: not the operator")


# ------------------------------------------------------------------ internal: its life
@internal
def _join(
    _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _record: bytes32
) -> uint256:
    """
    @dev Sees to it that the case is open and may be challenged now. Returns the dispute window.
    """
    self._check_subject(_job_id, _terms.arbiter, _record)
    stage: uint256 = convert(staticcall JOB_ESCROW.stage(_job_id), uint256)
    window: uint256 = self._window(_terms.schedule)
    facts: Facts = self._facts(self._case_id(_job_id, _record))
    if facts.status == REFUTED:
        refusal._raise("case: already refuted")

    is_attested: bool = stage == job_word.ATTESTED
    last: uint256 = staticcall JOB_ESCROW.deadline(_job_id)
    if stage == job_word.SUBMITTED or is_attested and facts.status != OPEN:
        self._begin(_job_id, _record, _terms, _answer, 0)
    elif facts.status != OPEN or not (is_attested or stage in [CONTESTED, APPEALED]):
        refusal._raise("case: not open to doubt")
    elif stage == APPEALED:
        last = facts.appeal_deadline
    elif stage == CONTESTED:
        # The escrow has put the dispute window on top of the deadline of the stage before.
        last -= window
    if block.timestamp > last:
        refusal._raise("case: too late to challenge")
    return window


@internal
def _begin(
    _job_id: uint256,
    _record: bytes32,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _appeal_deadline: uint256,
):
    """
    @dev Nothing of an earlier round is left. The escrow is told, unless it has paid already.
    """
    last: uint256 = _appeal_deadline
    if last == 0:
        last = staticcall JOB_ESCROW.deadline(_job_id)
    self._cases[self._case_id(_job_id, _record)] = CaseEntry(
        facts=self._pack(
            Facts(
                provider=_answer.provider,
                appeal_deadline=_appeal_deadline,
                dispute_window=self._window(_terms.schedule),
                status=OPEN,
                ruling=0,
            )
        ),
        challenges=0,
        reason=empty(bytes32),
    )
    log IDisputeGame.CaseOpened(
        job_id=_job_id, record=_record, is_appeal=_appeal_deadline != 0, deadline=last
    )
    if staticcall JOB_ESCROW.closeReason(_job_id) == 0:
        extcall JOB_ESCROW.contest(_job_id, _terms, _answer)


@view
@internal
def _facts(_case_id: bytes32) -> Facts:
    return self._unpack(self._cases[_case_id].facts)


@view
@internal
def _open_facts(_case_id: bytes32) -> Facts:
    """
    @dev Reverts once the case is decided.
    """
    facts: Facts = self._facts(_case_id)
    if facts.status != OPEN:
        refusal._raise("case: not open")
    return facts


@internal
def _refute(_case_id: bytes32, _facts: Facts, _reason: bytes32, _ruling: uint256):
    """
    @dev The answer has lost; `settle` tells the escrow.
    """
    facts: Facts = _facts
    facts.status = REFUTED
    facts.ruling = _ruling
    self._cases[_case_id].facts = self._pack(facts)
    self._cases[_case_id].reason = _reason


@internal
def _close(_case_id: bytes32, _facts: Facts):
    facts: Facts = _facts
    facts.status = SETTLED
    self._cases[_case_id].facts = self._pack(facts)


# ------------------------------------------------------------------ internal: its word
@pure
@internal
def _pack(_facts: Facts) -> uint256:
    """
    @dev A time of more than 40 bits would be that of a deadline that the escrow refuses.
    """
    return (
        convert(_facts.provider, uint256) << PROVIDER_SHIFT
        | _facts.appeal_deadline << APPEAL_SHIFT
        | _facts.dispute_window << WINDOW_SHIFT
        | _facts.status << STATUS_SHIFT
        | _facts.ruling << RULING_SHIFT
    )


@pure
@internal
def _unpack(_word: uint256) -> Facts:
    return Facts(
        provider=convert(_word >> PROVIDER_SHIFT, address),
        appeal_deadline=_word >> APPEAL_SHIFT & job_terms.MASK_40,
        dispute_window=_word >> WINDOW_SHIFT & job_terms.MASK_24,
        status=_word >> STATUS_SHIFT & job_terms.MASK_8,
        ruling=_word >> RULING_SHIFT & job_terms.MASK_8,
    )
