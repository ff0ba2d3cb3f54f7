"""The contract accepts an operator exactly when the definition does, at both ends of every range and for words of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.exact.program.kinds import KINDS
from tests.suite.deployment import deploy
from tests.unit.contracts.model_registry.programs import WORDS, Placed, every_kind, refusal
from tests.unit.contracts.model_registry.rules import accepts, decoded, is_inferred, is_placed

CONSTANTS = 23
LAST_WORD = 2**256 - 1
quickly = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/DescriptorBoundsHarness.vy")


def check_agreement(harness: Any, placed: Placed) -> bool:
    """Whether both accept it; they must agree."""
    reason = refusal(harness, placed)
    assert (reason is None) == accepts(placed), f"{placed.kind}: {reason}, {placed.words}"
    return reason is None


def first_of(kind: str) -> Placed:
    return next(placed for placed in every_kind() if placed.kind == kind)


def sized(placed: Placed, name: str, value: int) -> Placed:
    """With a constant changed, and the shapes that follow from it changed with it, as far as they can be."""
    kind = KINDS[placed.kind]
    names = list(kind.constants)
    constants = dict(zip(names, placed.words[CONSTANTS:], strict=False)) | {name: value}
    changed = {CONSTANTS + names.index(name): value}
    match placed.kind:
        case "quantise":
            width = max(1, value)
            changed |= {3: width, 4: value, 9: width, 16: 0, 17: 0}
        case "scores" | "softmax" | "mix":
            heads, key_heads, size = (constants[key] for key in ("heads", "key_heads", "head_size"))
            if name == "heads":
                key_heads = changed[CONSTANTS + 1] = 1
            elif key_heads and heads % key_heads:
                heads = changed[CONSTANTS] = key_heads
            width = (heads + 2 * key_heads) * size
            if placed.kind == "scores":
                least = 1512775 if size == 1 else 1
                changed[CONSTANTS + 4] = constants["multiplier"] if name == "multiplier" else least
                if name == "multiplier":
                    size, width = 1, heads + 2 * key_heads
                    changed[CONSTANTS + 2] = 1
                changed |= {3: heads, 9: width, 10: size}
            else:
                changed |= {3: heads if placed.kind == "softmax" else heads * size, 8 + 1: heads}
                changed |= {14: width, 15: size}
        case "rotate":
            columns, size = constants["columns"], constants["head_size"]
            if name == "head_size":
                columns = changed[CONSTANTS] = size
            elif columns % size:
                size = changed[CONSTANTS + 1] = 2
                columns = changed[CONSTANTS] = value
            changed |= {3: max(columns, 1), 9: max(columns, 1), 21: max(size // 2, 1)}
        case "patches" | "max_pool" | "average_pool":
            window = "kernel" if placed.kind == "patches" else "size"
            if name in ("height", "width"):
                other = "width" if name == "height" else "height"
                constants |= {other: 1, "stride": 1, window: 1, "channels": 1, "padding": 0}
            elif name == "channels":
                constants |= {"height": 2, "width": 2, "stride": 1, window: 1, "padding": 0}
            else:
                constants |= {"height": 64, "width": 64, "channels": 1, "padding": 0}
                constants |= {"stride": 1, window: 40} if name == "padding" else {}
                constants[name] = value
            changed |= {CONSTANTS + i: constants[key] for i, key in enumerate(names)}
            height, width, channels = (constants[key] for key in ("height", "width", "channels"))
            size, stride, padding = constants[window], constants["stride"], constants.get("padding", 0)
            steps = [(side + 2 * padding - size) // stride + 1 if stride else 1 for side in (height, width)]
            changed |= {8: height * width, 9: channels, 2: max(0, steps[0] * steps[1])}
            changed[3] = size * size * channels if placed.kind == "patches" else channels
        case "flatten":
            changed |= {8: value, 9: 1, 2: 1, 3: value}
        case "layer_norm" | "rms_norm" if name == "root":
            width = max(1, min(8192, (value * value) >> 40))
            changed |= {3: width, 9: width, 20: width}
    return placed.changed(changed)


def ranges() -> Iterator[tuple[str, str, int, int]]:
    for kind in KINDS.values():
        for name, (least, greatest) in kind.constants.items():
            yield kind.name, name, least, greatest


#: Ends that no operator can have, for a reason other than the range: wider than a norm, an operand or a row may be, or too many
#: leaves in a row. Everything else is accepted at both ends.
UNREACHED = {
    ("layer_norm", "root", 1),
    ("layer_norm", "root", 1 << 27),
    ("rms_norm", "root", 1),
    ("rms_norm", "root", 1 << 27),
    ("quantise", "group", 1 << 20),
    ("rotate", "columns", 1),
    ("rotate", "columns", 1 << 20),
    ("flatten", "rows", 1 << 20),
    ("average_pool", "size", 64),
    *((kind, name, 1 << 10) for kind in ("scores", "softmax", "mix") for name in ("heads", "key_heads")),
}


@pytest.mark.parametrize(("kind", "name", "least", "greatest"), list(ranges()))
def test_constant__at_both_ends_and_beyond__is_judged_as_defined(
    harness: Any, kind: str, name: str, least: int, greatest: int
) -> None:
    placed = first_of(kind)
    for value in (least, greatest):
        accepted = check_agreement(harness, sized(placed, name, value))
        assert accepted == ((kind, name, value) not in UNREACHED), f"{name} = {value}"
    for value in (*([least - 1] if least else []), greatest + 1, 1 << 64, LAST_WORD):
        place = CONSTANTS + list(KINDS[kind].constants).index(name)
        changed = [placed.changed({place: value})]
        if value < 1 << 64:
            changed.append(sized(placed, name, value))
        for item in changed:
            assert not check_agreement(harness, item)
            assert refusal(harness, item) == "model: constant out of range"


@pytest.mark.parametrize(
    ("changed", "accepted"),
    [
        ({3: 8192, 4: 8192, 9: 8192}, True),
        ({3: 8193, 4: 8193, 9: 8193}, False),  # a leaf of more than 16,416 bytes
        ({3: 8192, 4: 8, 9: 8192}, True),
        ({3: 8200, 4: 8, 9: 8200}, False),  # 1,025 leaves
        ({3: 8192, 4: 8192, 9: 8192, 2: 16384, 8: 16384}, True),
        ({3: 8192, 4: 8192, 9: 8192, 2: 16385, 8: 16385}, False),  # more than 2^27 numbers
        ({3: 1, 4: 1, 9: 1, 2: 1 << 18, 8: 1 << 18}, True),
        ({3: 1, 4: 1, 9: 1, 2: (1 << 18) + 1, 8: (1 << 18) + 1}, False),
    ],
)
def test_operand__of_any_size__fits_a_dispute_or_is_refused(
    harness: Any, changed: dict[int, int], accepted: bool
) -> None:
    plain = first_of("quantise").changed({16: 0, 17: 0})
    item = plain.changed({23: changed[4], **changed})
    assert check_agreement(harness, item) is accepted


@pytest.mark.parametrize(
    ("kind", "changed", "accepted"),
    [
        # Value columns of 36 heads of 32 columns: key heads must divide the query heads, of which there is at least one.
        ("quantise", {16: 1120, 17: 32}, True),
        ("quantise", {16: 576, 17: 576}, False),
        ("quantise", {16: 992, 17: 160}, False),
        ("quantise", {16: 1136, 17: 16}, False),
        ("quantise", {3: 768, 4: 256, 9: 768, 16: 512, 17: 256, 23: 256}, True),
        ("quantise", {3: 1536, 4: 512, 9: 1536, 16: 1024, 17: 512, 23: 512}, False),
        ("quantise", {2: 7, 8: 7, 16: 1120, 17: 32}, False),
        ("flatten", {2: 0, 8: 0}, False),
        ("patches", {2: 16, 3: 1, 8: 16, 9: 1, 23: 4, 24: 4, 25: 1, 26: 1, 27: 1, 28: 0}, True),
        ("patches", {2: 36, 3: 1, 8: 16, 9: 1, 23: 4, 24: 4, 25: 1, 26: 1, 27: 1, 28: 1}, False),
        ("position_embedding", {2: 7, 13: 7}, False),
        ("scores", {3: 4, 9: 256, 23: 4, 24: 2}, True),
        ("scores", {3: 5, 9: 288, 23: 5, 24: 2}, False),
        ("scores", {2: 7, 8: 7}, False),
        ("unit_mean", {3: 8191, 9: 8191}, True),
        ("unit_mean", {3: 8192, 9: 8192}, False),
        ("rotate", {3: 768, 9: 768}, True),
        ("rotate", {3: 767, 9: 767}, False),
        ("rotate", {21: 31}, False),
        ("mix", {3: 113 * 256, 9: 113, 14: 115 * 256, 15: 256, 23: 113, 24: 1, 25: 256}, True),
        ("mix", {3: 114 * 256, 9: 114, 14: 116 * 256, 15: 256, 23: 114, 24: 1, 25: 256}, False),
    ],
)
def test_shapes__that_nearly_fit__are_judged_as_defined(
    harness: Any, kind: str, changed: dict[int, int], accepted: bool
) -> None:
    placed = first_of(kind)
    if kind == "quantise":
        placed = next(item for item in every_kind() if item.kind == kind and item.words[17])
        assert (placed.words[3], placed.words[4]) == (1152, 32)
    assert check_agreement(harness, placed.changed(changed)) is accepted


@pytest.mark.parametrize(("heads", "accepted"), [(63, True), (64, True), (65, False)])
@pytest.mark.parametrize("kind", ["scores", "softmax", "mix"])
def test_heads__more_than_a_row_of_scores_holds__are_refused(
    harness: Any, kind: str, heads: int, accepted: bool
) -> None:
    item = sized(first_of(kind), "heads", heads)
    # Weights and sums of more heads would fit; their scores, which come first, would not.
    assert check_agreement(harness, item) is (accepted or kind != "scores")


@pytest.mark.parametrize("placed", every_kind(), ids=lambda placed: placed.kind)
def test_word__changed_in_a_real_descriptor__is_judged_as_defined(harness: Any, placed: Placed) -> None:
    """Each word: by one, to zero, to a bound and far out."""
    assert check_agreement(harness, placed)
    accepted = set()
    for place, word in enumerate(placed.words):
        for value in {0, 1 << 18, LAST_WORD, word + 1, max(word, 1) - 1} - {word}:
            if value <= LAST_WORD and check_agreement(harness, placed.changed({place: value})):
                accepted.add(place)
    # What follows from other words cannot change alone: the output, how many inputs there are and of which kinds, the layout.
    assert accepted.isdisjoint({1, 2, 3, 4, 5, 7, 10, 12, 15, 19})


def test_real_descriptors__local_rules__leave_the_definition_alone() -> None:
    """The rules beside `infer_shape` refuse nothing that a program holds."""
    for placed in every_kind():
        operator = decoded(placed)
        assert operator is not None
        assert is_inferred(operator)
        assert is_placed(operator, placed)


_words = st.one_of(
    st.integers(0, 70),
    st.sampled_from(
        [(1 << k) + d for k in (8, 10, 12, 13, 14, 18, 20, 24, 27, 31, 40, 52, 53) for d in (-1, 0, 1)]
    ),
    st.integers(0, LAST_WORD),
)


@quickly
@given(
    placed=st.sampled_from(every_kind()),
    words=st.dictionaries(st.integers(0, WORDS - 1), _words, min_size=1, max_size=3),
)
def test_words__several_changed__are_judged_as_defined(
    harness: Any, placed: Placed, words: dict[int, int]
) -> None:
    check_agreement(harness, placed.changed(words))


@quickly
@given(
    placed=st.sampled_from(every_kind()),
    factor=st.sampled_from([2, 3, 4, 7]),
    places=st.sets(
        st.sampled_from([2, 3, 4, 8, 9, 10, 13, 14, 15, 16, 17, 20, 21, *range(CONSTANTS, WORDS)]), min_size=2
    ),
)
def test_shapes__scaled_together__are_judged_as_defined(
    harness: Any, placed: Placed, factor: int, places: set[int]
) -> None:
    """Several sizes at once by one factor, so that some still fit each other."""
    words = placed.words
    check_agreement(harness, placed.changed({place: words[place] * factor for place in places}))


@quickly
@given(placed=st.sampled_from(every_kind()), number=st.integers(1, 600), operators=st.integers(1, 600))
def test_place__of_an_operator__is_judged_as_defined(
    harness: Any, placed: Placed, number: int, operators: int
) -> None:
    moved = Placed(placed.kind, placed.leaf, min(number, operators), operators, placed.input)
    check_agreement(harness, moved)
