"""The challenge of speed of :mod:`proofmill.capability` as sessions see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eth_typing import ChecksumAddress

from oracle.measuring.device_challenge import ChallengeSize
from proofmill.capability.checker import check_cells
from proofmill.capability.parameters import Parameters
from proofmill.capability.proof import IllFormedProof, decode_openings, most_opening_bytes
from proofmill.capability.seeds import Binding, Nonce
from proofmill.capability.sizes import CLASSES, DeviceClass

PROCESSOR: Final = "processor"  # how the names of sizes for class 0 begin
#: Processors differ by two orders of magnitude and have one size; a card that takes so much longer asked for the wrong one.
LONGEST_PROCESSOR_SECONDS: Final = 60.0
LONGEST_CARD_SECONDS: Final = 10.0


class SpeedChallenge:
    """Checks are made on this machine's processor."""

    def __init__(self, chain_id: int, cells: int, classes: Sequence[DeviceClass] = CLASSES) -> None:
        self._chain_id, self._cells = chain_id, cells
        self._classes = {found.name: found for found in classes}

    def size(self, name: str) -> ChallengeSize | None:
        found = self._classes.get(name)
        if found is None:
            return None
        parameters = self._parameters(found)
        is_processor = name.startswith(PROCESSOR)
        return ChallengeSize(
            name=name,
            device_class=0 if is_processor else 1,
            operations=parameters.operations,
            memory_bytes=2 * parameters.size**2,  # B and one state; the rest can be computed again
            segments=parameters.segments,
            deadline_seconds=LONGEST_PROCESSOR_SECONDS if is_processor else LONGEST_CARD_SECONDS,
            largest_proof_bytes=most_opening_bytes(parameters),
        )

    def seed(
        self,
        beacon: bytes,
        operator: ChecksumAddress,
        device_id: bytes,
        size: str,
        nonces: Sequence[tuple[int, bytes]],
    ) -> bytes:
        drawn = tuple(Nonce(member, value) for member, value in nonces)
        binding = Binding(self._chain_id, beacon, bytes.fromhex(operator[2:]), device_id, drawn)
        return binding.seed(self._parameters(self._classes[size]))

    def problem_with(
        self, size: str, seed: bytes, roots: Sequence[bytes], sample: bytes, proof: bytes
    ) -> str | None:
        parameters = self._parameters(self._classes[size])
        try:
            openings = decode_openings(proof, parameters)
        except IllFormedProof as error:
            return str(error)
        verdict = check_cells(seed, parameters, roots, sample, openings)
        return None if verdict.is_accepted else f"{verdict.reason}: {verdict.detail}"

    def _parameters(self, found: DeviceClass) -> Parameters:
        usual = found.parameters
        return Parameters(usual.size, usual.rounds, self._cells)
