# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What operators have published
@author Proofmill
@license Apache-2.0
@dev A reveal is checked only against itself: what it folds to is in the key under which it is filed, so anyone may file it, for all
     challenges, before or after somebody asks. The first time stays. A key also says how many hashes are not free: what stands in a
     place that does not exist cannot be revealed, and who committed to it loses. Keys, by form:

         1 tree    (node, level, depth, 0, 0, hashes)
         2 rows    (root of the value, level, depth, 1 if it has a supplement, 0, hashes)
         3 leaves  (row hash, value sections, value leaves, witness sections, witness leaves, hashes that are not zero)
         4 leaf    (leaf hash, 0, 0, 0, 0, 0)
         5 items   (deliverable, 0, 0, 0, 0, items), with the case in the claim's place
"""

from contracts.interfaces import IDisputeGame
from contracts.modules import dispute_cases
from contracts.modules import dispute_claims
from contracts.modules import merkle_tree
from contracts.modules import refusal

uses: dispute_cases


# Forms of keys.
TREE: constant(uint256) = 1
ROWS: constant(uint256) = 2
LEAVES: constant(uint256) = 3
LEAF: constant(uint256) = 4
ITEMS: constant(uint256) = 5

MAX_HASHES: constant(uint256) = 1024  # in one reveal
MAX_ROW_LEAVES: constant(uint256) = 40  # of a row that is revealed whole
MAX_ROW_LEAF_BYTES: constant(uint256) = 4_160  # of each of them: memory is taken for all
MAX_LEAF_BYTES: constant(uint256) = 16_448
MAX_DEPTH: constant(uint256) = 48
ROOTS_DEPTH: constant(uint256) = 10  # of the tree over the roots that one call posts


revealed_at: public(HashMap[bytes32, uint256])  # key -> time; a claim's own id is the key of its trace
trace_root: public(HashMap[bytes32, bytes32])  # claim id -> root of the tree over the roots of its values


# ------------------------------------------------------------------ operator or its hot key
@external
def post_trace(_claim: IDisputeGame.Claim, _roots: DynArray[bytes32, MAX_HASHES]):
    """
    @notice Commits the operator to every number it made for one sequence. Nothing can be taken back.
    @dev The operator of the claim or its hot key, once for each claim.
    @param _claim The claim, as it was named.
    @param _roots The roots of values 0 … n, or of groups of 2 ** level of them, the least level for which 1,024 suffice.
    """
    claim: IDisputeGame.Claim = _claim
    dispute_cases._check_operator(claim.provider)
    claim_id: bytes32 = dispute_claims._claim_id(claim)
    if self.revealed_at[claim_id] != 0:
        refusal._raise("trace: already posted")
    # Values 0 … n need bits(n) levels above them.
    depth: uint256 = merkle_tree._bits(claim.operators)
    level: uint256 = depth - min(depth, ROOTS_DEPTH)
    if len(_roots) != (claim.operators >> level) + 1:
        refusal._raise("trace: wrong number of roots")
    root: bytes32 = merkle_tree._root_of_hashes(_roots, level, depth - level)
    self.trace_root[claim_id] = root
    self.revealed_at[claim_id] = block.timestamp
    log IDisputeGame.TracePosted(claim_id=claim_id, trace_root=root, roots=_roots)


# ------------------------------------------------------------------ anyone, for the operator
@external
def reveal_items(
    _job_id: uint256,
    _record: bytes32,
    _rows: DynArray[uint256, MAX_HASHES],
    _roots: DynArray[bytes32, MAX_HASHES],
):
    """
    @notice Publishes what an answer consists of.
    @dev Anyone.
    @param _job_id The job.
    @param _record `IJobEscrow.commitment` of the submitted job.
    @param _rows Rows of each item, in order.
    @param _roots Root of each item.
    """
    count: uint256 = len(_rows)
    if count != len(_roots):
        refusal._raise("reveal: rows without roots")
    hashes: DynArray[bytes32, MAX_HASHES] = []
    for i: uint256 in range(count, bound=MAX_HASHES):
        hashes.append(dispute_claims._item_hash(_rows[i], _roots[i]))
    root: bytes32 = merkle_tree._root_of_hashes(hashes, 0, merkle_tree._bits(count - min(count, 1)))
    key: bytes32 = self._items_key(_job_id, _record, dispute_claims._deliverable(count, root), count)
    self._file(key)
    log IDisputeGame.ItemsRevealed(job_id=_job_id, record=_record, key=key, rows=_rows, roots=_roots)


@external
def reveal_tree(
    _claim_id: bytes32, _level: uint256, _depth: uint256, _hashes: DynArray[bytes32, MAX_HASHES]
):
    """
    @notice Publishes nodes of a tree.
    @dev Anyone.
    @param _claim_id The claim.
    @param _level Of the nodes, above the tree's places.
    @param _depth Of the tree's root above the nodes.
    @param _hashes The nodes, free ones left out at the end.
    """
    node: bytes32 = self._fold(_hashes, _level, _depth)
    key: bytes32 = self._key(_claim_id, TREE, node, _level, _depth, 0, 0, len(_hashes))
    self._publish(_claim_id, key, empty(bytes32), _hashes)


@external
def reveal_rows(
    _claim_id: bytes32,
    _level: uint256,
    _depth: uint256,
    _supplement_root: bytes32,
    _hashes: DynArray[bytes32, MAX_HASHES],
):
    """
    @notice Publishes the rows of an operator's output as hashes, or groups of 2 ** level of them.
    @dev Anyone.
    @param _claim_id The claim.
    @param _level Of the hashes, above the rows.
    @param _depth Of the tree over the rows, above the hashes.
    @param _supplement_root Root of the supplement; empty for none.
    @param _hashes The hashes, free ones left out at the end.
    """
    rows: bytes32 = self._fold(_hashes, _level, _depth)
    node: bytes32 = keccak256(abi_encode(rows, _supplement_root))
    has_supplement: uint256 = convert(_supplement_root != empty(bytes32), uint256)
    key: bytes32 = self._key(_claim_id, ROWS, node, _level, _depth, has_supplement, 0, len(_hashes))
    self._publish(_claim_id, key, _supplement_root, _hashes)


@external
def reveal_leaves(
    _claim_id: bytes32,
    _value_sections: uint256,
    _value_leaves: uint256,
    _witness_sections: uint256,
    _witness_leaves: uint256,
    _hashes: DynArray[bytes32, MAX_HASHES],
):
    """
    @notice Publishes the leaf hashes of a row: sections of values one after the other, then those of the witness.
    @dev Anyone.
    @param _claim_id The claim.
    @param _value_sections Sections of values.
    @param _value_leaves Places for leaves in each of them.
    @param _witness_sections Sections of the witness; 0 for none.
    @param _witness_leaves Places for leaves in each of them; 0 for none.
    @param _hashes The hashes, zero where the row ends.
    """
    key: bytes32 = self._leaves_key(
        _claim_id, _value_sections, _value_leaves, _witness_sections, _witness_leaves, _hashes
    )
    self._publish(_claim_id, key, empty(bytes32), _hashes)


@external
def reveal_row(
    _claim_id: bytes32,
    _value_sections: uint256,
    _value_leaves: uint256,
    _witness_sections: uint256,
    _witness_leaves: uint256,
    _leaves: DynArray[Bytes[MAX_ROW_LEAF_BYTES], MAX_ROW_LEAVES],
):
    """
    @notice Publishes a whole row. Answers for its leaf hashes and for each of its leaves.
    @dev Anyone.
    @param _claim_id The claim.
    @param _value_sections Sections of values.
    @param _value_leaves Places for leaves in each of them.
    @param _witness_sections Sections of the witness; 0 for none.
    @param _witness_leaves Places for leaves in each of them; 0 for none.
    @param _leaves The leaves in the same order as their hashes, empty where the row ends.
    """
    hashes: DynArray[bytes32, MAX_HASHES] = []
    for i: uint256 in range(len(_leaves), bound=MAX_ROW_LEAVES):
        hash: bytes32 = empty(bytes32)
        if len(_leaves[i]) != 0:
            hash = self._publish_leaf(_claim_id, _leaves[i])
        hashes.append(hash)
    key: bytes32 = self._leaves_key(
        _claim_id, _value_sections, _value_leaves, _witness_sections, _witness_leaves, hashes
    )
    self._publish(_claim_id, key, empty(bytes32), hashes)


@external
def reveal_leaf(_claim_id: bytes32, _leaf: Bytes[MAX_LEAF_BYTES]):
    """
    @notice Publishes one leaf.
    @dev Anyone.
    @param _claim_id The claim.
    @param _leaf Its bytes.
    """
    self._publish_leaf(_claim_id, _leaf)


# ------------------------------------------------------------------ views
@view
@external
def claim_id_of(_claim: IDisputeGame.Claim) -> bytes32:
    """
    @notice What a claim is called.
    @param _claim The claim.
    @return keccak256(abi_encode(claim)).
    """
    return dispute_claims._claim_id(_claim)


# ------------------------------------------------------------------ internal
@internal
def _file(_key: bytes32):
    """
    @dev The first time counts: a clock that stopped does not start again.
    """
    if self.revealed_at[_key] == 0:
        self.revealed_at[_key] = block.timestamp


@internal
def _publish(
    _claim_id: bytes32, _key: bytes32, _supplement_root: bytes32, _hashes: DynArray[bytes32, MAX_HASHES]
):
    self._file(_key)
    log IDisputeGame.HashesRevealed(
        claim_id=_claim_id, key=_key, supplement_root=_supplement_root, hashes=_hashes
    )


@internal
def _publish_leaf(_claim_id: bytes32, _leaf: Bytes[MAX_LEAF_BYTES]) -> bytes32:
    """
    @dev One event for each leaf: one for all of a row would take a megabyte of memory. Returns the leaf's hash.
    """
    hash: bytes32 = keccak256(keccak256(_leaf))
    key: bytes32 = self._key(_claim_id, LEAF, hash, 0, 0, 0, 0, 0)
    self._file(key)
    log IDisputeGame.LeafRevealed(claim_id=_claim_id, key=key, leaf=_leaf)
    return hash


@pure
@internal
def _key(
    _id: bytes32,
    _form: uint256,
    _node: bytes32,
    _a: uint256,
    _b: uint256,
    _c: uint256,
    _d: uint256,
    _count: uint256,
) -> bytes32:
    return keccak256(abi_encode(_id, _form, _node, _a, _b, _c, _d, _count))


@pure
@internal
def _items_key(_job_id: uint256, _record: bytes32, _deliverable: bytes32, _count: uint256) -> bytes32:
    return self._key(dispute_cases._case_id(_job_id, _record), ITEMS, _deliverable, 0, 0, 0, 0, _count)


@pure
@internal
def _fold(_hashes: DynArray[bytes32, MAX_HASHES], _level: uint256, _depth: uint256) -> bytes32:
    if _level > MAX_DEPTH or _depth > ROOTS_DEPTH:
        refusal._raise("reveal: too deep")
    return merkle_tree._root_of_hashes(_hashes, _level, _depth)


@pure
@internal
def _leaves_key(
    _claim_id: bytes32,
    _value_sections: uint256,
    _value_leaves: uint256,
    _witness_sections: uint256,
    _witness_leaves: uint256,
    _hashes: DynArray[bytes32, MAX_HASHES],
) -> bytes32:
    # None of the four is so large that a product wraps around.
    largest: uint256 = max(max(_value_sections, _value_leaves), max(_witness_sections, _witness_leaves))
    if largest > MAX_HASHES:
        refusal._raise("reveal: too many places")
    value_places: uint256 = _value_sections * _value_leaves
    count: uint256 = value_places + _witness_sections * _witness_leaves
    if value_places == 0 or count != len(_hashes):
        refusal._raise("reveal: wrong number of leaves")
    taken: uint256 = 0
    for hash: bytes32 in _hashes:
        if hash != empty(bytes32):
            taken += 1
    values: bytes32 = self._part(_hashes, 0, _value_sections, _value_leaves)
    witness: bytes32 = empty(bytes32)
    if count != value_places:
        witness = self._part(_hashes, value_places, _witness_sections, _witness_leaves)
    return self._key(
        _claim_id,
        LEAVES,
        keccak256(abi_encode(values, witness)),
        _value_sections,
        _value_leaves,
        _witness_sections,
        _witness_leaves,
        taken,
    )


@pure
@internal
def _part(
    _hashes: DynArray[bytes32, MAX_HASHES], _start: uint256, _sections: uint256, _leaves: uint256
) -> bytes32:
    """
    @dev The tree over sections of the tree over leaves, folded in place.
    """
    nodes: DynArray[bytes32, MAX_HASHES] = _hashes
    # One run for each section, whose root is put where the section's number says, and one over these roots.
    base: uint256 = _start
    for run: uint256 in range(_sections + 1, bound=MAX_HASHES + 1):
        count: uint256 = _leaves
        if run == _sections:
            base = _start
            count = _sections
        free: bytes32 = empty(bytes32)
        for level: uint256 in range(ROOTS_DEPTH):
            if count == 1:
                break
            pairs: uint256 = (count + 1) // 2
            for i: uint256 in range(pairs, bound=MAX_HASHES):
                right: bytes32 = free
                if 2 * i + 1 < count:
                    right = nodes[base + 2 * i + 1]
                nodes[base + i] = keccak256(abi_encode(nodes[base + 2 * i], right))
            count = pairs
            free = keccak256(abi_encode(free, free))
        if run < _sections:
            nodes[_start + run] = nodes[base]
            base += _leaves
    return nodes[_start]
