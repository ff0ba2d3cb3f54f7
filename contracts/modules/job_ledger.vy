# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The jobs, two storage words each
@author Proofmill
@license Apache-2.0
@dev A job is the commitment to its terms (and answer) and one packed word. A settled job keeps its state and its
     provider; its commitment and deadline are cleared, which returns gas.

         Funded, no provider ── claim ──▶ Funded, provider ── submit ──▶ Submitted ──▶ Completed | Rejected
                │      └ cancel ▶ Rejected       │                           │
                └──────── too late ──────────────┴───────── too late ────────┴──────▶ Expired
"""

from contracts.interfaces import IJobEscrow


# The states of ERC-8183. A job is funded when it is posted, so Open means that it does not exist.
OPEN: constant(uint256) = 0
FUNDED: constant(uint256) = 1
SUBMITTED: constant(uint256) = 2
COMPLETED: constant(uint256) = 3
REJECTED: constant(uint256) = 4
EXPIRED: constant(uint256) = 5

# The packed word: 48 bit zero | 8 bit state | 40 bit deadline | 160 bit provider
DEADLINE_SHIFT: constant(uint256) = 160
STATE_SHIFT: constant(uint256) = 200
PROVIDER_MASK: constant(uint256) = 2**160 - 1
DEADLINE_MASK: constant(uint256) = 2**40 - 1


struct Job:
    state: uint256
    deadline: uint256  # of the step that is next: claim, submission or evaluation
    provider: address  # who claimed


job_count: public(uint256)  # also the number of the latest job: the first one is 1
commitment: public(HashMap[uint256, bytes32])
_packed: HashMap[uint256, uint256]


# ------------------------------------------------------------------ views
@view
@external
def state(_job_id: uint256) -> uint8:
    """
    @notice Where a job is: 0 never posted, 1 Funded, 2 Submitted, 3 Completed, 4 Rejected, 5 Expired.
    @param _job_id The job.
    @return A state of ERC-8183.
    """
    return convert(self._job(_job_id).state, uint8)


@view
@external
def provider(_job_id: uint256) -> address:
    """
    @notice Who claimed a job.
    @param _job_id The job.
    @return The operator, or the zero address before a claim.
    """
    return self._job(_job_id).provider


@view
@external
def deadline(_job_id: uint256) -> uint256:
    """
    @notice The last second of the step that is next: the claim, the submission or the evaluation.
    @param _job_id The job.
    @return Unix time; 0 for a job that is settled or was never posted.
    """
    return self._job(_job_id).deadline


@view
@external
def terms_hash(_terms: IJobEscrow.JobTerms) -> bytes32:
    """
    @notice What the terms of a job hash to: its commitment until an answer is submitted.
    @param _terms The terms.
    @return keccak256(abi_encode(terms)).
    """
    return self._terms_hash(_terms)


# ------------------------------------------------------------------ internal
@internal
def _open(_terms: IJobEscrow.JobTerms) -> uint256:
    """
    @dev Records a funded job. Returns its number.
    """
    job_id: uint256 = self.job_count + 1
    self.job_count = job_id
    self.commitment[job_id] = self._terms_hash(_terms)
    self._store(job_id, FUNDED, _terms.claim_deadline, empty(address))
    return job_id


@internal
def _claim(_job_id: uint256, _terms: IJobEscrow.JobTerms, _provider: address):
    job: Job = self._job(_job_id)
    assert job.state == FUNDED, "escrow: not open to a claim"
    assert job.provider == empty(address), "escrow: already claimed"
    self._check_terms(_job_id, _terms)
    assert _terms.provider in [empty(address), _provider], "escrow: not the named provider"
    assert block.timestamp <= job.deadline, "escrow: claim deadline passed"
    self._store(_job_id, FUNDED, block.timestamp + _terms.submit_window, _provider)


@internal
def _submit(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32, _provider: address):
    job: Job = self._job(_job_id)
    assert job.state == FUNDED, "escrow: not open to an answer"
    assert job.provider == _provider, "escrow: not the provider"
    self._check_terms(_job_id, _terms)
    assert _deliverable != empty(bytes32), "escrow: no deliverable"
    assert block.timestamp <= job.deadline, "escrow: submit deadline passed"
    self.commitment[_job_id] = self._answered_hash(_terms, _deliverable)
    self._store(_job_id, SUBMITTED, block.timestamp + _terms.evaluation_window, _provider)


@internal
def _judge(
    _job_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _deliverable: bytes32,
    _evaluator: address,
    _state: uint256,
) -> address:
    """
    @dev Settles a submitted job as its evaluator says. Returns the provider.
    """
    job: Job = self._job(_job_id)
    assert job.state == SUBMITTED, "escrow: not submitted"
    self._check_answer(_job_id, _terms, _deliverable)
    assert _terms.evaluator == _evaluator, "escrow: not the evaluator"
    assert block.timestamp <= job.deadline, "escrow: evaluation too late"
    self._settle(_job_id, _state, job.provider)
    return job.provider


@internal
def _cancel(_job_id: uint256, _terms: IJobEscrow.JobTerms, _requester: address):
    job: Job = self._job(_job_id)
    assert job.state == FUNDED, "escrow: nothing to cancel"
    assert job.provider == empty(address), "escrow: a worker is on it"
    self._check_terms(_job_id, _terms)
    assert _terms.requester == _requester, "escrow: not the requester"
    self._settle(_job_id, REJECTED, empty(address))


@internal
def _expire(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32) -> Job:
    """
    @dev Settles a job whose next step is late. Returns the job as it was.
    """
    job: Job = self._job(_job_id)
    if job.state == SUBMITTED:
        self._check_answer(_job_id, _terms, _deliverable)
    else:
        assert job.state == FUNDED, "escrow: nothing to refund"
        self._check_terms(_job_id, _terms)
    assert block.timestamp > job.deadline, "escrow: deadline not passed"
    self._settle(_job_id, EXPIRED, job.provider)
    return job


@internal
def _settle(_job_id: uint256, _state: uint256, _provider: address):
    self.commitment[_job_id] = empty(bytes32)
    self._store(_job_id, _state, 0, _provider)


@internal
def _store(_job_id: uint256, _state: uint256, _deadline: uint256, _provider: address):
    assert _deadline <= DEADLINE_MASK, "escrow: deadline out of range"
    self._packed[_job_id] = (
        (_state << STATE_SHIFT) | (_deadline << DEADLINE_SHIFT) | convert(_provider, uint256)
    )


@view
@internal
def _job(_job_id: uint256) -> Job:
    packed: uint256 = self._packed[_job_id]
    return Job(
        state=packed >> STATE_SHIFT,
        deadline=(packed >> DEADLINE_SHIFT) & DEADLINE_MASK,
        provider=convert(packed & PROVIDER_MASK, address),
    )


@view
@internal
def _check_terms(_job_id: uint256, _terms: IJobEscrow.JobTerms):
    assert self.commitment[_job_id] == self._terms_hash(_terms), "escrow: other terms"


@view
@internal
def _check_answer(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32):
    assert self.commitment[_job_id] == self._answered_hash(_terms, _deliverable), "escrow: other terms or answer"


@pure
@internal
def _terms_hash(_terms: IJobEscrow.JobTerms) -> bytes32:
    return keccak256(abi_encode(_terms))


@pure
@internal
def _answered_hash(_terms: IJobEscrow.JobTerms, _deliverable: bytes32) -> bytes32:
    return keccak256(abi_encode(self._terms_hash(_terms), _deliverable))
