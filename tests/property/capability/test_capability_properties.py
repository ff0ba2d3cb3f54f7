"""Fast forms equal the definition, draws are fair, trees bind, readers only ever refuse: for any input."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.capability import definition
from proofmill.capability.cells import draw_cells, draw_places
from proofmill.capability.commitment import RowDigests, Tree, digest_bytes, path_length, root_of_path
from proofmill.capability.generator import generate_matrix, words_at
from proofmill.capability.parameters import Parameters
from proofmill.capability.proof import (
    IllFormedProof,
    decode_openings,
    decode_roots,
    encode_openings,
    encode_roots,
)
from proofmill.capability.score import detection_probability

WORDS = st.integers(0, (1 << 64) - 1)
KEYS = st.tuples(WORDS, WORDS)
SEEDS = st.binary(min_size=32, max_size=32)
SMALL = Parameters(64, 64, 4)
quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(key=KEYS, index=st.integers(0, (1 << 63) - 2), passes=st.integers(1, 4))
def test_words_at__any_key_and_index__equals_definition(
    key: tuple[int, int], index: int, passes: int
) -> None:
    found = int(words_at(key, torch.tensor(index), passes)) & ((1 << 64) - 1)
    assert found == definition.word(key, index, passes)


@quick
@given(key=KEYS, digest_key=KEYS, data=st.data())
def test_row_digest__one_byte_changed__changes_every_lane(
    key: tuple[int, int], digest_key: tuple[int, int], data: st.DataObject
) -> None:
    rows = generate_matrix(key, 2, 64)
    place, flip = data.draw(st.integers(0, 63)), data.draw(st.integers(1, 255))
    rows[1] = rows[0]
    rows[1, place] ^= torch.tensor(flip, dtype=torch.uint8).view(torch.int8)
    digests = RowDigests(digest_key, 8, torch.device("cpu")).compute(rows)
    assert digest_bytes(digests)[0] == definition.row_digest(rows[0].tolist(), digest_key)
    assert bool((digests[0] != digests[1]).all())


@quick
@given(count=st.integers(1, 700), data=st.data())
def test_tree__any_leaf__its_path_leads_to_the_root_and_no_other(count: int, data: st.DataObject) -> None:
    leaves = [hashlib.sha256(place.to_bytes(4, "big")).digest() for place in range(count)]
    tree, place = Tree(leaves), data.draw(st.integers(0, count - 1))
    path = tree.path(place)
    assert len(path) == path_length(place, count)
    assert root_of_path(leaves[place], place, count, path) == tree.root
    assert root_of_path(hashlib.sha256(leaves[place]).digest(), place, count, path) != tree.root
    if count > 1:
        other = data.draw(st.integers(0, count - 1).filter(lambda other: other != place))
        if path_length(other, count) == len(path):
            assert root_of_path(leaves[place], other, count, path) != tree.root
        bit = data.draw(st.integers(0, len(path) - 1))
        changed = path[:bit] + bytes([path[bit] ^ 1]) + path[bit + 1 :]
        assert root_of_path(leaves[place], place, count, changed) != tree.root


@quick
@given(
    seed=SEEDS,
    commitment=SEEDS,
    beacon=SEEDS,
    population=st.integers(1, 40) | st.integers(1000, 1 << 40),
    data=st.data(),
)
def test_draw_places__any_share__different_ascending_within(
    seed: bytes, commitment: bytes, beacon: bytes, population: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, min(population, 40)))
    places = draw_places(seed, commitment, beacon, population, count)
    assert len(set(places)) == count
    assert list(places) == sorted(places)
    assert 0 <= places[0] <= places[-1] < population
    assert places == draw_places(seed, commitment, beacon, population, count)


def test_draw_cells__many_beacons__each_cell_as_often_and_bound_to_all_three() -> None:
    """4 of 128 cells, 1,000 draws: chi-square with 127 degrees of freedom, deviation about 16."""
    counts = torch.zeros(128)
    for beacon in range(1000):
        for cell in draw_cells(b"\1" * 32, b"\2" * 32, beacon.to_bytes(32, "big"), SMALL):
            counts[64 * cell.segment + cell.row] += 1
    expected = 4000 / 128
    assert 70 < float(((counts - expected) ** 2 / expected).sum()) < 200
    fixed = [b"\1" * 32, b"\2" * 32, b"\3" * 32]
    for place in range(3):
        changed = [*fixed[:place], b"\4" * 32, *fixed[place + 1 :]]
        assert draw_cells(*changed, SMALL) != draw_cells(*fixed, SMALL)


@pytest.mark.parametrize(("missing", "cells"), [(8, 8), (2, 32), (32, 4)])
def test_detection__drawn_without_replacement__is_never_below_the_formula(missing: int, cells: int) -> None:
    """A share of 256 cells is bad; 1,500 draws against 1 − (1 − ε)^m, and against the exact hypergeometric chance."""
    parameters = Parameters(64, 128, cells)
    bad = set(range(0, 256, 256 // missing))
    hits = sum(
        any(64 * cell.segment + cell.row in bad for cell in drawn)
        for drawn in (
            draw_cells(b"\1" * 32, b"\2" * 32, beacon.to_bytes(32, "big"), parameters)
            for beacon in range(1500)
        )
    )
    exact = Fraction(1)
    for place in range(cells):
        exact *= Fraction(256 - missing - place, 256 - place)
    formula = detection_probability(Fraction(missing, 256), cells)
    assert 1 - exact >= formula
    assert abs(hits / 1500 - float(1 - exact)) < 0.055  # over four deviations


@quick
@given(data=st.binary(max_size=300))
def test_decoders__any_bytes__refuse_or_return_what_encodes_to_them(data: bytes) -> None:
    assert fate(data) in {"read", "too_large", "ill_formed", "wrong_version"}


def fate(data: bytes) -> str:
    try:
        openings = decode_openings(data, SMALL)
    except IllFormedProof as error:
        return error.code
    assert encode_openings(openings) == data
    return "read"


@quick
@given(place=st.integers(0, 200), value=st.integers(0, 255), cut=st.booleans())
def test_decode_roots__one_byte_of_a_message_changed__refused_or_other_roots(
    place: int, value: int, cut: bool
) -> None:
    roots = (b"\x11" * 32, b"\x22" * 32)
    message = encode_roots(roots)
    place %= len(message)
    changed = message[:place] + (b"" if cut else bytes([value])) + message[place + 1 :]
    try:
        found = decode_roots(changed, SMALL)
    except IllFormedProof:
        return
    assert len(found) == 2
    assert (found == roots) == (changed == message)
