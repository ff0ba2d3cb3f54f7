# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Oracle committee
@author Proofmill
@license Apache-2.0
@notice Applies reports that enough members signed, to the job escrow and to the capability registry. Anyone may relay a
        report; what it does was decided by those who signed it.
@dev Members join with a bond and a key, the owner seats them, a member that contradicts itself is slashed on proof. The
     escrow and the registry decide whether they listen to this contract.
@custom:security f + 1 colluding members can have a wrong answer paid, 2f + 1 can have a right one rejected: the
                 escrow's arbiter and the arithmetic are the remedy. The owner chooses who is seated, not who may join.
"""

from contracts.interfaces import IOracleCommittee
from contracts.interfaces import IOwnable2Step
from contracts.interfaces import IPausable
from contracts.modules import attestation
from contracts.modules import committee_config
from contracts.modules import eip712_domain
from contracts.modules import equivocation
from contracts.modules import expulsion
from contracts.modules import fee_sharing
from contracts.modules import membership
from contracts.modules import misjudgement
from contracts.modules import ownership
from contracts.modules import pausable
from contracts.modules import transmission

implements: IOracleCommittee
implements: IOwnable2Step
implements: IPausable

initializes: ownership
initializes: pausable[ownership := ownership]
initializes: eip712_domain
initializes: membership[
    eip712_domain := eip712_domain,
    ownership := ownership,
    pausable := pausable,
]
initializes: committee_config[
    membership := membership,
    ownership := ownership,
]
initializes: attestation[
    committee_config := committee_config,
    eip712_domain := eip712_domain,
]
initializes: transmission[attestation := attestation]
initializes: expulsion[
    committee_config := committee_config,
    membership := membership,
]
initializes: equivocation[
    attestation := attestation,
    expulsion := expulsion,
]
initializes: misjudgement[
    attestation := attestation,
    expulsion := expulsion,
]
initializes: fee_sharing[
    committee_config := committee_config,
    membership := membership,
]

exports: (
    # ownership
    ownership.owner,
    ownership.pending_owner,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    # pausing
    pausable.pause,
    pausable.unpause,
    pausable.set_pauser,
    pausable.set_unpauser,
    pausable.closed,
    pausable.pauser,
    pausable.unpauser,
    # members
    membership.join,
    membership.leave,
    membership.rotate_key,
    membership.set_member_bond,
    membership.member,
    membership.member_bond,
    membership.operator_of,
    membership.key_grant_digest,
    membership.staking,
    # configuration
    committee_config.set_config,
    committee_config.apply_key,
    committee_config.config_digest,
    committee_config.config_count,
    committee_config.faults_tolerated,
    committee_config.latest_sequence,
    committee_config.members,
    committee_config.keys,
    # reports
    transmission.transmit,
    transmission.transmit_batch,
    transmission.transmit_measurements,
    transmission.verdicts_hash,
    transmission.measurements_hash,
    attestation.report_digest,
    attestation.maximum_report_age,
    # lies
    equivocation.prove_equivocation,
    misjudgement.prove_misjudgement,
    # fees
    fee_sharing.share_fees,
    # ERC-5267
    eip712_domain.eip712Domain,
)


DOMAIN_NAME: constant(String[50]) = "Proofmill Oracle Committee"
DOMAIN_VERSION: constant(String[20]) = "1"
JOIN_FLAG: constant(uint256) = 1


@deploy
def __init__(_staking: address, _admin: address, _maximum_report_age: uint256, _member_bond: uint256):
    """
    @notice Starts without a committee.
    @param _staking Where members commit their bonds.
    @param _admin The owner, who seats the members; the deployer keeps nothing.
    @param _maximum_report_age Seconds after which an observation is worthless, 300 to 86,400.
    @param _member_bond Stake tokens that a member commits, more than none, at most 10,000,000 whole ones.
    """
    ownership.__init__(_admin)
    pausable.__init__(JOIN_FLAG)
    eip712_domain.__init__(DOMAIN_NAME, DOMAIN_VERSION)
    membership.__init__(_staking, _member_bond)
    attestation.__init__(_maximum_report_age)
