"""No structure to exploit: each test also shows that it finds the forgery it is for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from proofmill.capability.generator import generate_matrix
from proofmill.capability.seeds import derive_key

Matrix = NDArray[np.int64]
SIZE = 192
PRIME = 65521
MATRICES = [
    generate_matrix(derive_key(bytes([seed]) * 32, purpose), SIZE, SIZE).numpy().astype(np.int64)
    for seed, purpose in ((1, "A"), (1, "B"), (2, "B"))
]
RANDOM = np.random.default_rng(7).integers(-128, 128, (3, 2 * SIZE), dtype=np.int64)
PLACES = np.add.outer(np.arange(SIZE), np.arange(SIZE))
HANKEL: Matrix = RANDOM[0][PLACES]  # every entry a function of i + j, as in a public challenge
TOEPLITZ: Matrix = HANKEL[:, ::-1]
LOW_RANK: Matrix = np.outer(RANDOM[0][:SIZE], RANDOM[1][:SIZE]) + np.outer(RANDOM[1][SIZE:], RANDOM[2][:SIZE])
SEPARABLE: Matrix = np.add.outer(RANDOM[0][:SIZE], RANDOM[1][:SIZE])


def rank(matrix: Matrix, prime: int) -> int:
    """The rank over the integers modulo a prime, by elimination."""
    rest = matrix % prime
    found = 0
    for column in range(rest.shape[1]):
        pivots = np.nonzero(rest[found:, column])[0]
        if len(pivots) == 0:
            continue
        pivot = found + int(pivots[0])
        rest[[found, pivot]] = rest[[pivot, found]]
        rest[found] = rest[found] * pow(int(rest[found, column]), -1, prime) % prime
        factors = rest[found + 1 :, column : column + 1]
        rest[found + 1 :] = (rest[found + 1 :] - factors * rest[found]) % prime
        found += 1
        if found == rest.shape[0]:
            break
    return found


def along(matrix: Matrix, sign: int) -> Matrix:
    """What is left of a matrix less itself shifted by a row and by a column: rank at most 2 for Toeplitz and Hankel matrices."""
    return matrix[1:, 1:] - matrix[:-1, :-1] if sign > 0 else matrix[1:, :-1] - matrix[:-1, 1:]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("prime", [2, 3, 257, PRIME])
def test_rank__over_prime_fields__is_full_but_for_chance(matrix: Matrix, prime: int) -> None:
    # A random matrix loses more than 6 ranks with probability below 2^-49 over the field of two elements.
    assert rank(matrix, prime) >= SIZE - 6


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("sign", [1, -1])
def test_displacement__of_a_generated_matrix__has_full_rank(matrix: Matrix, sign: int) -> None:
    assert rank(along(matrix, sign), PRIME) >= SIZE - 3


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("width", [2, 3, 8, 64])
def test_folded__by_blocks_of_columns_or_rows__has_full_rank(matrix: Matrix, width: int) -> None:
    """No block of columns repeats another, plainly or summed."""
    blocks = matrix.reshape(SIZE, SIZE // width, width)
    assert rank(blocks.sum(2), PRIME) == SIZE // width
    assert rank(np.diff(blocks, axis=1).reshape(SIZE, -1), PRIME) >= SIZE - width - 1
    assert rank(matrix.T.reshape(SIZE, SIZE // width, width).sum(2), PRIME) == SIZE // width


def test_forgeries__are_found_by_the_same_ranks() -> None:
    assert rank(LOW_RANK, PRIME) == 2
    assert rank(SEPARABLE, PRIME) == 2
    assert rank(along(HANKEL, -1), PRIME) == 0
    assert rank(along(TOEPLITZ, 1), PRIME) == 0
    assert rank(np.tile(RANDOM[:1, :2], (SIZE, SIZE // 2)), PRIME) == 1


def spectral_ratio(matrix: Matrix) -> float:
    """The greatest singular value over that of independent uniform entries, 2·σ·√n (Bai and Yin, 1988)."""
    deviation = np.sqrt((2**16 - 1) / 12)
    return float(np.linalg.norm(matrix + 0.5, 2)) / (2 * deviation * np.sqrt(SIZE))


@pytest.mark.parametrize("matrix", MATRICES)
def test_spectrum__is_that_of_independent_entries(matrix: Matrix) -> None:
    assert 0.93 < spectral_ratio(matrix) < 1.07


def test_spectrum__of_structured_matrices__is_not() -> None:
    for matrix in (SEPARABLE, LOW_RANK):
        assert not 0.93 < spectral_ratio(matrix) < 1.07


def test_entries__are_uniform_and_neighbours_independent() -> None:
    """Chi-square of pairs of neighbours by their top four bits: 255 degrees of freedom, deviation 22.6."""
    matrix = generate_matrix(derive_key(b"\x09" * 32, "B"), 512, 512).numpy().astype(np.int64)
    tops = (matrix + 128) >> 4
    lows = (matrix + 128) & 15
    for values in (tops, lows):
        for left, right in (
            (values[:, :-1], values[:, 1:]),
            (values[:-1], values[1:]),
            (values[:, :-8], values[:, 8:]),
            (values[1:, :-1], values[:-1, 1:]),
            (tops, lows) if values is tops else (lows, tops),
        ):
            counts = np.bincount((left * 16 + right).ravel(), minlength=256)
            expected = counts.sum() / 256
            assert 140 < float(((counts - expected) ** 2 / expected).sum()) < 400


def test_matrices__of_neighbouring_keys__share_no_words() -> None:
    first, second = derive_key(b"\x01" * 32, "B"), derive_key(b"\x01" * 32, "A")
    words = [
        set(generate_matrix(key, 256, 256).numpy().view(np.int64).ravel().tolist()) for key in (first, second)
    ]
    assert len(words[0]) == len(words[1]) == 256 * 256 // 8
    assert not words[0] & words[1]
    # A second key word of its own: sequences whose first words differ by a step of the counter are not each other's shift.
    step = 0x9E3779B97F4A7C15
    shifted = (
        generate_matrix(((first[0] + step) & ((1 << 64) - 1), first[1] ^ 1), 256, 256).numpy().view(np.int64)
    )
    assert not words[0] & set(shifted.ravel().tolist())
