"""``proofmill demo``: a job paid, a liar slashed, a corrupt committee overruled, on a local chain with real processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table

from proofmill.chain.history import format_amount
from proofmill.cli.console import StepPrinter, json_option, print_json, progress_console, result_console
from proofmill.cli.documents import read_sentences
from proofmill.cli.embed import save_embeddings
from proofmill.cli.job import history_as_json, history_table
from proofmill.client import MILL, Client
from proofmill.devnet.acts import LYING_WORKER, Act, Pair, gas_in_all, honest_act, lying_act, nearest_pairs
from proofmill.devnet.dispute_act import FORGING_WORKER, DisputeAct, Slash, dispute_act
from proofmill.devnet.moves import gas_by_role
from proofmill.devnet.network import CHALLENGER, Collusion, Devnet, NetworkPlan, WorkerSpec
from proofmill.failures import report_failures

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "HOW_IT_WORKS.md"
DIRECTORY = Path(".proofmill/demo")
# The later acts need a lie, not a long text; the committee still re-executes every sentence of it.
SENTENCES_OF_LATER_ACTS = 12

PLAN = NetworkPlan(
    workers=(
        WorkerSpec("worker"),
        WorkerSpec(LYING_WORKER, module="adversaries.lying_worker"),
        WorkerSpec(FORGING_WORKER, module="adversaries.forging_worker"),
    ),
    collusion=Collusion(FORGING_WORKER),
    oracles_dispute=False,  # or the honest half of the committee would do in the third act what one stranger can do
    challenger_balance=200 * MILL,
    registered_models=("minilm-e16",),
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
    """Embed the sentences of FILE (default: Proofmill's own documentation) with an honest worker; then catch a lying one; then
    another whose lie the committee attests.
    """
    started = time.monotonic()
    document = file or SAMPLE
    sentences = read_sentences(document)
    progress = progress_console()
    progress.print(f"[bold]Setting up[/] a network in {directory}")
    watch = StepPrinter(progress)
    with (
        Devnet(directory, PLAN, watch=lambda step: progress.print(f"  {step}", soft_wrap=True)) as devnet,
        Client.open(devnet.client_settings(), watch=watch) as client,
        Client.open(devnet.client_settings(CHALLENGER), watch=watch) as challenger,
    ):
        progress.print(f"\n[bold]Act 1[/]: {len(sentences)} sentences of {document.name}, an honest worker")
        first = honest_act(devnet, client, sentences)
        assert first.result is not None
        target = out or directory / "embeddings.npz"
        save_embeddings(target, first.result, sentences)
        progress.print("\n[bold]Act 2[/]: a worker whose answer is off by one in one integer")
        second = lying_act(devnet, client, sentences[:SENTENCES_OF_LATER_ACTS])
        progress.print("\n[bold]Act 3[/]: a lie that half of the committee attests, and one challenger")
        third = dispute_act(devnet, client, challenger, sentences[:SENTENCES_OF_LATER_ACTS])
    acts = Acts(first, second, third)
    pairs = nearest_pairs(first.result, sentences)
    if as_json:
        print_json(_as_json(sentences, pairs, target, acts, time.monotonic() - started))
    else:
        _print_report(result_console(), sentences, pairs, target, acts, time.monotonic() - started)
    if acts.problems:
        sys.exit(1)


class Acts(NamedTuple):
    """The whole play."""

    first: Act
    second: Act
    third: DisputeAct

    @property
    def problems(self) -> list[str]:
        return [problem for act in self for problem in act.problems]


def _print_report(
    console: Console, sentences: list[str], pairs: list[Pair], target: Path, acts: Acts, seconds: float
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
    _print_act(console, acts.first)
    console.rule("Act 2: a lie costs its stake", align="left")
    console.print("One integer of the answer was increased by one. The committee computed other bits:")
    _print_act(console, acts.second)
    console.rule("Act 3: the arithmetic overrules the committee", align="left")
    _print_third_act(console, acts.third)
    verdict = "[red]Something is wrong.[/]" if acts.problems else "[green]All three acts add up.[/]"
    console.print(f"{verdict} {seconds:.0f} s in all.")


def _print_act(console: Console, act: Act) -> None:
    console.print(history_table(act.history))
    if act.collections:
        console.print("Then the worker collected what it had earned, with this and any other job:")
        console.print(history_table(act.collections))
        console.print(f"The whole life of the job took {gas_in_all(act):,} gas.")
    _print_account(console, act)


def _print_third_act(console: Console, act: DisputeAct) -> None:
    console.print(
        f"{FORGING_WORKER} made one number of a matrix product false and computed on from there, so its answer fits a trace."
    )
    if act.signers:
        console.print(
            f"{' and '.join(act.signers)} attested that answer unseen, which was enough to have it paid.\n"
            "The honest members were told to leave it at that. Then one challenger ran the job again, on a CPU."
        )
    console.print(_move_table(act))
    spent = ", ".join(f"{role} {gas:,}" for role, gas in gas_by_role(act.moves).items())
    console.print(f"Gas of each: {spent or 'none'}.")
    if act.proof:
        console.print(f"What the EVM computed for itself: {act.proof}.")
    for slash in act.slashes:
        blocks, seconds = act.since_the_lie(slash)
        console.print(
            f"{slash.role} was slashed {blocks} blocks, {seconds} s after the wrong answer was submitted."
        )
    if act.slashes:
        console.print(
            "No time was skipped: the chain makes a block a second, and nobody let a clock run out."
        )
        console.print(_slash_table(act.slashes))
        back, lost = act.slashes[0].to_requester, act.slashes[0].taken
        console.print(
            f"The requester paid {format_amount(act.job.price)} and has {format_amount(back)} of the worker's stake; "
            f"the worker was paid {format_amount(act.job.pay)} and lost {format_amount(lost)}.",
            soft_wrap=True,
        )
    _print_account(console, act)


def _print_account(console: Console, act: Act) -> None:
    console.print(_balance_table(act))
    for problem in act.problems:
        console.print(f"[red]does not add up:[/] {problem}")
    console.print()


def _move_table(act: DisputeAct) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("block", justify="right")
    table.add_column("who")
    table.add_column("call")
    table.add_column("gas", justify="right")
    table.add_column("what happened")
    for move in act.moves:
        table.add_row(str(move.block), move.role, move.call, f"{move.gas:,}", move.words)
    total = sum(move.gas for move in act.moves)
    table.add_row("", "", "[bold]together[/]", f"[bold]{total:,}[/]", "")
    return table


def _slash_table(slashes: Sequence[Slash]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("slashed")
    table.add_column("reported by")
    for heading in ("taken", "to requester", "to its reporter", "to insurance", "burned"):
        table.add_column(heading, justify="right")
    for each in slashes:
        table.add_row(each.role, each.reporter, *map(format_amount, _shares(each)))
    totals = [sum(column) for column in zip(*map(_shares, slashes), strict=True)]
    table.add_row("[bold]together[/]", "", *(f"[bold]{format_amount(total)}[/]" for total in totals))
    return table


def _shares(slash: Slash) -> tuple[int, ...]:
    return (slash.taken, slash.to_requester, slash.to_reporter, slash.insured, slash.burned)


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
    sentences: list[str], pairs: list[Pair], target: Path, acts: Acts, seconds: float
) -> dict[str, Any]:
    return {
        "sentences": len(sentences),
        "out": str(target),
        "nearest_pairs": [{"cosine": pair.cosine, "sentences": [pair.first, pair.second]} for pair in pairs],
        "acts": [_act_as_json(acts.first), _act_as_json(acts.second), _dispute_as_json(acts.third)],
        "adds_up": not acts.problems,
        "seconds": round(seconds, 1),
    }


def _act_as_json(act: Act) -> dict[str, Any]:
    return {
        "job": act.job.id,
        "state": act.job.state.name.lower(),
        "close_reason": act.job.close_reason.name.lower(),
        "worker": act.job.provider,
        "history": history_as_json(act.history),
        "collections": history_as_json(act.collections),
        "gas": gas_in_all(act),
        "before": {name: str(amount) for name, amount in act.before.rows().items()},
        "after": {name: str(amount) for name, amount in act.after.rows().items()},
        "problems": act.problems,
    }


def _dispute_as_json(act: DisputeAct) -> dict[str, Any]:
    """Amounts are strings of smallest units, blocks and seconds those of the chain since the wrong answer was submitted."""
    return {
        **_act_as_json(act),
        "signers": list(act.signers),
        "proof": act.proof,
        "moves": [
            {
                "block": move.block,
                "time": move.time,
                "who": move.role,
                "call": move.call,
                "gas": move.gas,
                "words": move.words,
            }
            for move in act.moves
        ],
        "gas_by_role": gas_by_role(act.moves),
        "slashes": [_slash_as_json(act, slash) for slash in act.slashes],
    }


def _slash_as_json(act: DisputeAct, slash: Slash) -> dict[str, Any]:
    blocks, seconds = act.since_the_lie(slash)
    return {
        "who": slash.role,
        "taken": str(slash.taken),
        "to_requester": str(slash.to_requester),
        "reporter": slash.reporter,
        "to_reporter": str(slash.to_reporter),
        "insured": str(slash.insured),
        "burned": str(slash.burned),
        "blocks_after_the_lie": blocks,
        "seconds_after_the_lie": seconds,
    }
