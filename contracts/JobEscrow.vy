# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Job escrow
@author Proofmill
@license Apache-2.0
@notice A requester escrows a price, a worker bonds stake and commits to an answer, the evaluator judges it, the arbiter
        has the last word on answers that arithmetic can judge, and each deadline that passes frees the money by a call
        that is open to anyone.
@dev INV-1 solvency: `payments.owed` <= balance, for each token. INV-2 conservation: see `job_settlement`. INV-3 exit:
     see `job_timeouts`. INV-4 snapshot: see `job_policy`. One lock covers all functions; only views of a job's word can
     be called while it is held.
@custom:security Payment tokens are listed by the owner. One that refuses a transfer or burns gas costs nobody else
                 anything. Not fit to be listed: one whose balances shrink by themselves, one that moves tokens and does
                 not say so (more would be owed than is there), and one that calls back (it could make the items of a
                 report fail while the escrow is locked).
"""

from contracts.interfaces import IJobEscrow
from contracts.interfaces import IOwnable2Step
from contracts.interfaces import IPausable
from contracts.modules import job_ledger
from contracts.modules import job_market
from contracts.modules import job_policy
from contracts.modules import job_settlement
from contracts.modules import job_timeouts
from contracts.modules import job_verdicts
from contracts.modules import ownership
from contracts.modules import pausable
from contracts.modules import payments

implements: IJobEscrow
implements: IOwnable2Step
implements: IPausable

initializes: ownership
initializes: pausable[ownership := ownership]
initializes: payments[ownership := ownership]
initializes: job_policy[ownership := ownership, payments := payments]
initializes: job_ledger
initializes: job_settlement[job_ledger := job_ledger, payments := payments]
initializes: job_market[
    job_ledger := job_ledger,
    job_policy := job_policy,
    job_settlement := job_settlement,
    pausable := pausable,
    payments := payments,
]
initializes: job_verdicts[job_ledger := job_ledger, job_settlement := job_settlement]
initializes: job_timeouts[job_ledger := job_ledger, job_settlement := job_settlement]

exports: (
    # ownership
    ownership.owner,
    ownership.pending_owner,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    # pausing: new jobs (1) and new claims (2) only
    pausable.pause,
    pausable.unpause,
    pausable.set_pauser,
    pausable.set_unpauser,
    pausable.closed,
    pausable.pauser,
    pausable.unpauser,
    # requesters and operators
    job_market.post,
    job_market.post_with_permit,
    job_market.post_with_authorization,
    job_market.cancel,
    job_market.claim,
    job_market.submit,
    # evaluator
    job_verdicts.complete,
    job_verdicts.complete_many,
    job_verdicts.reject,
    job_verdicts.void,
    # arbiter
    job_verdicts.contest,
    job_verdicts.dismiss,
    job_verdicts.uphold,
    job_verdicts.convict,
    # anyone
    job_timeouts.finalize,
    job_timeouts.claimRefund,
    payments.withdraw,
    payments.withdraw_to,
    payments.collect_earnings,
    payments.collect_fees,
    # owner
    job_policy.set_evaluator,
    job_policy.set_arbiter,
    job_policy.set_capability_registry,
    job_policy.set_rates,
    job_policy.set_windows,
    payments.set_treasury,
    payments.set_payment_token,
    # jobs
    job_ledger.state,
    job_ledger.stage,
    job_ledger.deadline,
    job_ledger.commitment,
    job_ledger.closeReason,
    job_ledger.runway,
    job_ledger.terms_hash,
    job_ledger.price_at,
    # money
    payments.earnings,
    payments.credit,
    payments.fees,
    payments.owed,
    payments.bond_rate,
    payments.staking,
    # settings
    job_policy.job_count,
    job_policy.evaluator,
    job_policy.arbiter,
    job_policy.capability_registry,
    job_policy.rates,
    job_policy.windows,
    payments.treasury,
)


@deploy
def __init__(_staking: address, _admin: address):
    """
    @notice Starts with no job, no evaluator and no payment token.
    @param _staking Where workers have their stake; it must authorise this contract as a verifier.
    @param _admin The owner; the deployer keeps nothing.
    """
    ownership.__init__(_admin)
    pausable.__init__(job_market.ALL_FLAGS)
    payments.__init__(_staking)
    job_policy.__init__()
