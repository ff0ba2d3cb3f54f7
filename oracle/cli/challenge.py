"""``python -m oracle challenge``: what a device of this machine can do, and whether prover and checker agree about it."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click
from rich.table import Table

from proofmill.capability.parameters import SEGMENT_ROUNDS, Parameters
from proofmill.capability.sizes import CELLS, CLASSES, device_class
from proofmill.cli.console import json_option, print_json, result_console
from proofmill.failures import EXIT_FAILED, report_failures

TERA = 10**12
MEGA = 10**6


@click.command()
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, or one card such as cuda:1.")
@click.option(
    "--class",
    "class_name",
    type=click.Choice([one.name for one in CLASSES]),
    help="Class of device whose challenge is taken. Default: processor for cpu, h100 for a card.",
)
@click.option(
    "--matrix",
    type=click.IntRange(64),
    help="Rows of the matrices instead, a multiple of 64, with --segments.",
)
@click.option("--segments", type=click.IntRange(1), help=f"How often {SEGMENT_ROUNDS} products are made.")
@click.option("--cells", type=click.IntRange(1, 256), default=CELLS, show_default=True, help="Samples drawn.")
@json_option
@report_failures
def challenge(
    device: str,
    class_name: str | None,
    matrix: int | None,
    segments: int | None,
    cells: int,
    as_json: bool,
) -> None:
    """Measure a device of this machine offline, and check its proof as a member of the committee would.

    Needs no settings and no chain. A proof with one bit turned is shown to the checker too. The status is 1 unless the checker
    takes the one and refuses the other.
    """
    from oracle.measuring.self_test import run_self_test  # PyTorch takes seconds to import

    if (matrix is None) != (segments is None) or (matrix is not None and class_name is not None):
        raise click.UsageError("give either --class, or --matrix and --segments, or nothing")
    if matrix is not None and segments is not None:
        parameters = Parameters(matrix, segments * SEGMENT_ROUNDS, cells)
    else:
        usual = device_class(class_name or ("processor" if device == "cpu" else "h100")).parameters
        parameters = Parameters(usual.size, usual.rounds, cells)
    result = run_self_test(parameters, device)
    if as_json:
        print_json({**asdict(result), "is_passed": result.is_passed})
    else:
        facts = Table.grid(padding=(0, 2))
        for name, value in (
            ("device", result.device),
            ("challenge", f"{result.rounds} products of {result.size:,} × {result.size:,} in int8"),
            ("score", f"{result.operations_per_second / TERA:.3f} · 10¹² operations a second"),
            ("reaches class", result.device_class),
            ("preparation", f"{result.preparation_seconds:.3f} s"),
            ("work", f"{result.work_seconds:.3f} s"),
            ("opening", f"{result.opening_seconds:.3f} s, {result.proof_bytes / MEGA:.2f} MB"),
            ("check", f"{result.checking_seconds:.3f} s on this processor"),
            ("verdict", f"refused, {result.refusal}" if result.refusal else "right"),
            (
                "forged proof",
                f"refused, {result.forgery_refusal}"
                if result.forgery_refusal
                else "taken: the checker is broken",
            ),
        ):
            facts.add_row(f"[bold]{name}[/]", value)
        result_console().print(facts)
    if not result.is_passed:
        sys.exit(EXIT_FAILED)
