"""``proofmill demo``: one job paid, one liar slashed, on a local chain with real processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from proofmill.chain.history import format_amount
from proofmill.cli.console import StepPrinter, json_option, print_json, progress_console, result_console
from proofmill.cli.documents import read_sentences
from proofmill.cli.embed import save_embeddings
from proofmill.cli.job import history_as_json, history_table
from proofmill.client import Client
from proofmill.devnet.acts import LYING_WORKER, Act, Pair, gas_in_all, honest_act, lying_act, nearest_pairs
from proofmill.devnet.network import Devnet, NetworkPlan, WorkerSpec
from proofmill.failures import report_failures

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "HOW_IT_WORKS.md"
DIRECTORY = Path(".proofmill/demo")
# The second act needs a lie, not a long text; the committee still re-executes every sentence of it.
SENTENCES_OF_SECOND_ACT = 12

PLAN = NetworkPlan(
    workers=(WorkerSpec("worker"), WorkerSpec(LYING_WORKER, module="adversaries.lying_worker"))
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where to write the embeddings. Default: in the demo's directory.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=DIRECTORY,
    show_default=True,
    help="Keys, settings, blobs and logs.",
)
@json_option
@report_failures
def demo(file: Path | None, out: Path | None, directory: Path, as_json: bool) -> None:
    """Embed the sentences of FILE (default: Proofmill's own documentation) with an honest worker, then catch a lying one."""
    started = time.monotonic()
    document = file or SAMPLE
    sentences = read_sentences(document)
    progress = progress_console()
    progress.print(f"[bold]Setting up[/] a network in {directory}")
    with (
        Devnet(directory, PLAN, watch=lambda step: progress.print(f"  {step}", soft_wrap=True)) as devnet,
        Client.open(devnet.client_settings(), watch=StepPrinter(progress)) as client,
    ):
        progress.print(f"\n[bold]Act 1[/]: {len(sentences)} sentences of {document.name}, an honest worker")
        first = honest_act(devnet, client, sentences)
        assert first.result is not None
        target = out or directory / "embeddings.npz"
        save_embeddings(target, first.result, sentences)
        progress.print("\n[bold]Act 2[/]: a worker whose answer is off by one in one integer")
        second = lying_act(devnet, client, sentences[:SENTENCES_OF_SECOND_ACT])
    pairs = nearest_pairs(first.result, sentences)
    if as_json:
        print_json(_as_json(sentences, pairs, target, first, second, time.monotonic() - started))
    else:
        _print_report(result_console(), sentences, pairs, target, first, second, time.monotonic() - started)
    if first.problems or second.problems:
        sys.exit(1)


def _print_report(
    console: Console,
    sentences: list[str],
    pairs: list[Pair],
    target: Path,
    first: Act,
    second: Act,
    seconds: float,
) -> None:
    console.rule("Act 1: an honest answer is paid", align="left")
    console.print(
        f"{len(sentences)} sentences embedded in exact integers, written to {target}", soft_wrap=True
    )
    console.print("The three nearest pairs:")
    for pair in pairs:
        console.print(
            f"  {pair.cosine:.4f}  {pair.first}\n          {pair.second}", soft_wrap=True, markup=False
        )
    _print_act(console, first)
    console.rule("Act 2: a lie costs its stake", align="left")
    console.print("One integer of the answer was increased by one. The committee computed other bits:")
    _print_act(console, second)
    verdict = (
        "[green]Both acts add up.[/]"
        if not first.problems + second.problems
        else "[red]Something is wrong.[/]"
    )
    console.print(f"{verdict} {seconds:.0f} s in all.")


def _print_act(console: Console, act: Act) -> None:
    console.print(history_table(act.history))
    if act.collections:
        console.print("Then the worker collected what it had earned, with this and any other job:")
        console.print(history_table(act.collections))
        console.print(f"The whole life of the job took {gas_in_all(act):,} gas.")
    console.print(_balance_table(act))
    for problem in act.problems:
        console.print(f"[red]does not add up:[/] {problem}")
    console.print()


def _balance_table(act: Act) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("balance")
    for heading in ("before", "after", "change"):
        table.add_column(heading, justify="right")
    after = act.after.rows()
    for name, before in act.before.rows().items():
        change = after[name] - before
        table.add_row(
            name,
            format_amount(before),
            format_amount(after[name]),
            f"{'+' if change > 0 else ''}{format_amount(change)}" if change else "",
        )
    return table


def _as_json(
    sentences: list[str], pairs: list[Pair], target: Path, first: Act, second: Act, seconds: float
) -> dict[str, Any]:
    return {
        "sentences": len(sentences),
        "out": str(target),
        "nearest_pairs": [{"cosine": pair.cosine, "sentences": [pair.first, pair.second]} for pair in pairs],
        "acts": [_act_as_json(first), _act_as_json(second)],
        "adds_up": not first.problems and not second.problems,
        "seconds": round(seconds, 1),
    }


def _act_as_json(act: Act) -> dict[str, Any]:
    return {
        "job": act.job.id,
        "state": act.job.state.name.lower(),
        "worker": act.job.provider,
        "history": history_as_json(act.history),
        "collections": history_as_json(act.collections),
        "gas": gas_in_all(act),
        "before": {name: str(amount) for name, amount in act.before.rows().items()},
        "after": {name: str(amount) for name, amount in act.after.rows().items()},
        "problems": act.problems,
    }
