"""The bytes of an answer: roots before the deadline, openings after the draw; deterministic CBOR, one version, bounded.

Reading never reserves more than the bytes that came: their number is bounded by the challenge's parameters and looked at before
anything else, and a length inside them that exceeds what is left is refused where it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from proofmill.capability.cells import Cell
from proofmill.capability.commitment import DIGEST_BYTES, path_length
from proofmill.capability.errors import CapabilityError
from proofmill.capability.parameters import MemoryParameters, Parameters
from proofmill.jobs.canonical_cbor import NotCanonical, Value, decode, encode

VERSION: Final = 1
_ROOTS, _OPENINGS, _WALK_ROOT, _STEPS = "roots", "openings", "walk", "steps"
#: CBOR's own bytes in a message, and around each opening, at most.
_FRAME: Final = 64
_OPENING_FRAME: Final = 40


class IllFormedProof(CapabilityError, ValueError):
    """Bytes that are no message of this challenge; ``code`` is ``too_large``, ``ill_formed`` or ``wrong_version``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, remedy="Encode the answer with proofmill.capability.proof of this version.")
        self.code = code


@dataclass(frozen=True)
class Opening:
    """A cell's start row and the ways of start and end to their roots; the end row is what the checker computes.

    In segment 0 the start is a row of A: ``start`` and ``start_path`` are empty.
    """

    cell: Cell
    start: bytes
    start_path: bytes
    end_path: bytes


@dataclass(frozen=True)
class StepOpening:
    """The state before one step of a walk, and the ways of it and of the state after it to the root.

    Before step 0 the state follows from the seed: ``state`` is empty.
    """

    step: int
    state: bytes
    start_path: bytes
    end_path: bytes


def encode_roots(roots: Sequence[bytes]) -> bytes:
    """Roots of a challenge of speed, in order."""
    return encode({"kind": _ROOTS, "version": VERSION, "roots": b"".join(roots)})


def decode_roots(data: bytes, parameters: Parameters) -> tuple[bytes, ...]:
    """The roots in a message, exactly as many as the challenge has segments.

    Raises:
        IllFormedProof: the bytes are not that.
    """
    length = parameters.segments * DIGEST_BYTES
    (joined,) = _fields(data, _ROOTS, {"roots": bytes}, _FRAME + length, 7)
    assert isinstance(joined, bytes)
    if len(joined) != length:
        raise IllFormedProof(
            "ill_formed", f"{len(joined)} bytes of roots; {parameters.segments} roots are {length}"
        )
    return tuple(joined[start : start + DIGEST_BYTES] for start in range(0, length, DIGEST_BYTES))


def encode_openings(openings: Sequence[Opening]) -> bytes:
    """Openings of cells, as they are; whether they are the right ones is for the checker."""
    return encode(
        {
            "kind": _OPENINGS,
            "version": VERSION,
            "openings": [
                [opening.cell.segment, opening.cell.row, opening.start, opening.start_path, opening.end_path]
                for opening in openings
            ],
        }
    )


def most_opening_bytes(parameters: Parameters) -> int:
    """The longest message of openings that is read at all."""
    path = path_length(0, parameters.size)
    return _FRAME + parameters.cells * (_OPENING_FRAME + parameters.size + 2 * path)


def decode_openings(data: bytes, parameters: Parameters) -> tuple[Opening, ...]:
    """The openings in a message, at most as many as cells are drawn.

    Raises:
        IllFormedProof: the bytes are not that.
    """
    values = 7 + 6 * parameters.cells
    (found,) = _fields(data, _OPENINGS, {"openings": list}, most_opening_bytes(parameters), values)
    return tuple(
        Opening(Cell(segment, row), start, start_path, end_path)
        for segment, row, start, start_path, end_path in _tuples(found, 2)
    )


def encode_walk_root(root: bytes) -> bytes:
    """The root over the states of a walk."""
    return encode({"kind": _WALK_ROOT, "version": VERSION, "root": root})


def decode_walk_root(data: bytes) -> bytes:
    """The root in a message.

    Raises:
        IllFormedProof: the bytes are not that.
    """
    (root,) = _fields(data, _WALK_ROOT, {"root": bytes}, _FRAME + DIGEST_BYTES, 7)
    assert isinstance(root, bytes)
    if len(root) != DIGEST_BYTES:
        raise IllFormedProof("ill_formed", f"a root of {len(root)} bytes; it has {DIGEST_BYTES}")
    return root


def encode_steps(openings: Sequence[StepOpening]) -> bytes:
    """Openings of steps of a walk."""
    return encode(
        {
            "kind": _STEPS,
            "version": VERSION,
            "openings": [[one.step, one.state, one.start_path, one.end_path] for one in openings],
        }
    )


def most_step_bytes(parameters: MemoryParameters) -> int:
    """The longest message of steps that is read at all."""
    path = path_length(0, parameters.steps + 1)
    state = parameters.state_rows * parameters.size
    return _FRAME + parameters.samples * (_OPENING_FRAME + state + 2 * path)


def decode_steps(data: bytes, parameters: MemoryParameters) -> tuple[StepOpening, ...]:
    """The opened steps in a message, at most as many as are drawn.

    Raises:
        IllFormedProof: the bytes are not that.
    """
    values = 7 + 5 * parameters.samples
    (found,) = _fields(data, _STEPS, {"openings": list}, most_step_bytes(parameters), values)
    return tuple(
        StepOpening(step, state, start_path, end_path)
        for step, state, start_path, end_path in _tuples(found, 1)
    )


def _fields(data: bytes, kind: str, types: dict[str, type], most_bytes: int, most_values: int) -> list[Value]:
    """The values of a message's own fields, in the order of ``types``."""
    if len(data) > most_bytes:
        raise IllFormedProof(
            "too_large", f"{len(data):,} bytes; {kind} of this challenge have {most_bytes:,} at most"
        )
    try:
        message = decode(data, maximum_values=most_values)
    except NotCanonical as error:
        raise IllFormedProof("ill_formed", f"{kind}: {error}") from error
    if not isinstance(message, dict) or message.get("kind") != kind:
        raise IllFormedProof("ill_formed", f"not a message of {kind}")
    if message.get("version") != VERSION:
        raise IllFormedProof(
            "wrong_version", f"{kind} of version {message.get('version')!r}; this is {VERSION}"
        )
    if set(message) != {"kind", "version", *types}:
        raise IllFormedProof("ill_formed", f"{kind} with fields {sorted(message)}")
    for name, expected in types.items():
        if type(message[name]) is not expected:
            raise IllFormedProof("ill_formed", f"{kind}: {name} is no {expected.__name__}")
    return [message[name] for name in types]


def _tuples(found: Value, numbers: int) -> list[tuple[Any, ...]]:
    """Each entry as ``numbers`` integers followed by three byte strings."""
    assert isinstance(found, list)
    shape = [int] * numbers + [bytes] * 3
    rows: list[tuple[Any, ...]] = []
    for place, entry in enumerate(found):
        if not isinstance(entry, list) or [type(value) for value in entry] != shape:
            raise IllFormedProof("ill_formed", f"opening {place} is not made of numbers, then byte strings")
        rows.append(tuple(entry))
    return rows
