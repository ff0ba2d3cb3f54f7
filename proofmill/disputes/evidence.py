"""Evidence as the contracts take it: arguments of ``IStepVerifier.violates`` and ``IOpVerifier.violates``, as plain tuples.

Structs are tuples in the order of their fields, hashes ``bytes`` of 32, as both titanoboa and web3 take them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from eth_abi.abi import encode

from proofmill.exact.commitment.descriptor import OperatorDescriptor, ProgramTree
from proofmill.exact.commitment.keccak import DIGEST_BYTES, hash_leaf
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree
from proofmill.exact.program.kinds import KINDS
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.evidence import Claim, Evidence

#: Checks of a step by number, as ``IStepVerifier.Step.check`` has them.
CHECKS: Final = (
    "form",
    "witness_form",
    "supplement_form",
    "element",
    "maximum",
    "greater",
    "column",
    "sum",
    "square",
    "scalars",
    "running",
    "exponent",
    "greater_exponent",
    "reciprocal",
)
CHECK_NUMBERS: Final[Mapping[str, int]] = {name: number for number, name in enumerate(CHECKS)}

StepTuple = tuple[int, int, int, int, int]
OpeningTuple = tuple[bytes, list[bytes]]

_CONTEXT: Final = "(uint256,uint256,uint256,bytes32,bytes32,uint256,bytes32,uint256,bytes32)"
_STEP: Final = "(uint256,uint256,uint256,uint256,uint256)"
_ARGUMENTS: Final = (_CONTEXT, _STEP, "bytes", "(bytes,bytes32[])[]")
_CONTEXT_BYTES: Final = 9 * 32


class Context(NamedTuple):
    """``IStepVerifier.Context``: what is agreed before a step."""

    length: int
    inverse_temperature: int  # 0: greedy
    seed: int
    descriptor_hash: bytes
    output_root: bytes
    first_number: int
    first_root: bytes
    second_number: int  # 0 and 32 zero bytes for an operator of one input
    second_root: bytes


class Arguments(NamedTuple):
    """Of ``IStepVerifier.violates``."""

    context: Context
    step: StepTuple
    descriptor: bytes
    openings: list[OpeningTuple]


class TraceTuple(NamedTuple):
    """``IOpVerifier.Trace``: whose trace."""

    program_root: bytes
    operators: int
    trace_root: bytes
    length: int
    inverse_temperature: int
    seed: int


class Accusation(NamedTuple):
    """``IOpVerifier.Accusation``: which operator, with its values opened against the root of the trace."""

    kind: int
    number: int
    descriptor_hash: bytes
    descriptor_path: list[bytes]
    output_root: bytes
    output_path: list[bytes]
    first_number: int
    first_root: bytes
    first_path: list[bytes]
    second_number: int
    second_root: bytes
    second_path: list[bytes]


def step_tuple(step: Step) -> StepTuple:
    """``IStepVerifier.Step``."""
    return CHECK_NUMBERS[step.name], step.row, step.section, step.index, step.other


def context(claim: Claim, evidence: Evidence) -> Context:
    """What ``IOpVerifier`` hands to the verifier of the operator's kind."""
    operator = OperatorDescriptor.decode(evidence.descriptor.data)
    numbers = [value.number for value in operator.inputs]
    inputs = [(number, claim.roots[number]) for number in numbers] + [(0, EMPTY)] * (2 - len(numbers))
    (first_number, first_root), (second_number, second_root) = inputs
    return Context(
        claim.length,
        *_drawing(claim.sampling),
        hash_leaf(evidence.descriptor.data),
        claim.roots[evidence.number],
        first_number,
        first_root,
        second_number,
        second_root,
    )


def call_arguments(claim: Claim, evidence: Evidence) -> Arguments:
    """The arguments of ``IStepVerifier.violates``."""
    openings = [(opening.data, list(opening.path)) for opening in evidence.openings]
    return Arguments(context(claim, evidence), step_tuple(evidence.step), evidence.descriptor.data, openings)


def evidence_tail(claim: Claim, evidence: Evidence) -> bytes:
    """``_evidence`` of ``IOpVerifier.violates``: what follows the selector and the context in the calldata of a step."""
    return tail_of(call_arguments(claim, evidence))


def tail_of(arguments: Arguments) -> bytes:
    """The ABI encoding of the arguments without the context; offsets count from the context's first word."""
    return encode(_ARGUMENTS, arguments)[_CONTEXT_BYTES:]


def values_tree(roots: Sequence[bytes]) -> MerkleTree:
    """The tree over the roots of values 0, 1, …, whose root is that of the trace."""
    return MerkleTree(np.frombuffer(b"".join(roots), dtype=np.uint8).reshape(-1, DIGEST_BYTES))


def trace_tuple(claim: Claim) -> TraceTuple:
    """``IOpVerifier.Trace``."""
    trace_root = values_tree(claim.roots).root
    operators = len(claim.roots) - 1
    return TraceTuple(claim.program_root, operators, trace_root, claim.length, *_drawing(claim.sampling))


def accusation(number: int, roots: Sequence[bytes], program: ProgramTree) -> Accusation:
    """That operator ``number``, from 1, of a trace is wrong; ``roots`` are those of all values, from 0."""
    operator, tree = program.descriptors[number - 1], values_tree(roots)
    descriptor = program.open(number)
    inputs: list[tuple[int, bytes, list[bytes]]] = [
        (value.number, roots[value.number], list(tree.path(value.number))) for value in operator.inputs
    ]
    first, second = [*inputs, (0, EMPTY, [])][:2]
    return Accusation(
        KINDS[operator.kind].code,
        number,
        hash_leaf(descriptor.data),
        list(descriptor.path),
        roots[number],
        list(tree.path(number)),
        *first,
        *second,
    )


def _drawing(sampling: Sampling | None) -> tuple[int, int]:
    return (0, 0) if sampling is None else (sampling.inverse_temperature, sampling.seed)
