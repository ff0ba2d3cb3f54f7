"""docs/ORACLE.md names every setting and every rule with its default, and every command."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from oracle.cli import main
from oracle.config import OracleSettings
from proofmill.measuring.rules import MeasuringRules

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ORACLE.md").read_text("utf-8")
ROW = re.compile(r"^\| `\[?(\w+)\]?` \| ([^|]+) \|", re.MULTILINE)


def rows(heading: str) -> dict[str, str]:
    """Name and default of each row of the first table under a heading."""
    _, _, after = PAGE.partition(f"\n## {heading}\n")
    section, _, _ = after.partition("\n## ")
    assert section
    return {name: default.strip() for name, default in ROW.findall(section)}


def written(value: object) -> str:
    """A default as the page writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    known = {None: "none", 10**16: "10^16", 8 << 30: "8 GiB"}
    return known.get(value, str(value)) if isinstance(value, int | None) else str(value)


def test_settings__all_and_no_others__are_in_the_table_with_their_defaults() -> None:
    expected = {}
    for name, field in OracleSettings.model_fields.items():
        is_given = field.default is PydanticUndefined  # by the operator, or an empty table
        expected[name] = "–" if is_given else written(field.default)
    assert rows("Settings") == expected


def test_rules__all_and_no_others__are_in_the_table_with_their_defaults() -> None:
    expected = {rule.name: written(rule.default) for rule in dataclasses.fields(MeasuringRules)}
    assert rows("Measuring") == expected


@pytest.mark.parametrize("command", sorted(main.commands))
def test_commands__each__is_in_the_table(command: str) -> None:
    assert f"\n| `{command} " in PAGE


def test_alerts__each__has_a_line_on_what_to_do() -> None:
    alerts = re.findall(
        r"- alert: (\w+)", (Path(__file__).resolve().parents[3] / "docs" / "alerts.yml").read_text("utf-8")
    )
    assert alerts
    missing = [name for name in alerts if f"`{name}`" not in PAGE]
    assert missing == []
