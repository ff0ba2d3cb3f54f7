"""``proofmill model verify``: is this model what it says it is, and does this machine compute it right?"""

from __future__ import annotations

import time
from typing import Any

import click
import torch
from rich.markup import escape
from rich.table import Table

from proofmill.cli.console import json_option, print_json, progress_console, result_console
from proofmill.cli.model.source import model_argument, read_model, step
from proofmill.exact.errors import CarrierUnavailable, GoldenMismatch
from proofmill.exact.kernels.selection import CARRIER_CHOICES, carrier_fault, choose_kernels
from proofmill.exact.models.golden import GOLDEN_ANSWERS, golden_answer
from proofmill.exact.models.loading import make
from proofmill.failures import report_failures


@click.command()
@model_argument
@click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu or cuda.")
@click.option(
    "--carrier",
    "carriers",
    multiple=True,
    type=click.Choice(CARRIER_CHOICES),
    help="A carrier to try, may be given several times; default: all.",
)
@json_option
@report_failures
def verify(name: str, device: str, carriers: tuple[str, ...], as_json: bool) -> None:
    """Hash every weight of MODEL, prove every bound again, and compute its golden answer on each carrier of this machine.

    Exit status 1 if carriers disagree with each other or with the recorded answer.
    """
    with step(f"reading {name}, hashing every weight, proving every bound"):
        manifest, model = read_model(name)
    recorded = GOLDEN_ANSWERS.get(manifest.model_id.hex())
    rows: list[dict[str, Any]] = []
    console = progress_console()
    for carrier in carriers or CARRIER_CHOICES:
        fault = carrier_fault(carrier, device)
        if fault is not None:
            rows.append({"carrier": carrier, "unavailable": fault})
            continue
        with console.status(f"computing the golden answer on {carrier}"), torch.inference_mode():
            start = time.perf_counter()
            answer = golden_answer(make(manifest, model, None, choose_kernels(carrier, device)))
            rows.append(
                {"carrier": carrier, "answer": answer, "seconds": round(time.perf_counter() - start, 2)}
            )
    answers = {row["answer"] for row in rows if "answer" in row}
    if not answers:
        faults = "; ".join(f"{row['carrier']}: {row['unavailable']}" for row in rows)
        raise CarrierUnavailable(
            f"nothing was computed, no carrier asked for is available on {device}: {faults}",
            remedy="Use --device cpu, or leave --carrier out to try all.",
        )
    expected = recorded or next(iter(answers), None)
    right = answers == {expected}
    if as_json:
        print_json(
            {"model_id": manifest.model_id.hex(), "recorded": recorded, "carriers": rows, "right": right}
        )
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("carrier", "seconds", "answer", ""):
            table.add_column(heading, overflow="fold")
        for row in rows:
            if "answer" not in row:
                table.add_row(row["carrier"], "", escape(f"not available here: {row['unavailable']}"), "")
                continue
            verdict = "equal" if row["answer"] == expected else "[red]DIFFERENT[/]"
            table.add_row(row["carrier"], str(row["seconds"]), row["answer"], verdict)
        result_console().print(table)
        known = "the recorded golden answer" if recorded else "each other; no golden answer is recorded"
        result_console().print(
            f"model {manifest.model_id.hex()}: weights and bounds hold, carriers agree with {known}"
            if right
            else f"model {manifest.model_id.hex()}: [red]this machine computes other bits[/]",
            soft_wrap=True,
        )
    if not right:
        raise GoldenMismatch(
            "the carriers of this machine do not all give the golden answer",
            remedy="Do not serve the model on a carrier marked different; report the processor type as a bug.",
        )
