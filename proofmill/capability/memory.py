"""The memory-filling variant: generated blocks fill what is claimed, and each step reads the block that the state names.

Step t multiplies a state of few rows by block number ``name(digests of the state) mod K`` and mixes; which block comes next is
known only when this one has been read. Blocks are generated with ``passes`` rounds of mixing for each word, so that making a
block again costs more than the product over it: who keeps a share φ of the blocks pays 1 + (1 − φ)·c for a step, c the ratio
that ``bench.capability`` measures.

Filling and walking have seeds of their own. The walk's is drawn when the prover says that it has filled its memory, so the
clock of the walk contains no honest generating.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from proofmill.capability.arithmetic import Carrier, choose_carrier
from proofmill.capability.cells import draw_steps
from proofmill.capability.chain import requantise_into
from proofmill.capability.commitment import (
    DIGEST_BYTES,
    RowDigests,
    Tree,
    commitment_of,
    path_length,
    root_of_path,
)
from proofmill.capability.errors import DeviceUnfit, InvalidChallenge
from proofmill.capability.generator import (
    GOLDEN_STEP,
    fill_words,
    generate_matrix,
    mix_words,
    signed,
    words_at,
)
from proofmill.capability.parameters import MemoryParameters
from proofmill.capability.proof import StepOpening
from proofmill.capability.seeds import Key, derive_key
from proofmill.capability.verdict import ACCEPTED, Reason, Verdict

#: Steps between two states that the prover keeps, to compute opened ones again from.
CHECKPOINT_STEPS: Final = 64
_STATE: Final = b"\x03"


class Walk:
    """What both sides compute of a walk: its first state, the name of a block, and a step."""

    def __init__(
        self,
        fill_seed: bytes,
        walk_seed: bytes,
        parameters: MemoryParameters,
        carrier: Carrier,
        device: torch.device,
    ) -> None:
        self.parameters = parameters
        self.device = device
        self._carrier = carrier
        self._fill_seed = fill_seed
        self._state_key = derive_key(walk_seed, "state")
        self._mix_key = derive_key(walk_seed, "mix")
        self._digests = RowDigests(derive_key(walk_seed, "digest"), parameters.words, device)
        self._rows = torch.arange(parameters.state_rows, dtype=torch.int64, device=device)
        self._offsets = (self._rows + 1) * signed(GOLDEN_STEP)

    def block_key(self, block: int) -> Key:
        """The generator's key of one block."""
        return derive_key(self._fill_seed, "block", block)

    def generate_block(self, block: int) -> Tensor:
        """One block, int8 [n, n], transposed as B is in a challenge of speed."""
        size = self.parameters.size
        return generate_matrix(self.block_key(block), size, size, self.device, self.parameters.passes)

    def first_state(self) -> Tensor:
        """int8 [state_rows, n]."""
        return generate_matrix(self._state_key, self.parameters.state_rows, self.parameters.size, self.device)

    def digests(self, state: Tensor) -> Tensor:
        """int64 [state_rows, 4]."""
        return self._digests.compute(state)

    def name(self, digests: Tensor) -> Tensor:
        """The block that a state names, int64 [1]: Σ mix(lane 0 + (i + 1)·γ), halved, mod K. Nothing waits for the device."""
        z = digests[:, 0] + self._offsets
        mix_words(z, torch.empty_like(z), 0)
        half = z.sum(0, keepdim=True).bitwise_right_shift_(1).bitwise_and_((1 << 63) - 1)
        return half.remainder_(self.parameters.blocks)

    def masks(self, first: int, count: int) -> Tensor:
        """mix(step, row) of ``count`` steps, int64 [count, state_rows]."""
        steps = torch.arange(first, first + count, dtype=torch.int64, device=self.device)
        return words_at(self._mix_key, (steps << 32).view(-1, 1) + self._rows)

    def step(self, state: Tensor, block: Tensor, masks: Tensor) -> Tensor:
        """The state after a step with these masks, int64 [state_rows]: requantise(S·block) ⊕ mix(step, row)."""
        following = torch.empty_like(state)
        requantise_into(self._carrier.multiply(state, block), masks, following)
        return following


def state_leaves(digests: Tensor) -> list[bytes]:
    """One leaf for each state: a hash over the digests of its rows; int64 [count, state_rows, 4]."""
    data = digests.contiguous().cpu().numpy().tobytes()
    width = digests.shape[1] * DIGEST_BYTES
    return [
        hashlib.sha256(_STATE + data[start : start + width]).digest() for start in range(0, len(data), width)
    ]


class MemoryProver:
    """A challenge of memory on one device: :meth:`fill`, then :meth:`walk` once its seed is known, then :meth:`open`.

    Raises:
        DeviceUnfit: no exact arithmetic, or less free memory than is claimed; nothing has been reserved then.
    """

    def __init__(
        self, fill_seed: bytes, parameters: MemoryParameters, device: str = "cpu", carrier: str | None = None
    ) -> None:
        self.parameters = parameters
        self._fill_seed = fill_seed
        self._device = torch.device(device)
        self._carrier = choose_carrier(device, carrier)
        free = _free_bytes(self._device)
        if free < parameters.memory_bytes:
            raise DeviceUnfit(
                f"{device} has {free:,} bytes free; the claim is {parameters.memory_bytes:,}",
                remedy="Claim less memory, or stop other work on this device.",
            )
        self._blocks: Tensor | None = None
        self._walk: Walk | None = None
        self._tree: Tree | None = None
        self._checkpoints: list[Tensor] = []

    def fill(self) -> None:
        """Generate every block into memory."""
        parameters = self.parameters
        with torch.inference_mode():
            shape = (parameters.blocks, parameters.size, parameters.size)
            self._blocks = torch.empty(shape, dtype=torch.int8, device=self._device)
            for block in range(parameters.blocks):
                words = self._blocks[block].view(torch.int64).view(-1)
                fill_words(derive_key(self._fill_seed, "block", block), words, passes=parameters.passes)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)

    def walk(self, walk_seed: bytes) -> bytes:
        """Walk all steps and return the root over all states, the first and the last included.

        Raises:
            InvalidChallenge: the memory has not been filled.
        """
        if self._blocks is None:
            raise InvalidChallenge("the memory is empty", remedy="Call fill() before walk().")
        parameters = self.parameters
        with torch.inference_mode():
            walk = Walk(self._fill_seed, walk_seed, parameters, self._carrier, self._device)
            state = walk.first_state()
            shape = (parameters.steps + 1, parameters.state_rows, 4)
            digests = torch.empty(shape, dtype=torch.int64, device=self._device)
            digests[0] = walk.digests(state)
            self._checkpoints = []
            for step in range(parameters.steps):
                offset = step % CHECKPOINT_STEPS
                if offset == 0:
                    self._checkpoints.append(state)
                    masks = walk.masks(step, CHECKPOINT_STEPS)
                state = walk.step(state, self._read(walk.name(digests[step])), masks[offset])
                digests[step + 1] = walk.digests(state)
            leaves = state_leaves(digests)
        self._walk, self._tree = walk, Tree(leaves)
        return self._tree.root

    def _read(self, name: Tensor) -> Tensor:
        assert self._blocks is not None
        if self._device.type == "cpu":
            return self._blocks[int(name)]
        # Selected on the device: asking for the number would cost more than reading the block.
        return self._blocks.index_select(0, name)[0]

    def open(self, steps: Sequence[int]) -> tuple[StepOpening, ...]:
        """Openings of these steps, in the order given.

        Raises:
            InvalidChallenge: there has been no walk, or a step is not of it.
        """
        if self._walk is None or self._tree is None or not all(0 <= s < self.parameters.steps for s in steps):
            raise InvalidChallenge(
                f"steps {list(steps)} of no walk", remedy="Walk, then open the steps that are drawn."
            )
        return tuple(
            StepOpening(
                step,
                self._state_before(step) if step else b"",
                self._tree.path(step) if step else b"",
                self._tree.path(step + 1),
            )
            for step in steps
        )

    def _state_before(self, step: int) -> bytes:
        assert self._walk is not None
        with torch.inference_mode():
            first = step - step % CHECKPOINT_STEPS
            state = self._checkpoints[first // CHECKPOINT_STEPS]
            for masks in self._walk.masks(first, step - first):
                block = self._read(self._walk.name(self._walk.digests(state)))
                state = self._walk.step(state, block, masks)
            return state.cpu().numpy().tobytes()


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            fields = dict(line.split(":", 1) for line in lines)
    except FileNotFoundError:  # not Linux: all there is, as nothing says how much of it is free
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(fields["MemAvailable"].split()[0]) * 1024


def check_steps(
    fill_seed: bytes,
    walk_seed: bytes,
    parameters: MemoryParameters,
    root: bytes,
    beacon: bytes,
    openings: Sequence[StepOpening],
    *,
    device: str = "cpu",
    carrier: str | None = None,
) -> Verdict:
    """Whether the openings are those of the steps that ``beacon`` drew for this root, and every step was computed.

    One block is generated at a time: the check needs one block's memory, whatever is claimed.

    Raises:
        DeviceUnfit: this machine has no exact arithmetic.
        InvalidChallenge: a seed or the beacon is not 32 bytes.
    """
    if len(root) != DIGEST_BYTES:
        return Verdict(Reason.WRONG_ROOTS, f"a root of {len(root)} bytes")
    drawn = draw_steps(walk_seed, commitment_of([root]), beacon, parameters)
    if tuple(opening.step for opening in openings) != drawn:
        return Verdict(
            Reason.WRONG_CELLS, f"{len(openings)} openings are not the {len(drawn)} steps drawn, in order"
        )
    leaves = parameters.steps + 1
    for opening in openings:
        before = opening.step > 0
        expected = (
            parameters.state_rows * parameters.size if before else 0,
            path_length(opening.step, leaves) if before else 0,
            path_length(opening.step + 1, leaves),
        )
        found = (len(opening.state), len(opening.start_path), len(opening.end_path))
        if found != expected:
            return Verdict(Reason.WRONG_LENGTH, f"step {opening.step}: lengths {found}, expected {expected}")
    with torch.inference_mode():
        walk = Walk(fill_seed, walk_seed, parameters, choose_carrier(device, carrier), torch.device(device))
        for opening in openings:
            verdict = _check_step(walk, root, opening)
            if not verdict.is_accepted:
                return verdict
    return ACCEPTED


def _check_step(walk: Walk, root: bytes, opening: StepOpening) -> Verdict:
    parameters, step = walk.parameters, opening.step
    leaves = parameters.steps + 1
    if step == 0:
        state = walk.first_state()
    else:
        flat = torch.frombuffer(bytearray(opening.state), dtype=torch.int8).to(walk.device)
        state = flat.view(parameters.state_rows, parameters.size)
    digests = walk.digests(state)
    if step > 0 and root_of_path(state_leaves(digests[None])[0], step, leaves, opening.start_path) != root:
        return Verdict(Reason.NOT_COMMITTED, f"step {step}: the state before it is not in the root")
    block = walk.generate_block(int(walk.name(digests)))
    end = state_leaves(walk.digests(walk.step(state, block, walk.masks(step, 1)[0]))[None])[0]
    if root_of_path(end, step + 1, leaves, opening.end_path) != root:
        return Verdict(Reason.WRONG_WORK, f"step {step} does not end in the state committed")
    return ACCEPTED
