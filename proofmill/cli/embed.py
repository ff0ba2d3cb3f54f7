"""``proofmill embed``: a document in, exact embeddings out, paid for on chain."""

from __future__ import annotations

import os
import tempfile
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
from proofmill.client import MILL, Client, ClientSettings, EmbeddingResult, Terms
from proofmill.errors import ProofmillError
from proofmill.failures import report_failures
from proofmill.store import to_cid


class UnwritableOutput(ProofmillError):
    """The output file cannot be written; checked before anything is paid."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Where to write the embeddings (.npz)."
)
@click.option(
    "--price", type=AmountType(), default=10 * MILL, show_default="10", help="What you pay, in MILL."
)
@click.option(
    "--bond",
    type=AmountType(),
    default=25 * MILL,
    show_default="25",
    help="What the worker puts at risk, in MILL.",
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
@json_option
@report_failures
@settings_option
def embed(
    file: Path,
    out: Path,
    price: int,
    bond: int,
    worker: ChecksumAddress,
    model: bytes | None,
    claim_window: int,
    submit_window: int,
    as_json: bool,
    settings: ClientSettings,
) -> None:
    """Embed the sentences of FILE and write them to an .npz with the sentences beside the vectors."""
    sentences = read_sentences(file)
    check_writable(out)
    console = progress_console()
    console.print(f"{len(sentences)} sentences in {file}")
    with Client.open(settings, watch=StepPrinter(console)) as client:
        terms = Terms(
            price=price,
            bond=bond,
            claim_window=claim_window,
            submit_window=submit_window,
            provider=worker,
        )
        result = client.embed(sentences, model_id=model, terms=terms)
    save_embeddings(out, result, sentences)
    summary = {
        "job": result.job.id,
        "sentences": len(sentences),
        "dimensions": int(result.quantized.shape[1]),
        "worker": result.job.provider,
        "price": str(result.job.terms.price),
        "answer": to_cid(result.answer_id),
        "out": str(out),
    }
    if as_json:
        print_json(summary)
    else:
        result_console().print(
            f"{len(sentences)} embeddings written to {out}; job {result.job.id}, paid {format_amount(price)} to "
            f"{result.job.provider}"
        )


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
                answer_sha256=np.frombuffer(result.answer_id, dtype=np.uint8),
            )
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
