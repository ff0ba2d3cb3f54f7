# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Merkle trees of a trace
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 1. A tree over n hashes has depth bits(n - 1), its free places hold 32 zero bytes, a node
     is keccak256(left ‖ right), a leaf of data x is keccak256(keccak256(x)): a leaf cannot be mistaken for a node.
"""

MAX_DEPTH: constant(uint256) = 48
MAX_HASHES: constant(uint256) = 1024  # that a tree is built from in one call


@pure
@internal
def _bits(_value: uint256) -> uint256:
    """
    @dev Length in binary; 0 for 0.
    """
    rest: uint256 = _value
    length: uint256 = 0
    for step: uint256 in [128, 64, 32, 16, 8, 4, 2, 1]:
        if rest >> step != 0:
            rest = rest >> step
            length = unsafe_add(length, step)
    return unsafe_add(length, rest)


@pure
@internal
def _root_of_path(_node: bytes32, _index: uint256, _path: DynArray[bytes32, MAX_DEPTH]) -> bytes32:
    """
    @dev The root that a node leads to. Bit l of the index says whether the node at level l is a right child; bits above the
         path's length are not looked at: the caller has compared length and index with the shape.
    """
    node: bytes32 = _node
    index: uint256 = _index
    for sibling: bytes32 in _path:
        if index & 1 == 0:
            node = keccak256(abi_encode(node, sibling))
        else:
            node = keccak256(abi_encode(sibling, node))
        index = index >> 1
    return node


@pure
@internal
def _root_of_hashes(
    _hashes: DynArray[bytes32, MAX_HASHES], _level: uint256, _depth: uint256
) -> bytes32:
    """
    @dev The root of a tree of depth `_level + _depth` of which `_hashes` are the first nodes at a level above its places; what
         comes after them is free. They must fit: 1 <= len <= 2^depth.
    """
    nodes: DynArray[bytes32, MAX_HASHES] = _hashes
    count: uint256 = len(_hashes)
    free: bytes32 = empty(bytes32)  # an empty subtree of the present level
    for level: uint256 in range(_level, bound=MAX_DEPTH):
        free = keccak256(abi_encode(free, free))
    for level: uint256 in range(_depth, bound=MAX_DEPTH):
        pairs: uint256 = unsafe_add(count, 1) >> 1
        for i: uint256 in range(pairs, bound=MAX_HASHES):
            left: uint256 = i << 1
            if unsafe_add(left, 1) < count:
                nodes[i] = keccak256(abi_encode(nodes[left], nodes[unsafe_add(left, 1)]))
            else:
                nodes[i] = keccak256(abi_encode(nodes[left], free))
        count = pairs
        free = keccak256(abi_encode(free, free))
    assert count == 1, "tree: too many hashes"
    return nodes[0]
