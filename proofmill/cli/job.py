"""``proofmill job``: list your jobs, look at one, fetch its answer, take it back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from proofmill.chain import Job, JobState
from proofmill.chain.history import HistoryEntry, format_amount, job_history
from proofmill.cli.console import StepPrinter, json_option, print_json, progress_console, result_console
from proofmill.cli.embed import check_writable, save_embeddings
from proofmill.cli.settings_option import settings_option
from proofmill.client import Client, ClientSettings
from proofmill.failures import report_failures
from proofmill.store import to_cid


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
        table.add_row(str(current.id), current.state.name.lower(), format_amount(current.terms.price), worker)
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
        deliverable = client.suite.job_escrow.deliverable(job_id, posted_block=current.posted_block)
        entries = job_history(client.web3, client.deployment, job_id)
    if as_json:
        print_json(job_as_json(current, deliverable, entries))
        return
    console = result_console()
    for name, value in describe_job(current, deliverable):
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
        print_json({**summary_as_json(result.job), "answer": to_cid(result.answer_id), "out": str(out)})
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
        result_console().print(f"job {job_id} is cancelled, {format_amount(current.terms.price)} are back")


@job.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def refund(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """Settle JOB_ID if a deadline has passed; the price returns to its requester, whoever runs this."""
    with Client.open(settings, watch=StepPrinter(progress_console())) as client:
        client.refund(client.suite.job_escrow.job(job_id))
        after = client.suite.job_escrow.job(job_id)
    if as_json:
        print_json(summary_as_json(after))
    else:
        result_console().print(f"job {job_id} is {after.state.name.lower()}")


def describe_job(current: Job, deliverable: bytes | None) -> list[tuple[str, str]]:
    """The facts of a job, in the order in which one asks for them."""
    terms = current.terms
    facts = [
        ("job", f"{current.id} of escrow {current.escrow}"),
        ("state", current.state.name.lower()),
        ("requester", terms.requester),
        ("worker", current.provider if current.is_claimed else "none yet"),
        ("model", "0x" + terms.model_id.hex()),
        ("request", to_cid(terms.input_root)),
        ("answer", to_cid(deliverable) if deliverable else "none yet"),
        ("price", format_amount(terms.price)),
        ("bond", format_amount(terms.bond)),
    ]
    if not current.state.is_final:
        deadline = current.deadline if current.is_claimed else terms.claim_deadline
        verb = {JobState.SUBMITTED: "verdict"}.get(current.state, "answer" if current.is_claimed else "claim")
        facts.append((f"{verb} until", datetime.fromtimestamp(deadline, UTC).isoformat(sep=" ")))
    return facts


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
    return table


def summary_as_json(current: Job) -> dict[str, Any]:
    """One line of the list."""
    return {
        "job": current.id,
        "state": current.state.name.lower(),
        "requester": current.terms.requester,
        "worker": current.provider if current.is_claimed else None,
        "price": str(current.terms.price),
    }


def job_as_json(current: Job, deliverable: bytes | None, entries: list[HistoryEntry]) -> dict[str, Any]:
    """Everything `show` knows; amounts are strings of smallest units, times unix seconds."""
    terms = current.terms
    return {
        **summary_as_json(current),
        "escrow": current.escrow,
        "evaluator": terms.evaluator,
        "model_id": "0x" + terms.model_id.hex(),
        "request": to_cid(terms.input_root),
        "answer": to_cid(deliverable) if deliverable else None,
        "bond": str(terms.bond),
        "claim_deadline": terms.claim_deadline,
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
