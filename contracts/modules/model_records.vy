# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Models and how much of each is checked
@author Proofmill
@license Apache-2.0
@dev A model takes three words: its program's root, what its head says, and a bit for each group of 16 leaves. Groups
     may come in any order, from anyone; a group that is checked stays so, and whoever repeats a call changes nothing.
"""

from contracts.interfaces import IModelRegistry
from contracts.modules import descriptor_bounds
from contracts.modules import merkle_tree
from contracts.modules import ownership

uses: ownership


BOUNDS_VERSION: constant(uint256) = 1  # of the rules in `descriptor_bounds`
GROUP_LEAVES: constant(uint256) = 16
GROUP_DEPTH: constant(uint256) = 4
COUNT_MASK: constant(uint256) = 2**16 - 1
LANE_MASK: constant(uint256) = 2**32 - 1
FLAGGED: constant(uint256) = 2**254
REGISTERED: constant(uint256) = 2**255


_program_root: HashMap[bytes32, bytes32]
# From the low end: 16 operators | 16 zero | 32 input kind | 32 rows | 32 width | zero | 1 flagged | 1 registered.
# No operators: registration has not begun.
_facts: HashMap[bytes32, uint256]
_checked_groups: HashMap[bytes32, uint256]


# ------------------------------------------------------------------ anyone
@external
def begin(
    _program_root: bytes32,
    _tables_root: bytes32,
    _manifest_hash: bytes32,
    _head: Bytes[992],
    _head_path: DynArray[bytes32, 16],
    _uri: String[256],
) -> bytes32:
    """
    @notice Opens the registration of a model, or says where else it can be had.
    @dev Anyone. Of a model that is known only the event is new: nobody can spoil what another began, and a useless
         address of the first does not keep others from giving a better one. What an address serves is checked against
         the id.
    @param _program_root Root of the program's tree, docs/TRACE.md, section 6.
    @param _tables_root Root over its tables.
    @param _manifest_hash Keccak-256 of its manifest.
    @param _head Leaf 0 of the program.
    @param _head_path Its siblings from the bottom up.
    @param _uri Where the model can be had; only logged.
    @return The model's id.
    """
    model_id: bytes32 = keccak256(concat(_program_root, _tables_root, _manifest_hash))
    facts: uint256 = self._facts[model_id]
    if facts & COUNT_MASK == 0:
        operators: uint256 = 0
        shape: descriptor_bounds.Shape = empty(descriptor_bounds.Shape)
        operators, shape = descriptor_bounds._read_head(_head)
        assert len(_head_path) == merkle_tree._bits(operators), "model: head path of wrong depth"
        leaf: bytes32 = keccak256(keccak256(_head))
        assert merkle_tree._root_of_path(leaf, 0, _head_path) == _program_root, "model: head does not open"
        facts = facts | operators | (shape.kind << 32) | (shape.rows << 64) | (shape.width << 96)
        self._facts[model_id] = facts
        self._program_root[model_id] = _program_root
    log IModelRegistry.RegistrationBegun(
        model_id=model_id,
        program_root=_program_root,
        tables_root=_tables_root,
        manifest_hash=_manifest_hash,
        operators=facts & COUNT_MASK,
        registrant=msg.sender,
        uri=_uri,
    )
    return model_id


@external
def check(
    _model_id: bytes32, _group: uint256, _descriptors: DynArray[Bytes[992], 16], _path: DynArray[bytes32, 16]
):
    """
    @notice Checks a group of 16 leaves of the program: that they are its leaves, and that each operator is within the
            bounds.
    @dev Anyone, in any order. A group that is checked already is not looked at again. The last one registers the model.
    @param _model_id The model.
    @param _group Number of the group: leaves 16 · group and following.
    @param _descriptors All leaves of the group in order; in group 0 the head comes first, the last group may be
           shorter.
    @param _path Siblings of the group's node from the bottom up; none in a program of fewer than 16 operators.
    """
    facts: uint256 = self._facts[_model_id]
    operators: uint256 = facts & COUNT_MASK
    assert operators != 0, "model: not begun"
    last_group: uint256 = operators // GROUP_LEAVES
    assert _group <= last_group, "model: no such group"
    checked: uint256 = self._checked_groups[_model_id]
    if (checked >> _group) & 1 == 1:
        return

    start: uint256 = _group * GROUP_LEAVES
    count: uint256 = min(GROUP_LEAVES, operators + 1 - start)
    assert len(_descriptors) == count, "model: wrong number of leaves"
    depth: uint256 = merkle_tree._bits(operators)
    levels: uint256 = min(depth, GROUP_DEPTH)
    assert len(_path) == depth - levels, "model: group path of wrong depth"
    node: bytes32 = self._group_node(_descriptors, levels)
    root: bytes32 = merkle_tree._root_of_path(node, _group, _path)
    assert root == self._program_root[_model_id], "model: group does not open"

    shape: descriptor_bounds.Shape = self._input_shape(facts)
    for i: uint256 in range(count, bound=GROUP_LEAVES):
        if start + i != 0:
            descriptor_bounds._check(_descriptors[i], start + i, operators, shape)
    checked |= 1 << _group
    self._checked_groups[_model_id] = checked
    log IModelRegistry.DescriptorsChecked(model_id=_model_id, first=start, count=count)
    if checked == max_value(uint256) >> (255 - last_group):
        self._facts[_model_id] = facts | REGISTERED
        log IModelRegistry.ModelRegistered(
            model_id=_model_id,
            program_root=root,
            operators=operators,
            bounds_version=BOUNDS_VERSION,
        )


# ------------------------------------------------------------------ owner
@external
def flag(_model_id: bytes32, _flagged: bool, _reason: bytes32):
    """
    @notice Warns of a model, or takes the warning back. It stays registered, and its disputes go on.
    @dev Owner only; also of a model that nobody has registered yet.
    @param _model_id The model.
    @param _flagged Whether to warn.
    @param _reason Why, for those who read the event.
    """
    ownership._check_owner()
    facts: uint256 = self._facts[_model_id] & ~FLAGGED
    if _flagged:
        facts |= FLAGGED
    self._facts[_model_id] = facts
    log IModelRegistry.ModelFlagged(model_id=_model_id, flagged=_flagged, reason=_reason)


# ------------------------------------------------------------------ views
@view
@external
def model(_model_id: bytes32) -> IModelRegistry.Model:
    """
    @notice What is known of a model.
    @param _model_id The model.
    @return Its program's root (empty if registration has not begun), its number of operators (0 until it is
            registered), whether it is flagged, and the version of the bounds that it was checked against (0 until it
            is registered).
    """
    facts: uint256 = self._facts[_model_id]
    is_registered: bool = facts & REGISTERED != 0
    return IModelRegistry.Model(
        program_root=self._program_root[_model_id],
        operators=facts & COUNT_MASK if is_registered else 0,
        flagged=facts & FLAGGED != 0,
        bounds_version=BOUNDS_VERSION if is_registered else 0,
    )


@view
@external
def is_registered(_model_id: bytes32) -> bool:
    """
    @notice Whether every operator of a model is checked, so that answers of it can be disputed.
    @param _model_id The model.
    @return True also if it is flagged.
    """
    return self._facts[_model_id] & REGISTERED != 0


@view
@external
def checked_groups(_model_id: bytes32) -> uint256:
    """
    @notice Which groups of a model's leaves are checked.
    @param _model_id The model.
    @return Bit i is 1 if group i is checked.
    """
    return self._checked_groups[_model_id]


# ------------------------------------------------------------------ internal
@pure
@internal
def _group_node(_leaves: DynArray[Bytes[992], 16], _levels: uint256) -> bytes32:
    """
    @dev The node above the group's leaves; places without a leaf hold 32 zero bytes.
    """
    nodes: bytes32[GROUP_LEAVES] = empty(bytes32[GROUP_LEAVES])
    for i: uint256 in range(len(_leaves), bound=GROUP_LEAVES):
        nodes[i] = keccak256(keccak256(_leaves[i]))
    count: uint256 = 1 << _levels
    for level: uint256 in range(_levels, bound=GROUP_DEPTH):
        count >>= 1
        for i: uint256 in range(count, bound=GROUP_LEAVES // 2):
            nodes[i] = keccak256(concat(nodes[2 * i], nodes[2 * i + 1]))
    return nodes[0]


@pure
@internal
def _input_shape(_facts: uint256) -> descriptor_bounds.Shape:
    return descriptor_bounds.Shape(
        kind=(_facts >> 32) & LANE_MASK,
        rows=(_facts >> 64) & LANE_MASK,
        width=(_facts >> 96) & LANE_MASK,
        group=0,
    )
