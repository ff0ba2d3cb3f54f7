# pragma version 0.4.3
# pragma nonreentrancy on
# pragma optimize codesize
"""
@title Dispute game
@author Proofmill
@license Apache-2.0
@notice Whoever doubts an answer makes its operator publish the trace, bit by bit, against the clock, until one step that the EVM
        recomputes decides. Nobody votes. The game is the arbiter of the jobs that name it.
@dev INV-1 solvency: stake tokens held >= bonds of all challenges that are open. INV-2 conservation: see `challenge_bonds`. INV-3
     exit: see `dispute_endings`. INV-4 snapshot: bonds with the challenge, clocks with the job's terms. No function can be paused,
     and the owner sets nothing but the bond of challenges to come. One lock covers all functions.
@custom:security An operator that has the whole trace and answers in time cannot lose: a question shows that its node is there, and
                 a proof opens what the operator itself has posted. A wrong answer goes through if nobody challenges it in time.
"""

from contracts.interfaces import IArbiter
from contracts.interfaces import IDisputeGame
from contracts.interfaces import IOwnable2Step
from contracts.modules import challenge_bonds
from contracts.modules import dispute_cases
from contracts.modules import dispute_challenges
from contracts.modules import dispute_endings
from contracts.modules import dispute_moves
from contracts.modules import dispute_reveals
from contracts.modules import ownership

implements: IArbiter
implements: IDisputeGame
implements: IOwnable2Step

initializes: ownership
initializes: challenge_bonds[ownership := ownership]
initializes: dispute_cases
initializes: dispute_reveals[dispute_cases := dispute_cases]
initializes: dispute_challenges[
    challenge_bonds := challenge_bonds,
    dispute_cases := dispute_cases,
    dispute_reveals := dispute_reveals,
]
initializes: dispute_moves[
    dispute_cases := dispute_cases,
    dispute_challenges := dispute_challenges,
    dispute_reveals := dispute_reveals,
]
initializes: dispute_endings[
    challenge_bonds := challenge_bonds,
    dispute_cases := dispute_cases,
    dispute_challenges := dispute_challenges,
]

exports: (
    # ownership
    ownership.owner,
    ownership.pending_owner,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    # challenger
    dispute_challenges.commit,
    dispute_challenges.open,
    dispute_moves.ask_items,
    dispute_moves.name_item,
    dispute_moves.ask,
    # operator
    dispute_cases.appeal,
    dispute_reveals.post_trace,
    # anyone, for the operator
    dispute_reveals.reveal_items,
    dispute_reveals.reveal_tree,
    dispute_reveals.reveal_rows,
    dispute_reveals.reveal_leaves,
    dispute_reveals.reveal_row,
    dispute_reveals.reveal_leaf,
    # anyone
    dispute_moves.prove,
    dispute_moves.contradict,
    dispute_challenges.take_lead,
    dispute_endings.time_out,
    dispute_endings.settle,
    dispute_endings.reclaim,
    # owner
    challenge_bonds.set_challenge_bond,
    # views
    dispute_challenges.challenge,
    dispute_challenges.challenge_count,
    dispute_cases.case,
    dispute_cases.ruling,
    dispute_cases.clock_of,
    dispute_reveals.claim_id_of,
    dispute_reveals.trace_root,
    dispute_reveals.revealed_at,
    challenge_bonds.challenge_bond,
)


@deploy
def __init__(
    _job_escrow: address,
    _staking: address,
    _model_registry: address,
    _trace_reader: address,
    _op_verifier: address,
    _admin: address,
):
    """
    @notice Starts with no case and a bond of 100 stake tokens.
    @param _job_escrow Whose jobs are judged.
    @param _staking Where operators have their hot keys, and whose stake token bonds are in.
    @param _model_registry Which models there are.
    @param _trace_reader What a question asks for, and what contradicts a claim.
    @param _op_verifier What a step proves.
    @param _admin The owner; the deployer keeps nothing.
    """
    ownership.__init__(_admin)
    challenge_bonds.__init__(_staking)
    dispute_cases.__init__(_job_escrow, _staking)
    dispute_moves.__init__(_model_registry, _trace_reader, _op_verifier)
