"""Revert reasons: short, in the table of docs/CONTRACTS.md, and each of them in some test."""

from __future__ import annotations

import re

from tests.unit.contracts.suite import ROOT

REASON_PATTERN = re.compile(r'"([a-z]+: [^"]+)"')
MAX_REASON_LENGTH = 32  # one word
DEPLOYABLES = ("MillToken", "Staking", "JobEscrow", "OracleCommittee")


def sources() -> dict[str, str]:
    paths = [ROOT / "contracts" / f"{name}.vy" for name in DEPLOYABLES]
    paths += sorted((ROOT / "contracts" / "modules").glob("*.vy"))
    return {path.name: path.read_text("utf-8") for path in paths}


def reasons() -> set[str]:
    return {reason for text in sources().values() for reason in REASON_PATTERN.findall(text)}


def test_reasons__are_found() -> None:
    assert {"escrow: other terms", "committee: high s", "staking: zero amount"} < reasons()


def test_reasons__fit_one_word() -> None:
    assert [reason for reason in reasons() if len(reason) > MAX_REASON_LENGTH] == []


def test_reasons__stand_in_one_place_each() -> None:
    """So that a reason tells which check failed."""
    found = [reason for text in sources().values() for reason in REASON_PATTERN.findall(text)]
    assert sorted(found) == sorted(set(found))


def test_asserts__all_have_a_reason() -> None:
    bare = [
        f"{name}: {line.strip()}"
        for name, text in sources().items()
        for line in text.splitlines()
        if line.strip().startswith("assert ") and not re.search(r'("|, [A-Z_]+)$', line)
    ]
    assert bare == []


def test_reasons__are_all_in_the_documentation_and_no_others() -> None:
    table = (ROOT / "docs" / "CONTRACTS.md").read_text("utf-8").split("## Reasons")[1]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == reasons()


def test_reasons__each_has_a_test() -> None:
    folder = ROOT / "tests"
    text = "".join(
        path.read_text("utf-8")
        for path in [*folder.glob("unit/contracts/*.py"), *folder.glob("property/contracts/*.py")]
        if path.name != "test_contract_texts.py"
    )
    assert [reason for reason in sorted(reasons()) if f'"{reason}"' not in text] == []
