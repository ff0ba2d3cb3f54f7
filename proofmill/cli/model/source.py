"""What a command means by MODEL: a known name, a model id, or a packed file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.markup import escape

from proofmill.cli.console import progress_console
from proofmill.exact.manifest.document import Manifest
from proofmill.exact.manifest.packed import names_a_file, read_packed
from proofmill.exact.models.catalogue import known_model, load_packed
from proofmill.exact.program.model import Model

model_argument = click.argument("name", metavar="MODEL")


def read_model(name: str) -> tuple[Manifest, Model]:
    """The manifest and the checked tensors of MODEL; a known model is converted if it is not cached yet."""
    if names_a_file(name):
        return read_packed(Path(name))
    return load_packed(known_model(name))


@contextmanager
def step(words: str) -> Iterator[None]:
    """Say on standard error what is being done and, once it is, how long it took."""
    console = progress_console()
    start = time.perf_counter()
    words = escape(words)
    with console.status(words):
        yield
    console.print(f"  {words} [dim]{time.perf_counter() - start:.1f} s[/]", soft_wrap=True)


def size_words(size: float) -> str:
    """Bytes as people write them."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"
