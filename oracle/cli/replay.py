"""``python -m oracle replay``: run judged jobs again and compare."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from oracle.cli.settings_option import settings_option
from oracle.config import OracleSettings
from oracle.inspection import Inspection
from proofmill.cli.console import json_option, print_json, progress_console, result_console
from proofmill.failures import EXIT_FAILED, report_failures

if TYPE_CHECKING:
    from oracle.replay import Replayed


@click.command()
@click.argument("jobs", type=click.IntRange(1), nargs=-1, metavar="[JOB]...")
@click.option("--first", type=click.IntRange(1), help="First job of a range.")
@click.option("--last", type=click.IntRange(1), help="Last job of the range; default: the newest.")
@json_option
@report_failures
@settings_option
def replay(
    jobs: tuple[int, ...], first: int | None, last: int | None, as_json: bool, settings: OracleSettings
) -> None:
    """Run jobs again and compare with what this member found and with what the chain did.

    Without a number or a range, all jobs about which the member has found something. Nothing is sent and no finding changed;
    the service may run or not. The status is 1 if anything differs, or if no job could be run.
    """
    # PyTorch takes seconds to import.
    from oracle.ballots import Ballots
    from oracle.replay import NothingReplayed, Replay
    from proofmill.jobs import identify, minilm_engine
    from proofmill.store import BlobFetcher, DirectoryStore

    if jobs and (first or last):
        raise click.UsageError("give numbers of jobs or a range, not both")
    with Inspection.open(settings) as inspection:
        escrow = inspection.suite.job_escrow
        store = DirectoryStore(
            settings.data_directory / "blobs", quota_bytes=settings.quota_bytes, identify=identify
        )
        with BlobFetcher(store, list(settings.peers.values())) as fetcher:
            task = Replay(escrow, Ballots(inspection.database), fetcher, minilm_engine())
            chosen: Sequence[int] = jobs
            if first is not None or last is not None:
                chosen = range(first or 1, (last or escrow.job_count()) + 1)
            elif not jobs:
                chosen = task.findings()
            progress = progress_console()
            results = []
            for number in chosen:
                results.append(task.run(number))
                progress.print(f"  job {number}: {_word(results[-1])}", highlight=False, soft_wrap=True)
    differing = [item for item in results if item.differences]
    if as_json:
        print_json({"jobs": [_plain(item) for item in results], "differing": len(differing)})
    else:
        _print(results)
    if chosen and not any(item.outcome for item in results):
        raise NothingReplayed(
            f"none of {len(results)} jobs could be run again",
            remedy="See above what kept each: requests are fetched from the member's store and from its peers.",
        )
    if differing:
        sys.exit(EXIT_FAILED)


def _print(results: Sequence[Replayed]) -> None:
    console = result_console()
    if not results:
        console.print("nothing to run again: this member has found nothing yet")
        return
    table = Table()
    for column in ("job", "on chain", "found", "now", "remarks"):
        table.add_column(column, overflow="fold")
    for item in results:
        found = "–" if item.found is None else item.found.name.lower()
        now = "–" if item.outcome is None else item.outcome.name.lower()
        remarks = "\n".join(item.differences) or item.obstacle
        table.add_row(str(item.job_id), item.state, found, now, remarks)
    console.print(table)
    counted = sum(bool(item.outcome) for item in results)
    differing = sum(bool(item.differences) for item in results)
    console.print(f"{counted} of {len(results)} jobs were run again, {differing} differ", highlight=False)


def _word(item: Replayed) -> str:
    if item.outcome is None:
        return f"not run: {item.obstacle}"
    return "; ".join(item.differences) or f"{item.outcome.name.lower()}, as found and as on chain"


def _plain(item: Replayed) -> dict[str, Any]:
    return {
        "job": item.job_id,
        "state": item.state,
        "found": None if item.found is None else item.found.name.lower(),
        "now": None if item.outcome is None else item.outcome.name.lower(),
        "computed": None if item.computed is None else "0x" + item.computed.hex(),
        "differences": list(item.differences),
        "obstacle": item.obstacle or None,
    }
