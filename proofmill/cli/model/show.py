"""``proofmill model list`` and ``proofmill model show``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from proofmill.cli.console import json_option, print_json, result_console
from proofmill.cli.model.source import model_argument, read_model, size_words, step
from proofmill.exact.manifest.document import Manifest
from proofmill.exact.models.catalogue import KNOWN_MODELS, cache_path
from proofmill.exact.program.model import Model
from proofmill.failures import report_failures


@click.command("list")
@json_option
@report_failures
def list_models(as_json: bool) -> None:
    """List the models that ship in packages."""
    known = [
        {
            "name": model.name,
            "title": model.title,
            "model_id": model.model_id.hex(),
            "cached": cache_path(model).exists(),
        }
        for model in KNOWN_MODELS.values()
    ]
    if as_json:
        print_json({"models": known})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "model", "id", "cached"):
        table.add_column(heading, overflow="fold")
    for entry in known:
        table.add_row(
            str(entry["name"]),
            str(entry["title"]),
            f"{str(entry['model_id'])[:16]}…",
            "yes" if entry["cached"] else "no",
        )
    result_console().print(table)


@click.command()
@model_argument
@click.option("--operators", is_flag=True, help="List every operator of the program.")
@json_option
@report_failures
def show(name: str, operators: bool, as_json: bool) -> None:
    """Show MODEL: what it computes and how large it is.

    MODEL is a packaged model's name or whole id, or a packed file.
    """
    with step(f"reading {name} and hashing every weight"):
        manifest, model = read_model(name)
    facts = facts_of(manifest, model)
    if as_json:
        print_json({**facts, "operator_list": operator_rows(manifest)} if operators else facts)
        return
    console = result_console()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for key, value in facts.items():
        shown = (
            ", ".join(f"{count} {kind}" for kind, count in value.items())
            if isinstance(value, dict)
            else str(value)
        )
        table.add_row(key.replace("_", " "), size_words(value) if key == "weight_bytes" else escape(shown))
    console.print(table)
    if operators:
        listing = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("operator", "kind", "reads", "table", "constants", "makes"):
            listing.add_column(heading)
        for row in operator_rows(manifest):
            constants = " ".join(f"{key}={value}" for key, value in row["constants"].items())
            reads = " ".join(map(str, row["reads"]))
            listing.add_row(str(row["operator"]), row["kind"], reads, row["table"], constants, row["makes"])
        console.print(listing)


def facts_of(manifest: Manifest, model: Model) -> dict[str, Any]:
    """What there is to say about a model."""
    description, program = manifest.description, manifest.program
    weights = sum(table.rows * table.columns for table in program.tables.values() if table.layout == "linear")
    facts: dict[str, Any] = {
        "name": description.name,
        "profile": description.profile,
        "task": description.task,
        "model_id": manifest.model_id.hex(),
        "operators": len(program.operators),
        "kinds": dict(Counter(operator.kind for operator in program.operators).most_common()),
        "linear_weights": weights,
        "weight_bytes": sum(tensor.nbytes for tensor in model.tensors.values()),
        "output_fraction_bits": description.output_fraction_bits,
    }
    if description.vocabulary_size:
        facts["vocabulary_size"] = description.vocabulary_size
        facts["maximum_tokens"] = description.maximum_tokens
    else:
        facts["image_positions"] = program.input.rows
        facts["image_channels"] = program.input.width
    return facts


def operator_rows(manifest: Manifest) -> list[dict[str, Any]]:
    """Each operator as a row of words and numbers."""
    program = manifest.program
    rows = []
    for number, operator in enumerate(program.operators, start=1):
        shape = program.shapes[number]
        rows.append(
            {
                "operator": number,
                "kind": operator.kind,
                "reads": list(operator.inputs),
                "table": operator.table,
                "constants": dict(operator.constants),
                "makes": f"{shape.kind} {shape.rows or 'T'} x {shape.width}",
            }
        )
    return rows
