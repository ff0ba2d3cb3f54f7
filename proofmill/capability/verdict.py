"""What a check says: accepted, or refused for one reason out of a closed list, at the first place that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an answer is refused. The first three are looked at before any content."""

    WRONG_ROOTS = "wrong_roots"  # not one root of 32 bytes for each segment
    WRONG_CELLS = "wrong_cells"  # not exactly the cells that were drawn, once each, in order
    WRONG_LENGTH = "wrong_length"  # a row or a path that is not as long as it must be
    NOT_COMMITTED = "not_committed"  # what is opened is not what the root holds
    WRONG_WORK = "wrong_work"  # the rounds, computed from what is opened, do not end in the committed row
    WRONG_PRODUCT = "wrong_product"  # a whole product that is not the product


@dataclass(frozen=True)
class Verdict:
    """``reason`` is None for an answer that stands; ``detail`` is for people."""

    reason: Reason | None
    detail: str = ""

    @property
    def is_accepted(self) -> bool:
        return self.reason is None


ACCEPTED = Verdict(None)
