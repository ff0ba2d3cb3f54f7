"""A challenge of one's own device, without chain or committee: the prover against the checker, each with its time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from proofmill.capability.cells import draw_cells
from proofmill.capability.checker import check_cells
from proofmill.capability.commitment import commitment_of
from proofmill.capability.parameters import Parameters
from proofmill.capability.proof import Opening, decode_openings, encode_openings
from proofmill.capability.prover import Prover
from proofmill.capability.score import operations_per_second
from proofmill.capability.sizes import class_by_speed

Value = TypeVar("Value")
SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What came of it. Times are seconds; ``refusal`` is empty where the checker took the proof."""

    device: str
    size: int
    rounds: int
    cells: int
    operations: int
    operations_per_second: int
    device_class: str  # the fastest whose speed it reaches
    preparation_seconds: float
    work_seconds: float
    opening_seconds: float
    proof_bytes: int
    checking_seconds: float
    refusal: str
    forgery_refusal: str  # empty where the checker took a proof with one bit turned: then it checks nothing

    @property
    def is_passed(self) -> bool:
        """Whether the right proof was taken and the forged one refused."""
        return not self.refusal and bool(self.forgery_refusal)


def run_self_test(parameters: Parameters, device: str = "cpu") -> SelfTest:
    """Do a challenge on `device`, then check it on the processor as a member would.

    Seeds and samples come from this machine, so the result convinces nobody else.

    Raises:
        DeviceUnfit: the device has no exact arithmetic, or too little memory.
    """
    seed, beacon = secrets.token_bytes(SEED_BYTES), secrets.token_bytes(SEED_BYTES)
    prover, preparation = _timed(lambda: Prover(seed, parameters, device))
    roots, work = _timed(prover.run)
    cells = draw_cells(seed, commitment_of(roots), beacon, parameters)
    openings, opening = _timed(lambda: prover.open(cells))
    proof = encode_openings(openings)
    received = decode_openings(proof, parameters)
    verdict, checking = _timed(lambda: check_cells(seed, parameters, roots, beacon, received))
    forged = check_cells(seed, parameters, roots, beacon, (_forge(received[0]), *received[1:]))
    speed = operations_per_second(parameters.operations, max(1, round(work * 10**9)), [])
    return SelfTest(
        device=device,
        size=parameters.size,
        rounds=parameters.rounds,
        cells=parameters.cells,
        operations=parameters.operations,
        operations_per_second=speed,
        device_class=class_by_speed(speed).name,
        preparation_seconds=preparation,
        work_seconds=work,
        opening_seconds=opening,
        proof_bytes=len(proof),
        checking_seconds=checking,
        refusal="" if verdict.is_accepted else f"{verdict.reason}: {verdict.detail}",
        forgery_refusal="" if forged.is_accepted else str(forged.reason),
    )


def _forge(opening: Opening) -> Opening:
    """The same with one bit of its last hash turned."""
    path = bytearray(opening.end_path)
    path[-1] ^= 1
    return replace(opening, end_path=bytes(path))


def _timed(act: Callable[[], Value]) -> tuple[Value, float]:
    started = time.perf_counter()
    found = act()
    return found, time.perf_counter() - started
