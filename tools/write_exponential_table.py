"""Write contracts/modules/exponential_table.vy: the table of 2^-f in the bytecode, from the one that the arithmetic is pinned to.

A test compares the file with what this would write.
"""

from pathlib import Path

from proofmill.exact.tables import EXP2_TABLE

MODULE = Path(__file__).resolve().parent.parent / "contracts" / "modules" / "exponential_table.vy"
WORD_BYTES = 32
ENTRY_BYTES = 4

SOURCE = """\
# pragma version 0.4.3
# pragma nonreentrancy off
\"\"\"
@title Powers of one half
@author Proofmill
@license Apache-2.0
@dev Stateless; written by `python -m tools.write_exponential_table`. Entry i is round(2^(24 - i / 256)) for i = 0 …
     256, in four bytes, eight to a word; zeros fill the last word.
\"\"\"

MAX_POWERS: constant(uint256) = 64
VANISHING: constant(uint256) = 25  # 2^-25 and less is zero in Q.24
TABLE: constant(bytes32[{count}]) = [
{words},
]


@pure
@internal
def _negative_powers(_distances: DynArray[uint256, MAX_POWERS]) -> DynArray[uint256, MAX_POWERS]:
    \"\"\"
    @dev 2^-d of each d in Q.16, below 2^32; result in Q.24. Linear between entries, rounded to nearest, halves up; then
         the shift by the whole part rounds down. Entries fall, hence a - round((a - b) r / 256) with halves down. Many
         at once, because the table is laid out in memory for each call.
    \"\"\"
    table: Bytes[{size}] = abi_encode(TABLE)
    powers: DynArray[uint256, MAX_POWERS] = []
    for distance: uint256 in _distances:
        power: uint256 = 0
        whole: uint256 = distance >> 16
        if whole < VANISHING:
            entries: uint256 = extract32(table, 4 * (distance >> 8 & 255), output_type=uint256)
            above: uint256 = entries >> 224
            fall: uint256 = above - (entries >> 192 & 4294967295)
            power = above - (fall * (distance & 255) + 127 >> 8) >> whole
        powers.append(power)
    return powers
"""


def source() -> str:
    """The module with its table."""
    data = b"".join(entry.to_bytes(ENTRY_BYTES, "big") for entry in EXP2_TABLE.tolist())
    data += bytes(-len(data) % WORD_BYTES)
    words = [data[at : at + WORD_BYTES].hex() for at in range(0, len(data), WORD_BYTES)]
    return SOURCE.format(
        count=len(words), size=len(data), words=",\n".join(f"    0x{word}" for word in words)
    )


def main() -> None:
    MODULE.write_text(source(), encoding="utf-8")
    print(f"{MODULE.name}: {len(EXP2_TABLE)} entries")


if __name__ == "__main__":
    main()
