"""Real English prose that every Python installation carries: the language reference, as ``pydoc`` shows it."""

from __future__ import annotations

from collections.abc import Callable
from pydoc_data import topics


def reference_text() -> str:
    """The topics of ``help()`` one after the other in alphabetical order, about 465,000 characters with Python 3.11."""
    return "\n\n".join(topics.topics[name] for name in sorted(topics.topics))


def token_windows(encode: Callable[[str], list[int]], count: int, length: int) -> list[list[int]]:
    """``count`` runs of ``length`` consecutive tokens, evenly spread over the reference; RuntimeError if it is too short."""
    ids = encode(reference_text())
    if len(ids) < count * length:
        raise RuntimeError(f"the reference has {len(ids)} tokens, {count * length} wanted")
    spacing = (len(ids) - length) // max(1, count - 1)
    return [ids[index * spacing : index * spacing + length] for index in range(count)]
