"""``proofmill job``: list your jobs, look at one, fetch its answer, take it back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from proofmill.chain import Job, JobState, JobTerms, StageFlag
from proofmill.chain.history import HistoryEntry, format_amount, job_history
from proofmill.cli.console import StepPrinter, json_option, print_json, progress_console, result_console
from proofmill.cli.embed import check_writable, save_embeddings
from proofmill.cli.settings_option import settings_option
from proofmill.client import Client, ClientSettings
from proofmill.deterrence import Deterrence
from proofmill.failures import report_failures
from proofmill.store import describe


@click.group()
def job() -> None:
    """Jobs on chain."""


@job.command("list")
@click.option("--all", "everybody", is_flag=True, help="Jobs of every requester, not only your own.")
@json_option
@report_failures
@settings_option
def list_jobs(everybody: bool, as_json: bool, settings: ClientSettings) -> None:
    """List your jobs, oldest first: what became of them, and which still hold money of yours."""
    with Client.open(settings) as client:
        jobs = client.jobs(everybody=everybody)
    if as_json:
        print_json({"jobs": [summary_as_json(current) for current in jobs]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("job", justify="right")
    for heading in ("state", "price", "worker"):
        table.add_column(heading)
    for current in jobs:
        worker = current.provider if current.is_claimed else ""
        table.add_row(str(current.id), current.state.name.lower(), format_amount(current.price), worker)
    result_console().print(table if jobs else "no jobs yet")


@job.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def show(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """Show job JOB_ID: its terms, its state, and every transaction that touched it."""
    with Client.open(settings) as client:
        current = client.suite.job_escrow.job(job_id)
        entries = job_history(client.web3, client.deployment, job_id)
    if as_json:
        print_json(job_as_json(current, entries))
        return
    console = result_console()
    for name, value in describe_job(current):
        console.print(f"[bold]{name:<12}[/] {value}", soft_wrap=True)
    console.print(history_table(entries))


@job.command()
@click.argument("job_id", type=click.IntRange(1))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Where to write the embeddings (.npz)."
)
@json_option
@report_failures
@settings_option
def fetch(job_id: int, out: Path, as_json: bool, settings: ClientSettings) -> None:
    """Wait for JOB_ID to be completed and write its answer, for example after an interrupted `embed`."""
    check_writable(out)
    with Client.open(settings, watch=StepPrinter(progress_console())) as client:
        result = client.collect(client.wait(job_id))
    save_embeddings(out, result, [])
    if as_json:
        print_json({**summary_as_json(result.job), "answer": describe(result.answer_id), "out": str(out)})
    else:
        result_console().print(f"{len(result.quantized)} embeddings written to {out}")


@job.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def cancel(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """Take JOB_ID back before a worker has claimed it; the price returns to you."""
    with Client.open(settings) as client:
        current = client.suite.job_escrow.job(job_id)
        client.cancel(current)
        after = client.suite.job_escrow.job(job_id)
    if as_json:
        print_json(summary_as_json(after))
    else:
        result_console().print(
            f"job {job_id} is cancelled, {format_amount(current.terms.price_ceiling)} are back"
        )


@job.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def refund(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """Settle JOB_ID if a deadline has passed, and take what the escrow keeps for you.

    The price returns to its requester, whoever runs this. Change of a price below its ceiling, and a refund that the token
    refused, wait in the escrow until somebody asks.
    """
    with Client.open(settings, watch=StepPrinter(progress_console())) as client:
        before = client.suite.job_escrow.job(job_id)
        if not before.state.is_final:
            client.settle(before)
        withdrawn = client.withdraw(before.terms.payment_token)
        after = client.suite.job_escrow.job(job_id)
    if as_json:
        print_json({**summary_as_json(after), "withdrawn": str(withdrawn)})
    else:
        result_console().print(
            f"job {job_id} is {describe_stage(after)}; {format_amount(withdrawn)} withdrawn"
        )


@job.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def finalize(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """End JOB_ID by the silence of everybody else, once its deadline has passed: an exact job is then paid."""
    with Client.open(settings, watch=StepPrinter(progress_console())) as client:
        client.settle(client.suite.job_escrow.job(job_id))
        after = client.suite.job_escrow.job(job_id)
    if as_json:
        print_json(summary_as_json(after))
    else:
        result_console().print(f"job {job_id} is {describe_stage(after)}")


def describe_stage(current: Job) -> str:
    """The state, and why it ended or how far within the state it is."""
    name = current.state.name.lower()
    if current.state.is_final:
        return f"{name} ({current.close_reason.name.lower().replace('_', ' ')})"
    if current.flags:
        return f"{name} ({', '.join(flag.name.lower() for flag in StageFlag if flag in current.flags and flag.name)})"
    return name


def describe_job(current: Job) -> list[tuple[str, str]]:
    """The facts of a job, in the order in which one asks for them."""
    terms = current.terms
    facts = [
        ("job", f"{current.id} of escrow {current.escrow}"),
        ("state", describe_stage(current)),
        ("requester", terms.requester),
        ("worker", current.provider if current.is_claimed else "none yet"),
        ("model", "0x" + current.model_id.hex()),
        ("request", describe(current.input_root)),
        ("answer", describe(current.deliverable) if current.deliverable else "none yet"),
        ("price", describe_price(current)),
        ("bond", format_amount(terms.bond)),
        ("lying", str(deterrence_of(terms))),
    ]
    if not current.state.is_final:
        deadline = current.deadline
        verb = {JobState.SUBMITTED: "verdict"}.get(current.state, "answer" if current.is_claimed else "claim")
        facts.append((f"{verb} until", datetime.fromtimestamp(deadline, UTC).isoformat(sep=" ")))
    return facts


def deterrence_of(terms: JobTerms) -> Deterrence:
    """What a wrong answer would cost the worker of a job, against what it would win."""
    return Deterrence(terms.rates.ceiling_in_stake, terms.bond)


def describe_price(current: Job) -> str:
    """What is paid, or between what it will be."""
    terms = current.terms
    if current.is_claimed or terms.price_floor == terms.price_ceiling:
        return format_amount(current.price)
    floor, ceiling = format_amount(terms.price_floor), format_amount(terms.price_ceiling)
    return f"{floor} to {ceiling}, rising for {terms.schedule.ramp} s"


def history_table(entries: list[HistoryEntry]) -> Table:
    """One row per transaction: where, what, and what it cost."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("block", justify="right")
    table.add_column("call")
    table.add_column("gas", justify="right")
    table.add_column("what happened")
    for entry in entries:
        what = "; ".join(entry.descriptions())
        table.add_row(
            str(entry.block_number), f"{entry.contract}.{entry.function}", f"{entry.gas_used:,}", what
        )
    if entries:
        table.add_row("", "[bold]together[/]", f"[bold]{sum(entry.gas_used for entry in entries):,}[/]", "")
    return table


def summary_as_json(current: Job) -> dict[str, Any]:
    """One line of the list."""
    return {
        "job": current.id,
        "state": current.state.name.lower(),
        "requester": current.terms.requester,
        "worker": current.provider if current.is_claimed else None,
        "close_reason": current.close_reason.name.lower() if current.state.is_final else None,
        "price": str(current.price),
    }


def job_as_json(current: Job, entries: list[HistoryEntry]) -> dict[str, Any]:
    """Everything `show` knows; amounts are strings of smallest units, times unix seconds."""
    terms = current.terms
    return {
        **summary_as_json(current),
        "escrow": current.escrow,
        "evaluator": terms.evaluator,
        "model_id": "0x" + current.model_id.hex(),
        "request": describe(current.input_root),
        "answer": describe(current.deliverable) if current.deliverable else None,
        "arbiter": terms.arbiter if terms.is_exact else None,
        "payment_token": terms.payment_token,
        "price_floor": str(terms.price_floor),
        "price_ceiling": str(terms.price_ceiling),
        "ramp": terms.schedule.ramp,
        "bond": str(terms.bond),
        "lying_pays": not deterrence_of(terms).holds,
        "claim_deadline": terms.schedule.claim_deadline,
        "deadline": current.deadline or None,
        "history": history_as_json(entries),
    }


def history_as_json(entries: list[HistoryEntry]) -> list[dict[str, Any]]:
    return [
        {
            "block": entry.block_number,
            "time": entry.block_time,
            "transaction": "0x" + entry.transaction_hash.hex(),
            "from": entry.sender,
            "call": f"{entry.contract}.{entry.function}",
            "gas": entry.gas_used,
            "events": entry.descriptions(),
        }
        for entry in entries
    ]
