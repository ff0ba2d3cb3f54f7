"""The fast forms against the challenge in plain integers, and both against recorded values."""

from __future__ import annotations

import hashlib

import pytest
import torch

from proofmill.capability import definition
from proofmill.capability.arithmetic import CARRIER_NAMES, Carrier, carrier_fault, choose_carrier, self_test
from proofmill.capability.chain import Chain, requantise_into
from proofmill.capability.commitment import RowDigests, Tree, digest_bytes
from proofmill.capability.errors import DeviceUnfit
from proofmill.capability.generator import CHUNK_CPU, fill_words, generate_matrix, generate_rows, words_at
from proofmill.capability.memory import MemoryProver
from proofmill.capability.parameters import MemoryParameters, Parameters
from proofmill.capability.prover import Prover
from proofmill.capability.seeds import derive_key

from .challenges import SEED, SMALL, honest_prover

UNSIGNED = (1 << 64) - 1
KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
EXACT_CARRIERS = [name for name in CARRIER_NAMES if carrier_fault(name, "cpu") is None]


def test_words__second_key_zero__are_those_of_splitmix64() -> None:
    # Vigna's splitmix64.c with seed 1234567.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [definition.word((1234567, 0), index) for index in range(4)] == known


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("first", [0, 5, (1 << 62) + 3])
def test_fill_words__across_chunks__equals_definition(first: int, passes: int) -> None:
    words = torch.empty(2 * CHUNK_CPU + 7, dtype=torch.int64)
    fill_words(KEY, words, first, passes)
    for place in (0, 1, CHUNK_CPU - 1, CHUNK_CPU, 2 * CHUNK_CPU - 1, 2 * CHUNK_CPU, 2 * CHUNK_CPU + 6):
        assert int(words[place]) & UNSIGNED == definition.word(KEY, first + place, passes)


def test_fill_words__one_thread_or_two__same_words() -> None:
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(generate_matrix(KEY, 1024, 1024))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


def test_generate_rows__some_rows__equals_matrix_and_definition() -> None:
    rows = torch.tensor([63, 0, 17])
    found = generate_rows(KEY, rows, 64)
    assert torch.equal(found, generate_matrix(KEY, 64, 64)[rows])
    assert found[2].tolist() == definition.entries(KEY, 17 * 64, 64)


@pytest.mark.parametrize("carrier", EXACT_CARRIERS)
def test_chain__whole_segment__equals_definition(carrier: str) -> None:
    chain = Chain(SEED, SMALL, choose_carrier("cpu", carrier), torch.device("cpu"))
    rows, first_rounds = torch.tensor([5, 63, 5]), torch.tensor([0, 0, 64])
    start = torch.cat([chain.first_rows(rows[:2]), chain.first_rows(rows[:1])])
    found = chain.advance(start, rows, first_rounds)
    columns = [definition.column_of_b(SEED, column, 64) for column in range(64)]
    assert chain.b_transposed.tolist() == columns
    for place in range(3):
        row, first = int(rows[place]), int(first_rounds[place])
        x = definition.row_of_a(SEED, row, 64)
        for step in range(32):
            x = definition.next_row(x, columns, derive_key(SEED, "mix"), first + step, row)
        assert found[place].tolist() == x


def test_requantise__every_sign_and_edge__takes_bits_8_to_15() -> None:
    values = [0, 255, 256, -1, -256, -257, 32767, 32768, 65535, 65536, -(1 << 29), (1 << 29) + 12345] * 2
    accumulators = torch.tensor([values[:8], values[8:16]], dtype=torch.int32)
    found = torch.empty((2, 8), dtype=torch.int8)
    requantise_into(accumulators, torch.zeros(2, dtype=torch.int64), found)
    assert found.flatten().tolist() == [definition.requantise(value) for value in values[:16]]


def test_row_digests__more_rows_than_a_block__equal_definition() -> None:
    rows = generate_matrix(KEY, 600, 512)
    digests = digest_bytes(RowDigests(KEY, 64, torch.device("cpu")).compute(rows))
    for row in (0, 255, 256, 599):
        assert digests[row] == definition.row_digest(rows[row].tolist(), KEY)


@pytest.mark.parametrize("name", CARRIER_NAMES)
def test_carriers__that_pass_their_test__commit_to_the_same_roots(name: str) -> None:
    if name not in EXACT_CARRIERS:
        pytest.skip(f"{name} is not exact on this processor: {carrier_fault(name, 'cpu')}")
    assert Prover(SEED, SMALL, carrier=name).run() == honest_prover().roots


def test_self_test__saturating_arithmetic__is_found() -> None:
    class Saturating(Carrier):
        def multiply(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
            pairs = x.to(torch.int32)[:, None].mul(w.to(torch.int32)).unflatten(2, (-1, 2)).sum(3)
            return pairs.clamp(-32768, 32767).sum(2, dtype=torch.int32)

    assert self_test(Saturating("int8"), torch.device("cpu")) is not None


def test_choose_carrier__unknown_name_or_device__says_why() -> None:
    with pytest.raises(DeviceUnfit, match="no carrier 'int4'"):
        choose_carrier("cpu", "int4")
    with pytest.raises(DeviceUnfit, match="no exact arithmetic on meta"):
        choose_carrier("meta")


def test_long_chain__four_thousand_rounds__entries_stay_uniform() -> None:
    """Chi-square of 256 values: mean 255, deviation 22.6; a collapse or saturation gives millions."""
    parameters = Parameters(64, 4096, 8)
    chain = Chain(SEED, parameters, choose_carrier(), torch.device("cpu"))
    rows = torch.arange(64)
    x = chain.first_matrix()
    late = torch.zeros(256, dtype=torch.int64)
    for segment in range(parameters.segments):
        x = chain.advance(x, rows, torch.full_like(rows, 32 * segment))
        late += torch.bincount(x.flatten().to(torch.int64) + 128, minlength=256)
    expected = late.sum() / 256
    chi_square = float(((late - expected) ** 2 / expected).sum())
    assert 150 < chi_square < 400
    assert len({bytes(row.numpy()) for row in x}) == 64


GOLDEN_SEED = bytes(range(32))
ROOTS = [
    "efdb9f9b39f5b4e9e4f5c5cd6e276b538d133a885b2f265b6a9878348abee3d1",
    "3f527bc822336a64585d358b6b73899ec9255c7573c006cb5b58d9ebdc0ef591",
]
WALK_ROOT = "f7c264f4b9ba2c880848ae1c89aae26b28ced9b00e093541fc0432c6636ba520"
MATRIX = "a22ed829011ce1bbecfcdae5962473de9c5d8b51b871c5986e63f625b4fa98d7"


def test_golden__speed__roots_are_as_recorded() -> None:
    roots = Prover(GOLDEN_SEED, Parameters(128, 64, 4)).run()
    assert [root.hex() for root in roots] == ROOTS


def test_golden__memory__root_is_as_recorded() -> None:
    prover = MemoryProver(GOLDEN_SEED, MemoryParameters(64, 4, 8, 40, 2, 4))
    prover.fill()
    assert prover.walk(GOLDEN_SEED[::-1]).hex() == WALK_ROOT


def test_golden__matrix__bytes_are_as_recorded() -> None:
    matrix = generate_matrix(derive_key(GOLDEN_SEED, "B"), 256, 256)
    assert hashlib.sha256(matrix.numpy().tobytes()).hexdigest() == MATRIX
    assert int(words_at(KEY, torch.tensor(3))) & UNSIGNED == definition.word(KEY, 3)


def test_tree__one_leaf__is_bound_to_its_count() -> None:
    leaf = b"\x07" * 32
    assert Tree([leaf]).root == hashlib.sha256(b"\x02" + (1).to_bytes(8, "big") + leaf).digest()
