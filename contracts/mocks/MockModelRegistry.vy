# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A registry of whatever models it is told
@license Apache-2.0
@dev Tests only. Has what the game asks for.
"""

from contracts.interfaces import IModelRegistry


_models: HashMap[bytes32, IModelRegistry.Model]


@external
def set_model(_model_id: bytes32, _program_root: bytes32, _operators: uint256):
    self._models[_model_id] = IModelRegistry.Model(
        program_root=_program_root, operators=_operators, flagged=True, bounds_version=1
    )


@view
@external
def model(_model_id: bytes32) -> IModelRegistry.Model:
    return self._models[_model_id]
