"""Real English sentences that every Python installation carries: documentation strings of the standard library."""

from __future__ import annotations

import importlib
import inspect
import re

import sentencex

MODULES = (
    "argparse", "asyncio", "bisect", "calendar", "collections", "concurrent.futures", "configparser", "contextlib",
    "csv", "datetime", "decimal", "difflib", "email.message", "enum", "fractions", "functools", "heapq", "hashlib",
    "html.parser", "http.client", "ipaddress", "itertools", "json", "logging", "math", "multiprocessing.pool",
    "os", "pathlib", "pickle", "queue", "random", "re", "sched", "secrets", "shutil", "socket", "sqlite3",
    "statistics", "string", "subprocess", "tempfile", "textwrap", "threading", "timeit", "turtle", "types", "typing",
    "unittest", "urllib.request", "uuid", "weakref", "zipfile",
)  # fmt: skip

#: A sentence: starts with a capital letter, ends with a stop, and is mostly words rather than code.
_SENTENCE = re.compile(r"[A-Z][a-z].*[a-z)'\"][.!?]")
_CODE = re.compile(r"[_=<>\[\]{}|\\]|>>>|--|::|\(\)")


def _documents() -> list[str]:
    texts = []
    for name in MODULES:
        module = importlib.import_module(name)
        members = [module, *(value for _, value in sorted(vars(module).items()) if callable(value))]
        for member in members:
            document = inspect.getdoc(member)
            if document:
                texts.append(document)
            if inspect.isclass(member) and member.__module__.startswith(name.split(".")[0]):
                methods = (value for _, value in sorted(vars(member).items()) if inspect.isfunction(value))
                texts.extend(document for document in map(inspect.getdoc, methods) if document)
    return texts


def real_sentences(count: int) -> list[str]:
    """``count`` different sentences, evenly spread over all that were found, the same on every run."""
    found: dict[str, None] = {}
    for document in _documents():
        for paragraph in re.split(r"\n\s*\n", document):
            for sentence in sentencex.segment("en", " ".join(paragraph.split())):
                text = sentence.strip()
                words = text.split()
                if 5 <= len(words) <= 60 and _SENTENCE.fullmatch(text) and not _CODE.search(text):
                    found[text] = None
    sentences = list(found)
    if len(sentences) < count:
        raise RuntimeError(f"only {len(sentences)} sentences found, {count} wanted")
    return [sentences[index * len(sentences) // count] for index in range(count)]
