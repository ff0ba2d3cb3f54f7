"""Revert reasons: short, in one place each, in the table of docs/CONTRACTS.md, and each of them in some test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
REASON = re.compile(r'"([a-z0-9]+: [^"]+)"')
MAX_REASON_LENGTH = 32  # one word
TEST_FOLDERS = ("unit/contracts", "property/contracts", "stateful")


def sources() -> dict[str, str]:
    folder = ROOT / "contracts"
    return {
        path.name: path.read_text("utf-8") for path in [*folder.glob("*.vy"), *folder.glob("modules/*.vy")]
    }


def found() -> list[str]:
    return [reason for text in sources().values() for reason in REASON.findall(text)]


def test_reasons__are_found() -> None:
    assert {"escrow: other record", "committee: bad signature", "staking: zero amount"} < set(found())


def test_reasons__fit_one_word() -> None:
    assert [reason for reason in found() if len(reason) > MAX_REASON_LENGTH] == []


def test_reasons__stand_in_one_place_each() -> None:
    """So that a reason tells which check failed."""
    assert sorted(found()) == sorted(set(found()))


def test_asserts__all_have_a_reason() -> None:
    """An assert that goes on over several lines has its reason on the last of them."""
    bare = []
    for name, text in sources().items():
        code = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
        for match in re.finditer(r"^ +assert .*(?:\n .*)??(?=\n)", code, re.MULTILINE):
            statement = match.group().strip()
            rest = code[match.end() :].split("\n\n")[0]
            if not re.search(r'("|, [A-Z_]+)$', statement) and not re.match(r'(\n[^\n]*){0,4}?, "', rest):
                bare.append(f"{name}: {statement}")
    assert bare == []


def test_reasons__are_all_in_the_documentation_and_no_others() -> None:
    table = (ROOT / "docs" / "CONTRACTS.md").read_text("utf-8").split("## Reasons")[1]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == set(found())


def test_reasons__each_has_a_test() -> None:
    text = "".join(
        path.read_text("utf-8")
        for folder in TEST_FOLDERS
        for path in (ROOT / "tests" / folder).glob("**/*.py")
        if path != Path(__file__)
    )
    assert [reason for reason in sorted(found()) if f'"{reason}"' not in text] == []
