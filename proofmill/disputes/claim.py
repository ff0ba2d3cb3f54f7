"""What one dispute is about, as the game has it."""

from __future__ import annotations

from typing import NamedTuple

from proofmill.exact.program.sampling import Sampling

MAP, GENERATION = 1, 2
NO_STOP_TOKEN = (1 << 256) - 1


class DisputedClaim(NamedTuple):
    """``IDisputeGame.Claim``: one sequence of a submitted answer, with everything that a trace of it must fit."""

    job_id: int
    record: bytes
    provider: str
    item: int
    program_root: bytes
    operators: int
    length: int  # T of the trace
    inverse_temperature: int
    seed: int
    kind: int
    prompt_rows: int
    prompt_root: bytes
    answer_rows: int
    answer_root: bytes
    maximum_new_tokens: int
    stop_token: int

    @property
    def sampling(self) -> Sampling | None:
        """How tokens are drawn; None for greedily."""
        return Sampling(self.inverse_temperature, self.seed) if self.inverse_temperature else None

    @property
    def first_answer_row(self) -> int:
        """Row of the last value that is row 0 of the answer."""
        return self.prompt_rows - 1 if self.kind == GENERATION else 0
