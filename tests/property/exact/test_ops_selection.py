"""Greedy and seeded choices against plain Python integers, and how near the draws are to the softmax they stand for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from tests.property.exact.integers import quick, row_of, rows_of, tensor
from tests.reference import drawing, function_tables

words = st.one_of(
    st.sampled_from([0, 1, 2**63, 2**63 - 1, 2**64 - 1, 2**23, 2**63 + 2**23]), st.integers(0, 2**64 - 1)
)


def signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


@quick
@given(rows_of(3, 5, st.integers(-3, 3)))
def test_greedy_takes_the_lowest_of_the_greatest(logits: list[list[int]]) -> None:
    assert ops.choose_greedy(tensor(logits)).tolist() == [drawing.choose_greedy(row) for row in logits]


@quick
@given(rows_of(3, 5))
def test_greedy(logits: list[list[int]]) -> None:
    assert ops.choose_greedy(tensor(logits)).tolist() == [drawing.choose_greedy(row) for row in logits]


@quick
@given(
    words, st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3), row_of(3, st.integers(0, 2**32 - 1))
)
def test_random_bits(seed: int, positions: list[int], tokens: list[int]) -> None:
    expected = [[signed(drawing.random_bits(seed, t, j)) for j in tokens] for t in positions]
    assert ops.random_bits(seed, tensor(positions)[:, None], tensor(tokens)).tolist() == expected


def test_random_bits_are_those_of_splitmix() -> None:
    """The published first outputs of SplitMix64 seeded with 1234567, reached through the mixer alone."""
    state, outputs = 1234567, []
    for _ in range(3):
        state = (state + drawing.GOLDEN_GAMMA) % 2**64
        outputs.append(drawing.mix_bits(state))
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


near_powers = st.builds(
    lambda side, b, d: side * 2**63 + max(0, min(2**63 - 1, 2**b + d)),
    st.integers(0, 1),
    st.integers(0, 63),
    st.integers(-3, 3),
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(words, near_powers))
def test_gumbel(bits: int) -> None:
    expected = drawing.gumbel(bits)
    assert ops.gumbel(tensor([signed(bits)])).tolist() == [expected]
    side, v = divmod(bits, 2**63)
    w = max(v, 2**23) / 2**64
    real = -math.log(-math.log(w)) if side else -math.log(-math.log1p(-w))
    assert abs(expected / 2**16 - real) < 1.6e-4


@settings(max_examples=80, deadline=None)
@given(
    rows_of(2, 6),
    row_of(2, st.integers(0, 2**32 - 1)),
    st.one_of(st.sampled_from([1, 2**16, 2**24]), st.integers(1, 2**24)),
    words,
    st.integers(0, 32),
)
def test_choose(
    logits: list[list[int]], positions: list[int], inverse_temperature: int, seed: int, fraction_bits: int
) -> None:
    expected = [
        drawing.choose(row, t, inverse_temperature, seed, fraction_bits)
        for row, t in zip(logits, positions, strict=True)
    ]
    got = ops.choose(tensor(logits), tensor(positions), inverse_temperature, seed, fraction_bits)
    assert got.tolist() == expected
    narrow = ops.choose(
        tensor(logits).to(torch.int32), tensor(positions), inverse_temperature, seed, fraction_bits
    )
    assert narrow.tolist() == expected


def test_a_draw_depends_on_its_own_position_only() -> None:
    logits = torch.randint(-(2**18), 2**18, (5, 50), generator=torch.Generator().manual_seed(2))
    whole = ops.choose(logits, torch.arange(5), 2**16, 99)
    for t in range(5):
        assert ops.choose(logits[t : t + 1], tensor([t]), 2**16, 99).tolist() == [int(whole[t])]


# ----------------------------------------------------------------------------- the distribution of the draws


def gumbel_mass() -> tuple[int, np.ndarray]:
    """Least variate, and the probability of each integer from there on if the 64 bits are uniform.

    Within an interval of the table every remainder is equally likely; an octave has the probability of its width.
    """
    tables = function_tables.gumbel_tables()
    least = min(map(min, tables))
    mass = np.zeros(max(map(max, tables)) - least + 2)
    remainders = np.arange(2**16)
    for table in tables:
        for cell in range(40 * 32):
            low, high = table[cell], table[cell + 1]
            values = low + (((high - low) * remainders + 2**15) >> 16) - least
            start = values.min()
            counts = np.bincount(values - start)
            mass[start : start + len(counts)] += counts / 2**16 * 2.0 ** (cell // 32 - 41) / 32
        mass[table[0] - least] += 2.0**-41  # v below 2^23 reads the first entry
    return least, mass


LOGITS = {
    "two alike": [0.0, 0.0],
    "one rare": [0.0, -7.0],
    "one hardly ever": [0.0, -14.0],
    "spread": [2.0, 1.5, 1.0, 0.0, -1.0, -3.0, -6.0, -10.0],
    "eight alike": [1.0] * 8,
}


@pytest.fixture(scope="module")
def distribution() -> tuple[int, np.ndarray]:
    return gumbel_mass()


@pytest.fixture
def mass(distribution: tuple[int, np.ndarray]) -> np.ndarray:
    return distribution[1]


def test_mass_is_a_distribution(distribution: tuple[int, np.ndarray]) -> None:
    least, mass = distribution
    assert abs(mass.sum() - 1) < 1e-12
    mean = float((mass * (np.arange(len(mass)) + least)).sum()) / 2**16
    assert abs(mean - 0.5772156649) < 1e-4


@pytest.mark.parametrize("case", LOGITS)
def test_total_variation_distance_to_the_softmax(mass: np.ndarray, case: str) -> None:
    """Exact for uniform bits: P(j wins) = Σ_g P(G_j = g) Π_i P(G_i + l_i < g + l_j, or equal and i > j)."""
    logits = [round(x * 2**16) for x in LOGITS[case]]
    below = np.concatenate(([0.0], np.cumsum(mass)))  # below[n] = P(G < least + n)
    places = np.arange(len(mass))
    won = []
    for j, own in enumerate(logits):
        probability = mass.copy()
        for i, other in enumerate(logits):
            if i != j:
                reached = np.clip(places + own - other + (i > j), 0, len(mass))
                probability *= below[reached]
        won.append(probability.sum())
    exact = np.exp(np.array(logits) / 2**16)
    exact /= exact.sum()
    assert abs(sum(won) - 1) < 1e-9
    distance = 0.5 * float(np.abs(np.array(won) - exact).sum())
    assert distance < 5e-6
    assert float(np.abs(np.array(won) / exact - 1).max()) < 6e-5


@pytest.mark.parametrize("case", LOGITS)
def test_draws_follow_the_softmax(case: str) -> None:
    """Pearson's statistic over 40 000 draws of one seed, temperature 0.5 included in the logits."""
    logits = [
        round(x * 2**15) for x in LOGITS[case]
    ]  # half of each, doubled again by the inverse temperature
    count = 40_000
    drawn = ops.choose(tensor([logits]).expand(count, -1), torch.arange(count), 2**17, 0xC0FFEE)
    observed = np.bincount(drawn.numpy(), minlength=len(logits))
    exact = np.exp(np.array(LOGITS[case]))
    expected = count * exact / exact.sum()
    common = expected >= 5
    statistic = float(((observed - expected)[common] ** 2 / expected[common]).sum())
    assert statistic < common.sum() + 4 * math.sqrt(2 * common.sum())
    assert observed[~common].sum() <= 20


def test_draws_at_neighbouring_positions_tokens_and_seeds_are_unrelated() -> None:
    """Bits that differ in one argument by one differ in half their places."""
    positions, tokens = torch.arange(64)[:, None], torch.arange(256)
    base = ops.random_bits(7, positions, tokens)
    for other in (
        ops.random_bits(8, positions, tokens),
        ops.random_bits(7, positions + 1, tokens),
        ops.random_bits(7, positions, tokens + 1),
    ):
        words = (base ^ other).numpy().view(np.uint64)
        share = np.unpackbits(words.view(np.uint8)).mean()
        assert abs(share - 0.5) < 0.003
