"""Documents to sentences: what is kept, what is left out, what is refused."""

from __future__ import annotations

import time

import pytest

from proofmill.jobs import MAXIMUM_DOCUMENT_BYTES, InvalidDocument, sentences_of

MARKDOWN = """\
---
title: Some front matter
author: nobody at all
---

# A heading with several words

Setext heading of four words
============================

Proofs are milled here
from *whole* integers. Dr. Smith paid 3.5 **tokens** for `one` of [these proofs](http://example.org/a_b).
He was happy!

<!-- a comment. It is
not for readers. -->
- the first item has words
- [x] the second item too
  goes on here
1. a numbered item follows

> Quoted text is text. So is this one.
>
> ```
> not this code here
> ```

```python
print("this is code. Not a sentence.")
```

| column one | column two here |
| --- | --- |
| cell of words | another cell of words |

name of thing | value of thing
--- | ---
a long name | a long value

![an image of words](image.png)
[1]: http://example.org/definition "Its title here"

***

Ok. No. The last words stand alone
"""


def test_sentences_of__markdown__keeps_running_text_in_order() -> None:
    assert sentences_of(MARKDOWN) == [
        "Proofs are milled here from whole integers.",
        "Dr. Smith paid 3.5 tokens for one of these proofs.",
        "He was happy!",
        "the first item has words",
        "the second item too goes on here",
        "a numbered item follows",
        "Quoted text is text.",
        "So is this one.",
        "The last words stand alone",
    ]


def test_sentences_of__bytes_or_text_or_line_endings__are_the_same() -> None:
    expected = sentences_of(MARKDOWN)
    assert sentences_of(MARKDOWN.encode()) == expected
    assert sentences_of(b"\xef\xbb\xbf" + MARKDOWN.encode()) == expected
    assert sentences_of(MARKDOWN.replace("\n", "\r\n")) == expected
    assert sentences_of("\ufeff" + MARKDOWN) == expected


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One two three", ["One two three"]),
        ("One two.\nThree four five.", ["Three four five."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("2 * 3 * 4 is not emphasis.", ["2 * 3 * 4 is not emphasis."]),
        ("snake_case_name stays as it is.", ["snake_case_name stays as it is."]),
        ("A list item follows:\n- item with a rule\n---\nThen more text comes.", [
            "A list item follows:", "item with a rule", "Then more text comes."]),
        ("First line here\nsecond line here\n---\nThird line is here.", [
            "First line here second line here", "Third line is here."]),
        ("An unclosed comment stays <!-- as text.", ["An unclosed comment stays <!"]),
        ("Before the code.\n````\n```\ninner code text here\n```\n````\nAfter the code.", [
            "Before the code.", "After the code."]),
        ("Text before the fence.\n```\nnever closed code block", ["Text before the fence."]),
        ("Pipes | are fine here, no table.", ["Pipes | are fine here, no table."]),
        ("Spaces\u00a0 and\ttabs   are one.", ["Spaces and tabs are one."]),
    ],
)  # fmt: skip
def test_sentences_of__special_cases__follow_the_rules(text: str, sentences: list[str]) -> None:
    assert sentences_of(text) == sentences


def test_sentences_of__long_sentence__is_kept_whole() -> None:
    text = "word " * 3000 + "end."
    assert sentences_of(text) == [text]


def test_sentences_of__long_paragraph__is_cut_only_between_sentences() -> None:
    sentences = [
        f"Sentence number {number} by Dr. Miller says {'a lot ' * (number % 40)}here."
        for number in range(500)
    ]
    assert sentences_of(" ".join(sentences)) == sentences
    japanese = [f"これは{number}番の文です。" for number in range(5000)]
    assert sentences_of("".join(japanese)) == japanese


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (" \n\t\n", "empty"),
        (b"text\x00more text here", "zero bytes"),
        (b"\x7fELF\x01\x02\x03 some words here", "control characters|controls"),
        (b"fianc\xe9 is not UTF-8 at all", "byte 5 is not UTF-8"),
        (b"\xff\xfea\x00", "zero bytes"),
        ("half \ud800 pair", "surrogate"),
        ("# Only a heading here", "no sentence"),
        ("```\ncode and more code\n```", "no sentence"),
        ("Ok. No. Yes.", "no sentence"),
        ("a" * (MAXIMUM_DOCUMENT_BYTES + 1), "2,097,153 bytes, over the limit of 2,097,152"),
        ("é" * (MAXIMUM_DOCUMENT_BYTES // 2 + 1), "over the limit"),
    ],
)
def test_sentences_of__nothing_to_take__says_why(text: bytes | str, reason: str) -> None:
    with pytest.raises(InvalidDocument, match=reason) as caught:
        sentences_of(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "unit",
    ["<!-- ", "-->", "[", "![", "[a](", "**a", "*", "__", "`", "``` \n", "> ", "- ", "|", "|-", " ", "(", '"a. ',
     "a. ", "a\n", "---\n", "1. ", "[a]: ", "- - ", "a_b*", "É", "\u3042", "あ。", "é!", "“あ。"],
)  # fmt: skip
def test_sentences_of__repetitive_document__takes_linear_time(unit: str) -> None:
    repeated = unit * (MAXIMUM_DOCUMENT_BYTES // len(unit.encode()) // 4)
    started = time.monotonic()
    for text in (repeated, repeated + "x", "Some words are here.\n\n" + repeated):
        try:
            sentences_of(text)
        except InvalidDocument:
            continue
    assert time.monotonic() - started < 60
