"""Why a limit is missed, from the figures: what cannot be less however the contracts are written is told with its arithmetic."""

from __future__ import annotations

from typing import Final

Figures = dict[str, int]

BASE_GAS: Final = 21_000
OUTPUT_LEAF_BYTES: Final = 1_024  # 256 integers of four bytes
HEADER_BYTES: Final = 32  # before an operand's digits, and after a channel's


def floor_reason(figures: Figures, most: int) -> str | None:
    """None if the calldata would fit the limit, so that the contracts are what is too dear."""
    if figures["floor"] <= most:
        return None
    beyond = figures["gas"] - figures["floor"]
    contracts = f"the contracts use {figures['execution']:,}"
    if beyond > 0:
        contracts += f", which is {beyond:,} beyond that and all that they could save"
    return (
        f"calldata alone: 21,000 + 10 · {figures['zero bytes']:,} + 40 · {figures['other bytes']:,} = {figures['floor']:,} by"
        f" EIP-7623; {contracts}; at 4 and 16 gas a byte it would be {figures['at 4 and 16 a byte']:,}"
    )


def least_of_linear(columns: int) -> int:
    """The floor of a linear step of K columns with no path, no descriptor and no claim: three leaves without a zero byte."""
    return BASE_GAS + 40 * (3 * columns + OUTPUT_LEAF_BYTES + 2 * HEADER_BYTES)
