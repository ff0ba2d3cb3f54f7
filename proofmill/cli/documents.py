"""Reading the document a command was given, with an answer for each way in which it can be unusable."""

from __future__ import annotations

from pathlib import Path

from proofmill.errors import ProofmillError
from proofmill.jobs import MAXIMUM_DOCUMENT_BYTES, MAXIMUM_SEQUENCES, InvalidDocument, sentences_of


class UnreadableDocument(ProofmillError):
    """The file cannot be read."""


def read_sentences(file: Path, *, maximum: int = MAXIMUM_SEQUENCES) -> list[str]:
    """The sentences of `file`, in order.

    Raises:
        UnreadableDocument: there is no such file, or no right to read it.
        InvalidDocument: it is empty, not text, too large, or has more sentences than one job takes.
    """
    try:
        size = file.stat().st_size
        # One byte over the limit is enough for the size check below to speak; a larger file is not read.
        data = file.read_bytes() if size <= MAXIMUM_DOCUMENT_BYTES else bytes(0)
    except OSError as error:
        raise UnreadableDocument(
            f"{file} cannot be read: {error.strerror or error}",
            remedy="Name a text file that exists and is readable.",
        ) from error
    if size > MAXIMUM_DOCUMENT_BYTES:
        raise InvalidDocument(
            f"{file} has {size:,} bytes; one job takes a document of at most {MAXIMUM_DOCUMENT_BYTES:,}",
            remedy="Split it, for example with: split --line-bytes=1M FILE part-",
        )
    sentences = sentences_of(data)
    if len(sentences) > maximum:
        raise InvalidDocument(
            f"{file} has {len(sentences):,} sentences; one job takes at most {maximum:,}",
            remedy="Split it, for example with: split --line-bytes=200K FILE part-",
        )
    return sentences
