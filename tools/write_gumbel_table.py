"""Write contracts/modules/gumbel_table.vy: the Gumbel variates in the bytecode, from the table that the arithmetic is pinned to.

A test compares the file with what this would write.
"""

from pathlib import Path

from proofmill.exact.tables import GUMBEL_OCTAVES, GUMBEL_STEP_BITS, GUMBEL_TABLE

MODULE = Path(__file__).resolve().parent.parent / "contracts" / "modules" / "gumbel_table.vy"
WORD_BYTES = 32
ENTRY_BYTES = 3

SOURCE = """\
# pragma version 0.4.3
# pragma nonreentrancy off
\"\"\"
@title Gumbel variates
@author Proofmill
@license Apache-2.0
@dev Stateless; written by `python -m tools.write_gumbel_table`. Two rows of {entries} entries, -ln(-ln(p)) in Q.16 for
     p = 1 - w and for p = w, with w from 2^-41 to 1/2 in {octaves} octaves of {steps} equal steps. An entry is signed and
     takes three bytes; zeros fill the last word and one more, so that 32 bytes can be read from each entry on.
\"\"\"

from contracts.modules import merkle_tree

ROW: constant(uint256) = {entries}
ENTRY_BYTES: constant(uint256) = {entry_bytes}
TABLE: constant(bytes32[{count}]) = [
{words},
]


@pure
@internal
def _variates(_bits: uint256[2]) -> int256[2]:
    \"\"\"
    @dev The variates of two draws of 64 random bits each, Q.16: the highest bit chooses the tail, the others w, which
         is at least 2^-41. Linear between entries, rounded to nearest, halves up. Two at once, because the table is
         laid out in memory for each call.
    \"\"\"
    table: Bytes[{size}] = abi_encode(TABLE)
    variates: int256[2] = empty(int256[2])
    for i: uint256 in range(2):
        w: uint256 = max(_bits[i] & (2**63 - 1), 2**23)
        bits: uint256 = merkle_tree._bits(w)  # 24 … 63
        # octave, then place in it: 5 bits that choose the entry and 16 between this one and the next
        place: uint256 = (bits - 24 << 21) + (w >> bits - 22) - 2**21
        entry: uint256 = ROW * (_bits[i] >> 63) + (place >> 16)
        entries: int256 = extract32(table, ENTRY_BYTES * entry, output_type=int256)
        first: int256 = entries >> 232
        second: int256 = (entries << 24) >> 232
        rest: int256 = convert(place & 65535, int256)
        variates[i] = first + ((second - first) * rest + 32768 >> 16)
    return variates
"""


def source() -> str:
    """The module with its table."""
    data = b"".join(
        entry.to_bytes(ENTRY_BYTES, "big", signed=True) for entry in GUMBEL_TABLE.flatten().tolist()
    )
    data += bytes(-len(data) % WORD_BYTES + WORD_BYTES)
    words = [data[at : at + WORD_BYTES].hex() for at in range(0, len(data), WORD_BYTES)]
    return SOURCE.format(
        entries=GUMBEL_TABLE.shape[1],
        octaves=GUMBEL_OCTAVES,
        steps=1 << GUMBEL_STEP_BITS,
        entry_bytes=ENTRY_BYTES,
        count=len(words),
        size=len(data),
        words=",\n".join(f"    0x{word}" for word in words),
    )


def main() -> None:
    MODULE.write_text(source(), encoding="utf-8")
    print(f"{MODULE.name}: {GUMBEL_TABLE.numel()} entries")


if __name__ == "__main__":
    main()
