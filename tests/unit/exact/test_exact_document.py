"""docs/EXACT.md states the numbers the program uses, and every operator a program may hold."""

import re
from pathlib import Path

from proofmill.exact import ops, tables
from proofmill.exact.ops import selection
from proofmill.exact.program.kinds import KINDS, LAYOUT_PARTS
from tests.reference.function_tables import rounded_root, score_multiplier

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "EXACT.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line.startswith("|")
]


FOUR_COLUMNS = [row for row in ROWS if len(row) == 4]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9_]+)`", cell))


def test_tables() -> None:
    stated, counts = {}, {}
    for first, _, count, digest in FOUR_COLUMNS:
        if re.fullmatch(r"`[0-9a-f]{64}`", digest):
            (name,) = names(first)
            stated[name] = digest.strip("`")
            counts[name] = int(re.split(r"[ ,]", count)[0])
    assert stated == tables.TABLE_SHA256
    assert counts == {
        "exp2": len(tables.EXP2_TABLE),
        "phi": len(tables.PHI_TABLE),
        "sigma": len(tables.SIGMA_TABLE),
        "gumbel": len(tables.GUMBEL_TABLE[0]),
    }


def test_operators_of_programs() -> None:
    stated = {
        kind: (names(parts), names(constants))
        for kinds, _, parts, constants in FOUR_COLUMNS
        for kind in names(kinds) & set(KINDS)
    }
    expected = {
        name: (set(LAYOUT_PARTS[kind.layout]) if kind.layout else set(), set(kind.constants))
        for name, kind in KINDS.items()
    }
    assert stated == expected


def test_every_kind_of_operator_is_defined() -> None:
    assert [name for name in KINDS if name != "choose" and not callable(getattr(ops, name, None))] == []
    assert set(ops.__all__) <= set(dir(ops))


def test_constants() -> None:
    words = (selection.GOLDEN_GAMMA, *selection.MIX_MULTIPLIERS)
    expected = [f"0x{word:X}" for word in words]
    expected += [f"(z >> {shift})" for shift in selection.MIX_SHIFTS]
    expected.append(f"16 unless stated | ±(2^{ops.SATURATION.bit_length()} − 1)")
    expected.append(f"≤ {ops.WEIGHT_LIMIT_E16} (E16) or {ops.WEIGHT_LIMIT_E16X} (E16x)")
    expected.append(f"{ops.SHIFT_LEAST} ≤ s ≤ {ops.SHIFT_GREATEST}")
    expected.append(f"root = {rounded_root(384)} and m = {score_multiplier(32)}")
    assert [text for text in expected if text not in TEXT] == []
