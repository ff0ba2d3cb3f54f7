"""Whole products: one wrong entry anywhere is seen; the bound and the exactness hold."""

from __future__ import annotations

import pytest
import torch

from proofmill.capability.arithmetic import choose_carrier
from proofmill.capability.chain import Chain
from proofmill.capability.freivalds import check_product, draw_secret, product_fault, strength
from proofmill.capability.generator import generate_matrix
from proofmill.capability.parameters import SIZE_MULTIPLE
from proofmill.capability.verdict import Reason

from .challenges import SEED, SMALL, honest_prover

CHAIN = Chain(SEED, SMALL, choose_carrier(), torch.device("cpu"))
ROOTS = honest_prover().roots


def start_of(segment: int) -> torch.Tensor:
    x, rows = CHAIN.first_matrix(), torch.arange(64)
    for earlier in range(segment):
        x = CHAIN.advance(x, rows, torch.full_like(rows, 32 * earlier))
    return x


def product_of(x: torch.Tensor) -> torch.Tensor:
    return (x.to(torch.int64) @ CHAIN.b_transposed.to(torch.int64).t()).to(torch.int32)


@pytest.mark.parametrize("segment", [0, 2])
def test_check_product__honest__is_accepted(segment: int) -> None:
    x = start_of(segment)
    assert check_product(SEED, SMALL, ROOTS, segment, x, product_of(x)).is_accepted


@pytest.mark.parametrize("row", [0, 31, 63])
@pytest.mark.parametrize("error", [1, -1, 1 << 29])
def test_check_product__one_entry_wrong__names_its_row(row: int, error: int) -> None:
    x = start_of(1)
    c = product_of(x)
    c[row, 63 - row] += error
    verdict = check_product(SEED, SMALL, ROOTS, 1, x, c)
    assert verdict.reason is Reason.WRONG_PRODUCT
    assert f"row={row}" in verdict.detail


@pytest.mark.parametrize("segment", [0, 1])
def test_check_product__of_another_matrix__is_refused(segment: int) -> None:
    x = start_of(segment)
    x[5, 5] ^= 1
    assert check_product(SEED, SMALL, ROOTS, segment, x, product_of(x)).reason is Reason.NOT_COMMITTED


def test_check_product__of_other_shapes_or_types__is_refused() -> None:
    x = start_of(0)
    c = product_of(x)
    for left, right in ((x[:-1], c), (x, c[:, :-1]), (x.to(torch.int32), c), (x, c.to(torch.int64))):
        assert check_product(SEED, SMALL, ROOTS, 0, left, right).reason is Reason.WRONG_LENGTH


def test_product_fault__more_rows_than_a_block__is_found_in_any() -> None:
    size, rows = 1024, 4096 + 1
    x, b = generate_matrix((1, 2), rows, size), generate_matrix((3, 4), size, size)
    c = choose_carrier().multiply(x, b)
    assert product_fault(x, b, c) is None
    for row in (0, 4095, 4096):
        c[row, 7] += 1
        assert product_fault(x, b, c) == row
        c[row, 7] -= 1


def test_product_fault__a_secret_that_is_known__can_be_deceived() -> None:
    """Why the vectors are drawn afterwards: an error orthogonal to them passes, and fresh ones see it."""
    x = start_of(0)
    secret = draw_secret(64)
    single = secret[:1]
    c = product_of(x)
    c[9, 0] += int(single[0, 1])
    c[9, 1] -= int(single[0, 0])
    assert product_fault(x, CHAIN.b_transposed, c, single) is None
    assert product_fault(x, CHAIN.b_transposed, c) == 9


@pytest.mark.parametrize("exponent", range(SIZE_MULTIPLE.bit_length() - 1, 16))
def test_strength__every_size__is_exact_and_enough(exponent: int) -> None:
    size = 1 << exponent
    chosen = strength(size)
    assert size * 128 * size * 128 * ((1 << chosen.bits) - 1) < 1 << 53
    assert chosen.bits * chosen.columns >= 64
    assert chosen.bits >= 8


def test_product_fault__greatest_sums__are_exact() -> None:
    """All entries at their extremes: sums differ by one in 2^52 and still compare right."""
    size = 1024
    x = torch.full((4, size), -128, dtype=torch.int8)
    b = torch.full((size, size), -128, dtype=torch.int8)
    secret = torch.full((1, size), float((1 << strength(size).bits) - 1), dtype=torch.float64)
    c = torch.full((4, size), 128 * 128 * size, dtype=torch.int32)
    assert product_fault(x, b, c, secret) is None
    c[3, 1023] += 1
    assert product_fault(x, b, c, secret) == 3


def test_draw_secret__uniform_bits__of_the_stated_width() -> None:
    secret = draw_secret(4096)
    bits = strength(4096).bits
    assert float(secret.min()) >= 0
    assert float(secret.max()) < 1 << bits
    assert abs(float(secret.mean()) / ((1 << bits) - 1) - 0.5) < 0.02
    assert not torch.equal(secret, draw_secret(4096))
