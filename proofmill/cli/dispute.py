"""``proofmill dispute``: doubt the answer to a job, prove it wrong, look at the doubts of others."""

from __future__ import annotations

import sys

import click
from rich.table import Table

from proofmill.chain.history import format_amount
from proofmill.cli.console import StepPrinter, json_option, print_json, progress_console, result_console
from proofmill.cli.settings_option import settings_option
from proofmill.cli.values import AmountType
from proofmill.client import Client, ClientSettings
from proofmill.disputes.inquiry import CaseView, Inquiry
from proofmill.disputes.matter import KnownModels, Reruns
from proofmill.disputes.prosecution import Progress
from proofmill.failures import report_failures
from proofmill.jobs import minilm_engine

OUTCOMES = {
    Progress.WON: "won: the answer is refuted, the bond is back, and the reward is the first challenger's",
    Progress.LOST: "lost: the challenger's clock ran out, and the bond is gone",
    Progress.OVER: "over without a decision, the bond is back",
    Progress.NOTHING_WRONG: "nothing can be proved against the answer; the bond is lost when the clock runs out",
}

budget_option = click.option(
    "--budget",
    type=AmountType(),
    metavar="ETHER",
    help="Most ether that the dispute may cost in gas; it is not begun if it could cost more.",
)


@click.group()
def dispute() -> None:
    """Doubts about answers, decided by arithmetic."""


@dispute.command("open")
@click.argument("job_id", type=click.IntRange(1))
@budget_option
@click.option(
    "--watch/--no-watch",
    default=True,
    help="Play the dispute to its end (the default), or only open it: its clock runs all the same.",
)
@json_option
@report_failures
@settings_option
def open_dispute(
    job_id: int, budget: int | None, watch: bool, as_json: bool, settings: ClientSettings
) -> None:
    """Run job JOB_ID again and, if its answer is wrong, prove that on chain.

    A challenge posts a bond, which comes back with a reward when the answer is refuted. A right answer is not challenged.
    """
    with Client.open(settings, watch=StepPrinter(progress_console())) as client:
        inquiry = _inquiry(client, job_id, budget)
        inquiry.examine()
        challenge_id = inquiry.open()
        standing = inquiry.play(challenge_id) if watch else None
    _print_standing(job_id, challenge_id, standing, as_json=as_json)


@dispute.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def watch(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """Go on with your challenge of job JOB_ID, after an interruption or `open --no-watch`, until it has ended."""
    with Client.open(settings, watch=StepPrinter(progress_console())) as client:
        inquiry = _inquiry(client, job_id, None)
        challenge_id = inquiry.resume()
        standing = inquiry.play(challenge_id)
    _print_standing(job_id, challenge_id, standing, as_json=as_json)


@dispute.command()
@click.argument("job_id", type=click.IntRange(1))
@json_option
@report_failures
@settings_option
def status(job_id: int, as_json: bool, settings: ClientSettings) -> None:
    """Show who doubts the answer to JOB_ID, and whose move it is."""
    with Client.open(settings) as client:
        view = Inquiry(client, job_id).view()
    if as_json:
        print_json(_view_as_json(view))
        return
    console = result_console()
    console.print(f"[bold]job {job_id}[/]  {view.standing}", soft_wrap=True)
    if not view.challenges:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("challenge", justify="right")
    for heading in ("challenger", "bond", "questions"):
        table.add_column(heading)
    table.add_column("how it stands", overflow="fold")
    for each in view.challenges:
        table.add_row(
            str(each.id), each.challenger, format_amount(each.bond), str(each.questions), each.standing
        )
    console.print(table)


def _inquiry(client: Client, job_id: int, budget: int | None) -> Inquiry:
    return Inquiry(client, job_id, engine=minilm_engine(), reruns=Reruns(KnownModels()), budget=budget)


def _print_standing(job_id: int, challenge_id: int, standing: Progress | None, *, as_json: bool) -> None:
    """The result; the exit code is 0 unless the dispute was lost or will be."""
    if as_json:
        print_json(
            {"job": job_id, "challenge": challenge_id, "result": standing.value if standing else "open"}
        )
    elif standing is None:
        result_console().print(
            f"challenge {challenge_id} is open and its clock runs; go on with: proofmill dispute watch {job_id}",
            soft_wrap=True,
        )
    else:
        result_console().print(f"challenge {challenge_id}: {OUTCOMES[standing]}", soft_wrap=True)
    if standing in (Progress.LOST, Progress.NOTHING_WRONG):
        sys.exit(1)


def _view_as_json(view: CaseView) -> dict[str, object]:
    """Amounts are strings of smallest units."""
    return {
        "job": view.job_id,
        "standing": view.standing,
        "challenges": [
            {
                "challenge": each.id,
                "challenger": each.challenger,
                "bond": str(each.bond),
                "questions": each.questions,
                "standing": each.standing,
            }
            for each in view.challenges
        ],
    }
