"""Write contracts/modules/{phi,sigma}_table.vy: tables of functions in the bytecode, from those that the arithmetic is pinned to.

A test compares the files with what this would write.
"""

from dataclasses import dataclass
from pathlib import Path

from proofmill.exact.tables import (
    PHI_LIMIT,
    PHI_STEP_BITS,
    PHI_TABLE,
    SIGMA_LIMIT,
    SIGMA_STEP_BITS,
    SIGMA_TABLE,
)

MODULES = Path(__file__).resolve().parent.parent / "contracts" / "modules"
WORD_BYTES = 32
ENTRY_BYTES = 4
ARGUMENT_BITS = 16

SOURCE = """\
# pragma version 0.4.3
# pragma nonreentrancy off
\"\"\"
@title {title}
@author Proofmill
@license Apache-2.0
@dev Stateless; written by `python -m tools.write_function_tables`. Entry i is round(2^24 {symbol}(i / {steps})) for
     i = 0 … {last}, in four bytes, eight to a word; zeros fill the last word. Below zero {symbol}(-x) = 1 - {symbol}(x), to the
     last bit of an entry.
\"\"\"

LIMIT: constant(int256) = {limit} << 16
STEPS: constant(uint256) = {last}  # on each side of zero
ONE: constant(uint256) = 1 << 24
TABLE: constant(bytes32[{count}]) = [
{words},
]


@pure
@internal
def _value(_x: int256) -> int256:
    \"\"\"
    @dev {symbol}(x) in Q.24 of x in Q.16; beyond the limits, that at the limits. Linear between entries, which never fall,
         rounded to nearest, halves up.
    \"\"\"
    place: uint256 = convert(max(0, min(_x + LIMIT, 2 * LIMIT - 1)), uint256)
    table: Bytes[{size}] = abi_encode(TABLE)
    interval: uint256 = place >> {between}
    is_negative: bool = interval < STEPS
    nearest: uint256 = 0
    if is_negative:
        nearest = STEPS - 1 - interval
    else:
        nearest = interval - STEPS
    entries: uint256 = extract32(table, 4 * nearest, output_type=uint256)
    inner: uint256 = entries >> 224  # the end of the interval that is closer to zero
    outer: uint256 = entries >> 192 & 4294967295
    below: uint256 = inner
    if is_negative:
        below = ONE - outer
    rise: uint256 = outer - inner
    return convert(below + ((rise * (place & {mask}) + {half}) >> {between}), int256)
"""


@dataclass(frozen=True)
class Function:
    """A table and how it is read."""

    title: str
    symbol: str
    entries: list[int]  # from -limit to limit
    limit: int
    step_bits: int

    def source(self) -> str:
        """The module with its table."""
        kept = self.entries[len(self.entries) // 2 :]
        data = b"".join(entry.to_bytes(ENTRY_BYTES, "big") for entry in kept)
        data += bytes(-len(data) % WORD_BYTES)
        words = [data[at : at + WORD_BYTES].hex() for at in range(0, len(data), WORD_BYTES)]
        between = ARGUMENT_BITS - self.step_bits
        return SOURCE.format(
            title=self.title,
            symbol=self.symbol,
            steps=1 << self.step_bits,
            limit=self.limit,
            last=len(kept) - 1,
            count=len(words),
            size=len(data),
            words=",\n".join(f"    0x{word}" for word in words),
            between=between,
            mask=(1 << between) - 1,
            half=1 << between - 1,
        )


#: Modules by name.
FUNCTIONS = {
    "phi_table": Function("Normal distribution", "Φ", PHI_TABLE.tolist(), PHI_LIMIT, PHI_STEP_BITS),
    "sigma_table": Function("Logistic function", "σ", SIGMA_TABLE.tolist(), SIGMA_LIMIT, SIGMA_STEP_BITS),
}


def main() -> None:
    for name, function in FUNCTIONS.items():
        (MODULES / f"{name}.vy").write_text(function.source(), encoding="utf-8")
        print(f"{name}.vy: {len(function.entries)} entries")


if __name__ == "__main__":
    main()
