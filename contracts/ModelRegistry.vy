# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Model registry
@author Proofmill
@license Apache-2.0
@notice The models whose answers can be disputed: programs whose every constant and shape lies where the arithmetic is
        proved. Anyone registers one, group by group; the owner may warn of one and can take none away.
@dev A model's id is a hash of its program, its tables and its manifest, so nobody can register another under it.
     Weights are not looked at: whoever serves a model has proved their bounds when it was loaded.
@custom:security Each operator is checked against the shapes that its own descriptor states for its inputs, not
                 against the operators that make them. A tree whose descriptors contradict each other belongs to no
                 manifest, so nobody can load it, and honest operators serve only what they have loaded.
"""

from contracts.interfaces import IModelRegistry
from contracts.interfaces import IOwnable2Step
from contracts.modules import model_records
from contracts.modules import ownership

implements: IModelRegistry
implements: IOwnable2Step

initializes: ownership
initializes: model_records[ownership := ownership]

exports: (
    # ownership
    ownership.owner,
    ownership.pending_owner,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    # models
    model_records.begin,
    model_records.check,
    model_records.flag,
    model_records.model,
    model_records.is_registered,
    model_records.checked_groups,
)


@deploy
def __init__(_admin: address):
    """
    @notice Starts without models.
    @param _admin The owner; the deployer keeps nothing.
    """
    ownership.__init__(_admin)
