"""``proofmill model import``: a published model becomes an integer program in one file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from rich.markup import escape
from safetensors import SafetensorError

from proofmill.cli.console import json_option, print_json, result_console
from proofmill.cli.model.show import facts_of
from proofmill.cli.model.source import size_words, step
from proofmill.exact.errors import ModelUnavailable
from proofmill.exact.manifest.document import describe
from proofmill.exact.manifest.packed import write_packed
from proofmill.exact.models.catalogue import KNOWN_MODELS, known_model
from proofmill.exact.program.bounds import check_bounds
from proofmill.exact.program.model import Model, Profile
from proofmill.failures import report_failures

_UNWRITABLE = "Choose a place that can be written and has room."


@click.command("import")
@click.argument("source")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option(
    "--profile",
    type=click.Choice(["E16", "E16x"]),
    help="Weights of 8 bits (E16, the default), or of 15.",
)
@click.option("--name", help="What the model is called; default: from the source.")
@click.option(
    "--maximum-tokens", type=click.IntRange(1), help="Positions to keep; default: the model's, at most 2048."
)
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@json_option
@report_failures
def import_model(
    source: str,
    out: Path,
    profile: Profile | None,
    name: str | None,
    maximum_tokens: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Turn SOURCE into an integer program and write it to one packed file.

    SOURCE is a GGUF file (Llama family), a directory with config.json and safetensors files (BERT or Llama family), or the name
    of a known model. A model whose bounds cannot be proved is refused, with the operator and the reason.
    """
    check_output(out, force)
    with step(f"converting {source}"):
        model = convert(source, profile, name, maximum_tokens)
    with step("proving the bounds of every channel"):
        check_bounds(model)
    with step("hashing every weight"):
        manifest = describe(model)
    with step(f"writing {out}"):
        try:
            write_packed(out, manifest, model)
        except (OSError, SafetensorError) as error:
            raise ModelUnavailable(f"{out} cannot be written: {error}", remedy=_UNWRITABLE) from error
    if as_json:
        print_json({**facts_of(manifest, model), "file": str(out)})
        return
    result_console().print(
        f"model {manifest.model_id.hex()}\n{escape(str(out))}, {size_words(out.stat().st_size)}",
        soft_wrap=True,
    )


def check_output(out: Path, force: bool) -> None:
    """ModelUnavailable unless ``out`` can be written; asked before a conversion that may take minutes."""
    if out.exists() and not force:
        raise ModelUnavailable(f"{out} exists", remedy="Choose another file, or replace it with --force.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ModelUnavailable(f"{out} cannot be written: {error.strerror}", remedy=_UNWRITABLE) from error


def convert(source: str, profile: Profile | None, name: str | None, maximum_tokens: int | None) -> Model:
    """The model of a known name, a GGUF file or a directory."""
    path = Path(source)
    if not path.exists():
        if source in KNOWN_MODELS:
            if (profile, name, maximum_tokens) != (None, None, None):
                raise ModelUnavailable(
                    f"{source} is a packaged model: its profile, name and length are fixed",
                    remedy="Leave out --profile, --name and --maximum-tokens; names ending in x have profile E16x.",
                )
            return known_model(source).convert()
        raise ModelUnavailable(
            f"{source} is neither a file nor a directory nor a known model",
            remedy=f"Known models: {', '.join(KNOWN_MODELS)}.",
        )
    from proofmill.exact.importers.published import import_published

    return import_published(path, profile or "E16", name=name, maximum_tokens=maximum_tokens)
