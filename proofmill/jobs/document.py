"""Turn a document into the sentences that an embedding job embeds.

The document is plain text or Markdown, in UTF-8. Only running text becomes sentences: headings, tables, code
blocks, link targets and emphasis marks are left out, hard-wrapped lines are joined. docs/JOBS.md states the
rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex  # type: ignore[import-untyped]  # it ships no annotations

from proofmill.jobs.errors import InvalidDocument

MAXIMUM_DOCUMENT_BYTES = 2 * 1024 * 1024
MINIMUM_WORDS = 3
_MAXIMUM_CONTROL_SHARE = 0.01
_WINDOW_CHARACTERS = 4_096
_LONGEST_PIECE_CHARACTERS = 4 * _WINDOW_CHARACTERS

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_SETEXT_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)\s*")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*")
_QUOTE = re.compile(r"\s{0,3}(?:>\s?)+")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
# Matched against a stripped line: two adjoining runs of optional space would backtrack in quadratic time.
_TABLE_DELIMITER = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_LINK_DEFINITION = re.compile(r" {0,3}\[[^\]]{1,200}\]:\s*\S+(?:\s+[\"'(].*)?")
_FRONT_MATTER = re.compile(r"---[ \t]*\n[\w-]{1,100}:.*?\n---[ \t]*\n", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]\[]{0,500}\]\([^()\s]{0,2000}\)")
_LINK = re.compile(r"\[([^\]\[]{1,500})\]\([^()\s]{0,2000}\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)([^*_]{1,2000}?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=\S)([^*]{1,2000}?)(?<=\S)\*(?![\w*])")
_CODE_SPAN = re.compile(r"`([^`]{1,2000})`")
# A word is a run of letters and digits; Chinese, Japanese and Korean characters count one by one, as those
# scripts write no spaces that would separate words.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)


def sentences_of(text: bytes | str, *, language: str = "en") -> list[str]:
    """Return the document's sentences in their order, each on one line; ``InvalidDocument`` if there is none.

    A piece with fewer than three words is no sentence and is left out. Long sentences are kept whole (up to
    16,384 characters): whether
    one is too long is the model's tokenizer to say.
    """
    document = _decode(text)
    sentences = [
        sentence
        for paragraph in _paragraphs_of(document)
        for piece in _segment(language, paragraph)
        if _is_sentence(sentence := " ".join(piece.split()))
    ]
    if not sentences:
        raise InvalidDocument(
            "the document has no sentence",
            remedy=f"Give running text, not headings, tables, code or pieces under {MINIMUM_WORDS} words.",
        )
    return sentences


def _segment(language: str, paragraph: str) -> Iterator[str]:
    """Yield the pieces of a paragraph. A long one is segmented a window at a time, because sentencex takes
    quadratic time on text that has many full stops and no spaces, as Chinese and Japanese have.
    """
    start, size = 0, _WINDOW_CHARACTERS
    while len(paragraph) - start > size:
        pieces = list(sentencex.segment(language, paragraph[start : start + size]))
        if len(pieces) == 1 and size < _LONGEST_PIECE_CHARACTERS:
            size *= 2
            continue
        # The last piece may go on beyond the window, so it starts the next one.
        finished = pieces[:-1] or pieces
        yield from finished
        start += sum(map(len, finished))
        size = _WINDOW_CHARACTERS
    yield from sentencex.segment(language, paragraph[start:])


def _decode(text: bytes | str) -> str:
    try:
        data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        raise InvalidDocument(
            f"character {error.start} is half a surrogate pair", remedy="Decode the document as UTF-8."
        ) from error
    if len(data) > MAXIMUM_DOCUMENT_BYTES:
        raise InvalidDocument(
            f"the document has {len(data):,} bytes, over the limit of {MAXIMUM_DOCUMENT_BYTES:,}",
            remedy="Split it and post one job for each part.",
        )
    if b"\x00" in data:
        raise InvalidDocument(
            "the document is binary: it has zero bytes", remedy="Give plain text or Markdown."
        )
    try:
        document = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocument(
            f"byte {error.start} is not UTF-8", remedy="Save the document as UTF-8, or give its text."
        ) from error
    if not document.strip():
        raise InvalidDocument("the document is empty", remedy="Give at least one sentence.")
    control_count = len(_CONTROL.findall(document))
    if control_count > _MAXIMUM_CONTROL_SHARE * len(document):
        raise InvalidDocument(
            f"the document is binary: {control_count:,} of {len(document):,} characters are controls",
            remedy="Give plain text or Markdown.",
        )
    document = _CONTROL.sub(" ", document.replace("\r\n", "\n"))
    front_matter = _FRONT_MATTER.match(document)
    return _without_comments(document[front_matter.end() :] if front_matter else document)


def _without_comments(document: str) -> str:
    # Not a regular expression: on many openings without an end one would search to the end for each.
    kept: list[str] = []
    position = 0
    while True:
        start = document.find("<!--", position)
        end = document.find("-->", start + 4) if start >= 0 else -1
        if end < 0:
            kept.append(document[position:])
            return " ".join(kept)
        kept.append(document[position:start])
        position = end + 3


def _paragraphs_of(document: str) -> Iterator[str]:
    """Yield the running text, a paragraph or list item at a time, its lines joined by spaces."""
    lines: list[str] = []
    for line in [*_lines_of_text(document), ""]:
        item = _LIST_ITEM.match(line)
        if lines and (item or not line.strip()):
            yield _without_marks(" ".join(lines))
            lines = []
        content = line[item.end() :] if item else line
        if content.strip():
            lines.append(content.strip())


def _lines_of_text(document: str) -> list[str]:
    """Return the lines, with an empty line in place of each that is not running text."""
    result: list[str] = []
    closing_fence = ""
    is_table = False
    for raw_line in document.splitlines():
        line = _QUOTE.sub("", raw_line, count=1) if _QUOTE.match(raw_line) else raw_line
        fence = _FENCE.match(line)
        if closing_fence:
            # A fence closes with at least as many of the same marks and nothing after them (CommonMark).
            if fence and fence[1].startswith(closing_fence) and not fence[2].strip():
                closing_fence = ""
            line = ""
        elif fence and not (fence[1][0] == "`" and "`" in fence[2]):
            closing_fence = fence[1]
            line = ""
        elif "|" in line and _TABLE_DELIMITER.fullmatch(line.strip()):
            if result:
                result[-1] = ""  # the line above the delimiter is the table's header
            is_table = True
            line = ""
        elif _SETEXT_UNDERLINE.fullmatch(line) and result and result[-1].strip():
            # A single underlined line is a heading; under a paragraph or a list item the line is a rule.
            if (len(result) < 2 or not result[-2].strip()) and not _LIST_ITEM.match(result[-1]):
                result[-1] = ""
            line = ""
        elif line.lstrip().startswith("|") or (is_table and "|" in line):
            line = ""
        elif _HEADING.match(line) or _RULE.fullmatch(line) or _LINK_DEFINITION.fullmatch(line):
            is_table = False
            line = ""
        else:
            is_table = False
        result.append(line)
    return result


def _without_marks(text: str) -> str:
    text = _IMAGE.sub(" ", text)
    text = _LINK.sub(r"\1", text)
    text = _CODE_SPAN.sub(r"\1", text)
    text = _STRONG.sub(r"\2", text)
    return _EMPHASIS.sub(r"\1", text)


def _is_sentence(text: str) -> bool:
    return len(_WORD.findall(text)) >= MINIMUM_WORDS
