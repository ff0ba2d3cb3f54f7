"""Every mutant of a Vyper source file, in the order of the file. Works on tokens, so that comments and strings stay whole."""

from __future__ import annotations

import hashlib
import io
import re
import token
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMPARISONS: Final = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
ARITHMETIC: Final = {"+": "-", "-": "+", "+=": "-=", "-=": "+="}
WORDS: Final = {"min": "max", "max": "min", "and": "or", "or": "and", "True": "False", "False": "True"}
ASSIGNMENTS: Final = {"=", "+=", "-=", "*=", "//=", "%=", "|=", "&=", "^=", "<<=", ">>="}
NOT_OPERANDS: Final = {
    "return",
    "assert",
    "in",
    "and",
    "or",
    "not",
    "if",
    "else",
    "extcall",
    "staticcall",
    "log",
}
CONSTANT: Final = re.compile(r"^[A-Z][A-Z0-9_]*: constant\(u?int\d+\) = ")
OPENING: Final = ("(", "[", "{")
CLOSING: Final = (")", "]", "}")
# What binds less tightly than a product.
LOOSER: Final = {
    *COMPARISONS, *ASSIGNMENTS, "+", "-", "<<", ">>", "&", "|", "^", ",", ":", "if", "else", "and", "or", "not", "in",
}  # fmt: skip
SIZED_TYPES: Final = {"Bytes", "String", "DynArray"}


@dataclass(frozen=True)
class Mutant:
    """One change: the text between two offsets becomes another text."""

    path: str
    line: int
    start: int
    end: int
    operator: str
    before: str
    after: str
    id: str  # survives changes elsewhere in the file

    def apply(self, source: str) -> str:
        """The source with the fault in it."""
        return source[: self.start] + self.after + source[self.end :]


@dataclass(frozen=True)
class _Word:
    """A token and where it is in the file."""

    type: int
    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class _Statement:
    """One logical line and the function that it is part of; none for a constant of the file."""

    words: tuple[_Word, ...]
    function: str
    text: str


def mutants_of(path: str, source: str) -> list[Mutant]:
    """All of them, in the order of the file; the same source always gives the same ones."""
    found: list[tuple[_Statement, int, int, str, str]] = []
    for statement in _statements(source):
        found += [(statement, *change) for change in _changes(statement, source)]
    counts: Counter[str] = Counter()
    result = []
    for statement, start, end, operator, after in found:
        before = source[start:end]
        if before == after:
            continue
        offset = start - statement.words[0].start
        told = "|".join([path, statement.function, statement.text, operator, str(offset), after])
        counts[told] += 1
        digest = hashlib.sha256(f"{told}|{counts[told]}".encode()).hexdigest()[:10]
        line = source.count("\n", 0, start) + 1
        result.append(Mutant(path, line, start, end, operator, before, after, digest))
    return sorted(result, key=lambda mutant: (mutant.start, mutant.end, mutant.operator, mutant.after))


# ------------------------------------------------------------------ reading the file
def _words(source: str) -> list[_Word]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return [
        _Word(
            t.type, t.string, starts[t.start[0] - 1] + t.start[1], starts[t.end[0] - 1] + t.end[1], t.start[0]
        )
        for t in tokenize.generate_tokens(io.StringIO(source).readline)
    ]


def _statements(source: str) -> Iterator[_Statement]:
    """Logical lines of function bodies, and constants of the file."""
    depth, function, words = 0, "", list[_Word]()
    for word in _words(source):
        if word.type == token.INDENT:
            depth += 1
        elif word.type == token.DEDENT:
            depth -= 1
        elif word.type == token.NEWLINE:
            if words:
                text = source[words[0].start : words[-1].end]
                is_definition = words[0].text == "def"
                if is_definition:
                    function = words[1].text
                is_constant = depth == 0 and CONSTANT.match(text) is not None
                if (depth > 0 and function and words[0].type != token.STRING) or is_constant:
                    yield _Statement(tuple(words), function if depth > 0 else "", text)
                elif depth == 0 and not is_definition and words[0].text != "@":
                    function = ""
                words = []
        elif word.type not in (token.NL, token.COMMENT, token.ENDMARKER):
            words.append(word)


# ------------------------------------------------------------------ the operators
def _changes(statement: _Statement, source: str) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, operator and the text that comes instead."""
    words = statement.words
    whole = (words[0].start, words[-1].end)
    first = words[0].text
    if not statement.function:
        yield from _constants(words)
        return
    if first == "assert":
        yield (*whole, "drop assert", "pass")
    elif first == "log":
        yield (*whole, "drop log", "pass")
        return  # what an event says is told apart by the fields below it only if it is logged at all
    elif _is_state_write(words):
        yield (*whole, "drop state write", "pass")
    elif _is_call(words):
        yield (*whole, "drop call", "pass")
    yield from _tokens(words)
    yield from _constants(words)
    yield from _roundings(words, source)


def _depths(words: tuple[_Word, ...]) -> Iterator[tuple[int, _Word]]:
    depth = 0
    for word in words:
        if word.text in CLOSING:
            depth -= 1
        yield depth, word
        if word.text in OPENING:
            depth += 1


def _assignment(words: tuple[_Word, ...]) -> _Word | None:
    return next((w for depth, w in _depths(words) if depth == 0 and w.text in ASSIGNMENTS), None)


def _is_state_write(words: tuple[_Word, ...]) -> bool:
    """`self.x = …` or `module.x += …`, with or without a place in a map."""
    is_member = len(words) > 2 and words[0].type == token.NAME and words[1].text in (".", "[")
    sign = _assignment(words)
    if sign is None or not is_member:
        return False
    declared = any(
        depth == 0 and word.text == ":" and word.start < sign.start for depth, word in _depths(words)
    )
    return not declared and (words[0].text == "self" or words[1].text == ".")


def _is_call(words: tuple[_Word, ...]) -> bool:
    """A call whose value nobody takes."""
    is_named = words[0].text == "extcall" or (
        words[0].type == token.NAME and words[1:2] and words[1].text == "."
    )
    return bool(is_named) and words[-1].text == ")" and _assignment(words) is None


def _is_operand(word: _Word) -> bool:
    return (word.type in (token.NAME, token.NUMBER) and word.text not in NOT_OPERANDS) or word.text in (
        ")",
        "]",
    )


def _tokens(words: tuple[_Word, ...]) -> Iterator[tuple[int, int, str, str]]:
    is_annotated = _annotation_end(words)
    for index, word in enumerate(words):
        before = words[index - 1] if index else None
        after = words[index + 1] if index + 1 < len(words) else None
        at = (word.start, word.end)
        if word.start < is_annotated:
            continue
        if word.text in COMPARISONS:
            yield (*at, "flip comparison", COMPARISONS[word.text])
        elif (word.text in ("+", "-") and before is not None and _is_operand(before)) or word.text in (
            "+=",
            "-=",
        ):
            yield (*at, "swap + and -", ARITHMETIC[word.text])
        elif word.text in ("min", "max") and after is not None and after.text == "(":
            yield (*at, "swap min and max", WORDS[word.text])
        elif word.type == token.NAME and word.text in ("and", "or"):
            yield (*at, "swap and and or", WORDS[word.text])
        elif word.type == token.NAME and word.text in ("True", "False") and not _is_keyword(words, index):
            yield (*at, "swap True and False", WORDS[word.text])
        elif word.text == "not" and after is not None and after.text != "in":
            yield (word.start, after.start, "drop not", "")
        elif word.text == "msg" and _is_sender(words, index) and words[0].text != "assert":
            yield (word.start, words[index + 2].end, "replace msg.sender", "self")


def _is_keyword(words: tuple[_Word, ...], index: int) -> bool:
    """`revert_on_failure=False` and the like decide how a call compiles."""
    return (
        index > 0
        and words[index - 1].text == "="
        and any(d > 0 for d, w in _depths(words) if w is words[index])
    )


def _is_sender(words: tuple[_Word, ...], index: int) -> bool:
    return [word.text for word in words[index : index + 3]] == ["msg", ".", "sender"]


def _annotation_end(words: tuple[_Word, ...]) -> int:
    """Where the type of a declaration ends: sizes in it are not numbers to change."""
    sign = _assignment(words)
    for depth, word in _depths(words):
        if depth == 0 and word.text == ":" and words[0].text != "for":
            is_declaration = (
                sign is not None and word.start < sign.start and words[0].text not in ("if", "elif")
            )
            return sign.start if is_declaration and sign is not None else 0
        if words[0].text == "for" and word.text == "in":
            return word.start
    return 0


def _constants(words: tuple[_Word, ...]) -> Iterator[tuple[int, int, str, str]]:
    """Whole numbers, one more; and 1 also becomes 0. Sizes of types and hexadecimal words stay."""
    skipped_until = _annotation_end(words)
    for index, word in enumerate(words):
        if word.type != token.NUMBER or word.start < skipped_until or not re.fullmatch(r"[0-9_]+", word.text):
            continue
        if index >= 2 and words[index - 1].text == "[" and words[index - 2].text in SIZED_TYPES:
            continue
        value = int(word.text.replace("_", ""))
        is_power = index >= 2 and words[index - 1].text == "**" and words[index - 2].text == "2"
        if index + 1 < len(words) and words[index + 1].text == "**":
            continue  # the base of a power says nothing of its own
        yield (word.start, word.end, "off by one", str(value - 1 if is_power else value + 1))
        if value == 1:
            yield (word.start, word.end, "off by one", "0")


def _roundings(words: tuple[_Word, ...], source: str) -> Iterator[tuple[int, int, str, str]]:
    """Each `//` the other way: up where it rounded down, down where `(a + b - 1) // b` rounded up."""
    for index, word in enumerate(words):
        if word.text != "//" or word.start < _annotation_end(words):
            continue
        first, last = _left_operand(words, index), _right_operand(words, index)
        left = source[words[first].start : words[index - 1].end]
        right = source[words[index + 1].start : words[last].end]
        ceiling = re.fullmatch(
            r"\((?P<dividend>.*\S)\s*\+\s*\(?" + re.escape(right) + r"\s*-\s*1\)?\)", left, re.DOTALL
        )
        at = (words[first].start, words[last].end, "swap rounding")
        if ceiling is not None:
            yield (*at, f"(({ceiling['dividend']}) // ({right}))")
        else:
            yield (*at, f"((({left}) + (({right}) - 1)) // ({right}))")


def _left_operand(words: tuple[_Word, ...], index: int) -> int:
    """Where the dividend begins: products and quotients before it belong to it."""
    depth, first = 0, index
    for place in range(index - 1, -1, -1):
        text = words[place].text
        if text in CLOSING:
            depth += 1
        elif text in OPENING:
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and (text in LOOSER or text in NOT_OPERANDS):
            break
        first = place
    return first


def _right_operand(words: tuple[_Word, ...], index: int) -> int:
    """Where the divisor ends: one name, call, place or power."""
    depth, last = 0, index
    for place in range(index + 1, len(words)):
        text = words[place].text
        if text in CLOSING:
            depth -= 1
            if depth < 0:
                break
        elif text in OPENING:
            depth += 1
        elif depth == 0 and (text in LOOSER or text in ("*", "//", "/", "%") or text in NOT_OPERANDS):
            break
        last = place
    return last
