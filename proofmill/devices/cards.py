"""Kinds of cards and what none of them can exceed, from NVIDIA's data sheets: int8 without sparsity, power of the board.

The bands are wide on purpose. They tell a card from another class, not a good cooler from a bad one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

TERA: Final = 1e12
GIBI: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class CardClass:
    """One kind of card.

    Attributes:
        name: of the class.
        pattern: what the product names of its cards match.
        compute_capability: major and minor.
        memory_gib: nominal sizes that are sold.
        peak: int8 operations per second, a multiply-add counted as two.
        board_watts: the most that its power limit can be set to.
    """

    name: str
    pattern: str
    compute_capability: tuple[int, int]
    memory_gib: tuple[int, ...]
    peak: float
    board_watts: float


# The first that matches counts, so the more special come first.
CARD_CLASSES: Final = (
    CardClass("H200 NVL", r"\bH200 NVL\b", (9, 0), (141,), 1_671 * TERA, 600),
    CardClass("H200", r"\bH200\b", (9, 0), (141,), 1_979 * TERA, 700),
    CardClass("H100 NVL", r"\bH100 NVL\b", (9, 0), (94,), 1_671 * TERA, 400),
    CardClass("H100 PCIe", r"\bH100 PCIe\b", (9, 0), (80,), 1_513 * TERA, 350),
    CardClass("H100", r"\bH100\b", (9, 0), (64, 80, 94, 96), 1_979 * TERA, 700),
    CardClass("A100", r"\bA100\b", (8, 0), (40, 80), 624 * TERA, 500),
    CardClass("A30", r"\bA30\b", (8, 0), (24,), 330 * TERA, 165),
    CardClass("A10", r"\bA10\b", (8, 6), (24,), 250 * TERA, 150),
    CardClass("L40S", r"\bL40S\b", (8, 9), (48,), 733 * TERA, 350),
    CardClass("L4", r"\bL4\b", (8, 9), (24,), 242 * TERA, 72),
    CardClass("T4", r"\bT4\b", (7, 5), (16,), 130 * TERA, 70),
    CardClass("V100", r"\bV100", (7, 0), (16, 32), 63 * TERA, 300),
    CardClass("RTX 4090", r"\bRTX 4090\b(?! (D|Laptop))", (8, 9), (24,), 661 * TERA, 600),
    CardClass("RTX 3090", r"\bRTX 3090\b(?! Ti)", (8, 6), (24,), 284 * TERA, 420),
)


def class_of(name: str | None) -> CardClass | None:
    """The class that a product's name claims; None for cards without bands."""
    if name is None:
        return None
    return next((card for card in CARD_CLASSES if re.search(card.pattern, name, re.IGNORECASE)), None)
