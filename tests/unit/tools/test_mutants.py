"""Every operator of the mutator, on small sources whose mutants can be listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[3]


def changes(body: str, operator: str) -> list[str]:
    """The lines that an operator makes out of a function's body."""
    source = f"@external\ndef act(_a: uint256[3]):\n    {body}\n"
    found = [mutant for mutant in mutants_of("x.vy", source) if mutant.operator == operator]
    return [mutant.apply(source).split("\n", 2)[2].strip() for mutant in found]


@pytest.mark.parametrize(
    ("before", "after"),
    [("<", "<="), ("<=", "<"), (">", ">="), (">=", ">"), ("==", "!="), ("!=", "==")],
)
def test_mutants__flip_every_comparison(before: str, after: str) -> None:
    assert changes(f"assert a {before} b", "flip comparison") == [f"assert a {after} b"]


@pytest.mark.parametrize(
    ("statement", "operator"),
    [
        ('assert a, "why"', "drop assert"),
        ("log IFace.Done(a=1)", "drop log"),
        ("self.total = a", "drop state write"),
        ("self.total[a][b].c += d", "drop state write"),
        ("ledger.total[a] -= d", "drop state write"),
        ("pool.tokens = 0", "drop state write"),
        ("ledger._release(a, b=1)", "drop call"),
        ("self._pay(a)", "drop call"),
        ("extcall STAKING.release(a)", "drop call"),
        ("raw_call(a, b)", ""),
        ("amount: uint256 = self.total", ""),
        ("self_made = a", ""),
    ],
)
def test_mutants__drop_whole_statements(statement: str, operator: str) -> None:
    kinds = ("drop assert", "drop log", "drop state write", "drop call")
    assert [kind for kind in kinds if changes(statement, kind) == ["pass"]] == (
        [operator] if operator else []
    )


def test_mutants__drop_a_statement_over_many_lines() -> None:
    assert changes("log IFace.Done(\n        a=1,  # one\n        b=2,\n    )", "drop log") == ["pass"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a // b", "x = (((a) + ((b) - 1)) // (b))"),
        ("x = c + a * d // b * e", "x = c + (((a * d) + ((b) - 1)) // (b)) * e"),
        ("x = f(a, c - d // self.g(b) + 1)", "x = f(a, c - (((d) + ((self.g(b)) - 1)) // (self.g(b))) + 1)"),
        ("x = (a + b - 1) // b", "x = ((a) // (b))"),
        ("x = (a * c + (b - 1)) // b", "x = ((a * c) // (b))"),
        ("return a // 2**8", "return (((a) + ((2**8) - 1)) // (2**8))"),
    ],
)
def test_mutants__turn_the_rounding(before: str, after: str) -> None:
    assert changes(before, "swap rounding") == [after]


def test_mutants__swap_plus_and_minus_but_not_signs() -> None:
    assert changes("x = a + (-1) - b[c + 1]", "swap + and -") == [
        "x = a - (-1) - b[c + 1]",
        "x = a + (-1) + b[c + 1]",
        "x = a + (-1) - b[c - 1]",
    ]
    assert changes("self.x += a", "swap + and -") == ["self.x -= a"]


def test_mutants__numbers_are_off_by_one_but_sizes_and_words_stay() -> None:
    assert changes("x: uint256[3] = [1_000, 0xff, 10**18]", "off by one") == [
        "x: uint256[3] = [1001, 0xff, 10**18]",
        "x: uint256[3] = [1_000, 0xff, 10**19]",
    ]
    assert changes("x: Bytes[32] = f(1)", "off by one") == ["x: Bytes[32] = f(0)", "x: Bytes[32] = f(2)"]
    assert changes("for i: uint256 in range(n, bound=64):\n        pass", "off by one") == [
        "for i: uint256 in range(n, bound=65):\n        pass"
    ]


def test_mutants__constants_of_the_file_are_numbers_too() -> None:
    source = "MOST: constant(uint256) = 2_500  # bps\nKEY: constant(bytes32) = keccak256('a < b')\n"
    [mutant] = mutants_of("x.vy", source)
    assert mutant.apply(source).startswith("MOST: constant(uint256) = 2501  # bps")


@pytest.mark.parametrize(
    ("before", "operator", "after"),
    [
        ("x = min(a, b)", "swap min and max", "x = max(a, b)"),
        ("x = a and b", "swap and and or", "x = a or b"),
        ("x = True", "swap True and False", "x = False"),
        ("if not a:\n        pass", "drop not", "if a:\n        pass"),
        ("self.owner = msg.sender", "replace msg.sender", "self.owner = self"),
    ],
)
def test_mutants__swap_words(before: str, operator: str, after: str) -> None:
    assert changes(before, operator) == [after]


def test_mutants__leave_alone_what_is_not_code() -> None:
    source = (
        '@external\ndef act(_size: Bytes[32]):\n    """\n    @notice a < b and min(c, 1) + 1\n    """\n'
        "    # assert a < b\n    raise 'x: 1 < 2'\n\nexports: (a.b,)\nevent Done:\n    amount: uint256\n"
    )
    assert mutants_of("x.vy", source) == []


def test_mutants__keywords_that_decide_how_a_call_compiles_stay() -> None:
    assert changes("x = raw_call(a, b, revert_on_failure=False)", "swap True and False") == []


def ids(mutants: list[Mutant]) -> list[str]:
    return [mutant.id for mutant in mutants]


def test_mutants__have_one_id_each_that_survives_changes_elsewhere() -> None:
    body = "def act():\n    assert a > 0\n    self.x = a + 1\n    self.y = a + 1\n    self.x = a + 1\n"
    found = mutants_of("x.vy", body)
    assert len(set(ids(found))) == len(found)
    assert ids(mutants_of("x.vy", "# a line more\n\n" + body)) == ids(found)
    assert not set(ids(mutants_of("y.vy", body))) & set(ids(found))


def test_mutants__of_the_contracts_are_the_same_each_time_and_change_one_place() -> None:
    for path in sorted((ROOT / "contracts" / "modules").glob("*.vy")):
        source = path.read_text("utf-8")
        mutants = mutants_of(path.name, source)
        assert mutants == mutants_of(path.name, source)
        for mutant in mutants:
            changed = mutant.apply(source)
            assert changed != source
            assert changed[: mutant.start] == source[: mutant.start]
            assert source[mutant.start : mutant.end] == mutant.before
