"""``proofmill embed``: a document in, exact embeddings out, paid for on chain."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from eth_typing import ChecksumAddress

from proofmill.chain.history import format_amount
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.cli.console import StepPrinter, json_option, print_json, progress_console, result_console
from proofmill.cli.documents import read_sentences
from proofmill.cli.settings_option import settings_option
from proofmill.cli.values import AddressType, AmountType, ModelIdType
from proofmill.client import Client, ClientSettings, EmbeddingResult, Terms
from proofmill.deterrence import BOND_MULTIPLE
from proofmill.errors import ProofmillError
from proofmill.failures import report_failures
from proofmill.store import describe


class UnwritableOutput(ProofmillError):
    """The output file cannot be written; checked before anything is paid."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Where to write the embeddings (.npz)."
)
@click.option("--price", type=AmountType(), help="What you pay, in MILL.  [default: 10]")
@click.option("--price-floor", type=AmountType(), help="What you pay a worker that claims at once, in MILL.")
@click.option(
    "--price-ceiling", type=AmountType(), help="What you pay at most, in MILL; the rest comes back."
)
@click.option(
    "--ramp", type=click.IntRange(1), help="Seconds from floor to ceiling.  [default: the claim window]"
)
@click.option(
    "--bond",
    type=AmountType(),
    help=(
        "What a worker loses if it lies, in MILL; at least the price at the escrow's bond rate. A lower bond than the "
        "default may make lying pay, and leaves a late worker with next to no penalty.  "
        f"[default: {BOND_MULTIPLE} x that least]"
    ),
)
@click.option(
    "--worker",
    type=AddressType(),
    default=EMPTY_ADDRESS,
    help="The only worker that may take it; default: any.",
)
@click.option("--model", type=ModelIdType(), help="Model id; default: MiniLM E16.")
@click.option(
    "--claim-window",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="Seconds for a worker to claim.",
)
@click.option(
    "--submit-window",
    type=click.IntRange(1),
    default=600,
    show_default=True,
    help="Seconds for the worker to answer.",
)
@click.option(
    "--tier", type=click.IntRange(0, 255), default=0, show_default=True, help="Least tier of the worker."
)
@click.option("--reopen", is_flag=True, help="Let another worker take over from one that is late.")
@click.option(
    "--exact", is_flag=True, help="Let the arithmetic decide, if the escrow has an arbiter: silence pays."
)
@json_option
@report_failures
@settings_option
def embed(
    file: Path,
    out: Path,
    price: int | None,
    price_floor: int | None,
    price_ceiling: int | None,
    ramp: int | None,
    bond: int | None,
    worker: ChecksumAddress,
    model: bytes | None,
    claim_window: int,
    submit_window: int,
    tier: int,
    reopen: bool,
    exact: bool,
    as_json: bool,
    settings: ClientSettings,
) -> None:
    """Embed the sentences of FILE and write them to an .npz with the sentences beside the vectors."""
    offered = _price(price, price_floor, price_ceiling, ramp, claim_window)
    sentences = read_sentences(file)
    check_writable(out)
    console = progress_console()
    console.print(f"{len(sentences)} sentences in {file}")
    with Client.open(settings, watch=StepPrinter(console)) as client:
        terms = replace(
            offered,
            bond=bond,
            claim_window=claim_window,
            submit_window=submit_window,
            provider=worker,
            tier=tier,
            reopens=reopen,
            is_exact=exact,
        )
        result = client.embed(sentences, model_id=model, terms=terms)
    save_embeddings(out, result, sentences)
    summary = {
        "job": result.job.id,
        "sentences": len(sentences),
        "dimensions": int(result.quantized.shape[1]),
        "worker": result.job.provider,
        "price": str(result.job.price),
        "answer": describe(result.answer_id),
        "out": str(out),
    }
    if as_json:
        print_json(summary)
    else:
        result_console().print(
            f"{len(sentences)} embeddings written to {out}; job {result.job.id}, paid {format_amount(result.job.price)} to "
            f"{result.job.provider}"
        )


def _price(
    price: int | None, floor: int | None, ceiling: int | None, ramp: int | None, claim_window: int
) -> Terms:
    """The part of the terms that says what is paid: either a fixed price, or one that rises."""
    if floor is None and ceiling is None and ramp is None:
        return Terms() if price is None else Terms(price=price)
    if price is not None:
        raise click.UsageError(
            "--price is fixed; --price-floor, --price-ceiling and --ramp are for one that rises"
        )
    if floor is None or ceiling is None:
        raise click.UsageError("a price that rises needs --price-floor and --price-ceiling")
    if floor > ceiling:
        raise click.BadParameter("is above --price-ceiling", param_hint="--price-floor")
    return Terms(price=ceiling, price_floor=floor, ramp=ramp or claim_window)


def check_writable(out: Path) -> None:
    """Fail before money moves if the answer could not be kept."""
    folder = out.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or out.is_dir():
        raise UnwritableOutput(
            f"{out} cannot be written", remedy="Give --out a file in a folder that you may write to."
        )


def save_embeddings(out: Path, result: EmbeddingResult, sentences: list[str]) -> None:
    """Write `out` as a whole or not at all: the exact integers, their format, the float vectors, the sentences."""
    handle, name = tempfile.mkstemp(dir=out.resolve().parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(
                file,
                quantized=result.quantized,
                fraction_bits=np.int64(result.fraction_bits),
                embeddings=result.embeddings,
                sentences=np.array(sentences, dtype=np.str_),
                answer_root=np.frombuffer(result.answer_id, dtype=np.uint8),
            )
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
