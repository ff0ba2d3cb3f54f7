"""``proofmill model register``: answers of a model can be disputed from now on."""

from __future__ import annotations

import click
from rich.markup import escape

from proofmill.cli.console import json_option, print_json, progress_console, result_console
from proofmill.cli.model.source import model_argument, read_model, step
from proofmill.cli.settings_option import account_option
from proofmill.exact.trace.limits import MAXIMUM_LENGTH
from proofmill.failures import report_failures
from proofmill.model_registration import Registration
from proofmill.model_registration import register as register_model
from proofmill.operator import AccountSettings, OperatorAccount


@click.command()
@model_argument
@click.option("--uri", default="", help="Where others can fetch the model; announced, and checked by its id.")
@json_option
@report_failures
@account_option
def register(name: str, uri: str, as_json: bool, settings: AccountSettings) -> None:
    """Register MODEL with the registry, so that its answers can be disputed.

    Anyone may, and pays the gas. What others have registered is not sent again; interrupted, the command goes on where it was.
    """
    with step(f"reading {name}, hashing every weight, proving every bound"):
        manifest, _ = read_model(name)
    registration = Registration.of(manifest)
    console = progress_console()
    longest = manifest.description.maximum_tokens
    if longest > MAXIMUM_LENGTH:
        console.print(
            f"  [yellow]sequences of more than {MAXIMUM_LENGTH} tokens cannot be disputed; this model takes {longest}[/]",
            soft_wrap=True,
        )
    with OperatorAccount.unlock(settings) as account:
        outcome = register_model(
            registration,
            account.suite.model_registry,
            account.sender,
            uri=uri,
            report=lambda words: console.print(f"  {escape(words)}", soft_wrap=True),
        )
        known = account.suite.model_registry.model(registration.model_id)
    if as_json:
        print_json(
            {
                "model_id": registration.model_id.hex(),
                "program_root": registration.program_root.hex(),
                "operators": known.operators,
                "bounds_version": known.bounds_version,
                "flagged": known.is_flagged,
                "transactions": outcome.transactions,
                "gas_used": outcome.gas_used,
            }
        )
        return
    words = (
        f"{outcome.transactions} transactions, {outcome.gas_used} gas"
        if outcome.transactions
        else "nothing was left to do"
    )
    result_console().print(
        f"model {registration.model_id.hex()} is registered with {known.operators} operators: {words}",
        soft_wrap=True,
    )
    if known.is_flagged:
        result_console().print("[red]the registry's owner warns of this model: see ModelFlagged[/]")
