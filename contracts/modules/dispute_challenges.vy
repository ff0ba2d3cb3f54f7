# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Challenges: bonded doubts
@author Proofmill
@license Apache-2.0
@dev Challenges of a case do not know of each other. The word of a challenge:

         96 bit bond | 40 priority | 40 turn began at | 24 challenger left | 24 defender left | 8 asks | 8 status | 16 zero

     The clocks are those of the turn that began with the last question (`dispute_clock._after_answer` says what it is now).
"""

from contracts.interfaces import IDisputeGame
from contracts.interfaces import IJobEscrow
from contracts.modules import challenge_bonds
from contracts.modules import dispute_cases
from contracts.modules import dispute_clock
from contracts.modules import dispute_reveals
from contracts.modules import job_terms
from contracts.modules import refusal

uses: challenge_bonds
uses: dispute_cases
uses: dispute_reveals


# Statuses of a challenge.
OPEN: constant(uint256) = 1
LOST: constant(uint256) = 2
RETURNED: constant(uint256) = 3

COMMITMENT_LIFE: constant(uint256) = 86_400  # seconds in which a commitment gives priority

BOND_SHIFT: constant(uint256) = 160
PRIORITY_SHIFT: constant(uint256) = 120
TURN_SHIFT: constant(uint256) = 80
CHALLENGER_LEFT_SHIFT: constant(uint256) = 56
DEFENDER_LEFT_SHIFT: constant(uint256) = 32
ASKS_SHIFT: constant(uint256) = 24
STATUS_SHIFT: constant(uint256) = 16


struct Doubt:
    bond: uint256
    priority: uint256
    turn: dispute_clock.Turn
    asks: uint256
    status: uint256


struct ChallengeEntry:
    challenger: address
    job_id: uint256
    record: bytes32
    claim_id: bytes32
    pending: bytes32
    word: uint256


challenge_count: public(uint256)
_challenges: HashMap[uint256, ChallengeEntry]
_committed_at: HashMap[address, HashMap[bytes32, uint256]]  # challenger -> commitment


# ------------------------------------------------------------------ challenger
@external
def commit(_commitment: bytes32):
    """
    @notice Says, without saying which, that the caller doubts an answer: the first to have said so is rewarded.
    @dev Anyone. A second time, it counts from then.
    @param _commitment keccak256(abi_encode(challenger, job id, record, salt)).
    """
    self._committed_at[msg.sender][_commitment] = block.timestamp
    log IDisputeGame.Committed(challenger=msg.sender, commitment=_commitment)


@external
def open(
    _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _salt: bytes32
) -> uint256:
    """
    @notice Challenges an answer, with the bond of the day, which the caller has approved. Its clock starts.
    @dev Anyone, while the job is submitted and can be judged, while an appeal may be challenged, or in the challenge window of an
         attested answer; until the case is refuted.
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    @param _salt Of the caller's commitment; anything if there is none.
    @return The number of the challenge; the first is 1.
    """
    terms: IJobEscrow.JobTerms = _terms
    answer: IJobEscrow.Answer = _answer
    record: bytes32 = dispute_cases._record(terms, answer)
    # slither reentrancy-benign: the escrow is ours, and the lock is held
    window: uint256 = dispute_cases._join(_job_id, terms, answer, record)
    commitment: bytes32 = keccak256(abi_encode(msg.sender, _job_id, record, _salt))
    priority: uint256 = self._committed_at[msg.sender][commitment]
    if priority + COMMITMENT_LIFE < block.timestamp:
        priority = block.timestamp
    clock: uint256 = dispute_clock._total(window)
    challenge_id: uint256 = self.challenge_count + 1
    self.challenge_count = challenge_id
    bond: uint256 = challenge_bonds._pull(msg.sender)

    doubt: Doubt = Doubt(
        bond=bond,
        priority=priority,
        turn=dispute_clock.Turn(
            is_defenders=False, began_at=block.timestamp, challenger_left=clock, defender_left=clock
        ),
        asks=0,
        status=OPEN,
    )
    self._challenges[challenge_id] = ChallengeEntry(
        challenger=msg.sender,
        job_id=_job_id,
        record=record,
        claim_id=empty(bytes32),
        pending=empty(bytes32),
        word=self._pack(doubt),
    )
    case_id: bytes32 = dispute_cases._case_id(_job_id, record)
    dispute_cases._cases[case_id].challenges += 1
    self._consider(case_id, challenge_id, priority)
    log IDisputeGame.ChallengeOpened(
        challenge_id=challenge_id,
        job_id=_job_id,
        challenger=msg.sender,
        record=record,
        priority=priority,
        bond=bond,
        clock=clock,
    )
    return challenge_id


# ------------------------------------------------------------------ anyone
@external
# slither silent-write: the view tells; who is rewarded is logged by `settle`
def take_lead(_challenge_id: uint256):
    """
    @notice Says that a challenge was committed before the one that leads, or that none does.
    @dev Anyone, for a challenge that is open, or was when its case was refuted, until the case is settled.
    @param _challenge_id The challenge.
    """
    case_id: bytes32 = self._case_id(_challenge_id)
    status: uint256 = dispute_cases._facts(case_id).status
    if status not in [dispute_cases.OPEN, dispute_cases.REFUTED]:
        refusal._raise("challenge: case settled")
    doubt: Doubt = self._doubt(_challenge_id)
    # Returned before the case was settled: the case had been refuted.
    if doubt.status not in [OPEN, RETURNED]:
        refusal._raise("challenge: lost")
    if not self._consider(case_id, _challenge_id, doubt.priority):
        refusal._raise("challenge: not the first")


# ------------------------------------------------------------------ views
@view
@external
def challenge(_challenge_id: uint256) -> IDisputeGame.Challenge:
    """
    @notice A challenge as it is now.
    @param _challenge_id The challenge.
    @return All zero if there is none.
    """
    entry: ChallengeEntry = self._challenges[_challenge_id]
    doubt: Doubt = self._unpack(entry.word, entry.pending)
    turn: dispute_clock.Turn = empty(dispute_clock.Turn)
    if doubt.status != 0:
        window: uint256 = dispute_cases._facts(self._case_id(_challenge_id)).dispute_window
        turn = self._turn(_challenge_id, doubt, dispute_clock._extension(window))
    return IDisputeGame.Challenge(
        challenger=entry.challenger,
        job_id=entry.job_id,
        record=entry.record,
        claim_id=entry.claim_id,
        bond=doubt.bond,
        priority=doubt.priority,
        status=doubt.status,
        pending=entry.pending,
        is_answered=entry.pending != empty(bytes32) and not turn.is_defenders,
        challenger_left=turn.challenger_left,
        defender_left=turn.defender_left,
        turn_began_at=turn.began_at,
        asks=doubt.asks,
    )


# ------------------------------------------------------------------ internal
@view
@internal
def _case_id(_challenge_id: uint256) -> bytes32:
    entry_job: uint256 = self._challenges[_challenge_id].job_id
    return dispute_cases._case_id(entry_job, self._challenges[_challenge_id].record)


@view
@internal
def _doubt(_challenge_id: uint256) -> Doubt:
    return self._unpack(self._challenges[_challenge_id].word, self._challenges[_challenge_id].pending)


@view
@internal
def _open_doubt(_challenge_id: uint256) -> Doubt:
    doubt: Doubt = self._doubt(_challenge_id)
    if doubt.status != OPEN:
        refusal._raise("challenge: not open")
    return doubt


@view
@internal
def _turn(_challenge_id: uint256, _doubt: Doubt, _extension: uint256) -> dispute_clock.Turn:
    """
    @dev Whose move it is now.
    """
    pending: bytes32 = self._challenges[_challenge_id].pending
    return dispute_clock._after_answer(_doubt.turn, dispute_reveals.revealed_at[pending], _extension)


@internal
def _refute(_challenge_id: uint256, _reason: bytes32, _ruling: uint256):
    """
    @dev The case is decided by this challenge; whoever was committed first is rewarded.
    """
    doubt: Doubt = self._open_doubt(_challenge_id)
    case_id: bytes32 = self._case_id(_challenge_id)
    dispute_cases._refute(case_id, dispute_cases._open_facts(case_id), _reason, _ruling)
    self._consider(case_id, _challenge_id, doubt.priority)
    log IDisputeGame.CaseRefuted(
        job_id=self._challenges[_challenge_id].job_id,
        record=self._challenges[_challenge_id].record,
        challenge_id=_challenge_id,
        reason=_reason,
    )


@internal
def _end(_challenge_id: uint256, _doubt: Doubt, _status: uint256):
    """
    @dev Its bond leaves, in the same call. One that lost leads no more.
    """
    doubt: Doubt = _doubt
    doubt.status = _status
    self._challenges[_challenge_id].word = self._pack(doubt)
    case_id: bytes32 = self._case_id(_challenge_id)
    challenges: uint256 = dispute_cases._cases[case_id].challenges - 1
    if _status == LOST and challenges >> dispute_cases.LEAD_SHIFT == _challenge_id:
        challenges = challenges & dispute_cases.COUNT_MASK
    dispute_cases._cases[case_id].challenges = challenges


@internal
def _consider(_case_id: bytes32, _challenge_id: uint256, _priority: uint256) -> bool:
    """
    @dev Makes a challenge the lead if it is earlier than the one that is, and says whether it is. Of two that committed in the
         same second, the one that leads stays.
    """
    challenges: uint256 = dispute_cases._cases[_case_id].challenges
    lead: uint256 = challenges >> dispute_cases.LEAD_SHIFT
    if lead != 0:
        if self._challenges[lead].word >> PRIORITY_SHIFT & job_terms.MASK_40 <= _priority:
            return lead == _challenge_id
    held: uint256 = challenges & dispute_cases.COUNT_MASK
    dispute_cases._cases[_case_id].challenges = _challenge_id << dispute_cases.LEAD_SHIFT | held
    return True


@pure
@internal
def _pack(_doubt: Doubt) -> uint256:
    """
    @dev The bond is bounded by its setting, the clocks by a window of 24 bits, asks by `MAX_ASKS`.
    """
    return (
        _doubt.bond << BOND_SHIFT
        | _doubt.priority << PRIORITY_SHIFT
        | _doubt.turn.began_at << TURN_SHIFT
        | _doubt.turn.challenger_left << CHALLENGER_LEFT_SHIFT
        | _doubt.turn.defender_left << DEFENDER_LEFT_SHIFT
        | _doubt.asks << ASKS_SHIFT
        | _doubt.status << STATUS_SHIFT
    )


@pure
@internal
def _unpack(_word: uint256, _pending: bytes32) -> Doubt:
    return Doubt(
        bond=_word >> BOND_SHIFT,
        priority=_word >> PRIORITY_SHIFT & job_terms.MASK_40,
        turn=dispute_clock.Turn(
            is_defenders=_pending != empty(bytes32),
            began_at=_word >> TURN_SHIFT & job_terms.MASK_40,
            challenger_left=_word >> CHALLENGER_LEFT_SHIFT & job_terms.MASK_24,
            defender_left=_word >> DEFENDER_LEFT_SHIFT & job_terms.MASK_24,
        ),
        asks=_word >> ASKS_SHIFT & job_terms.MASK_8,
        status=_word >> STATUS_SHIFT & job_terms.MASK_8,
    )
