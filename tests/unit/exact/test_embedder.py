"""The Embedder: batch invariance, validation, threads, tokenizer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from proofmill.exact import InvalidOperand, InvalidSequence, InvalidText, ModelUnavailable
from proofmill.exact.embedder import MOST_TOKENS, Embedder, _batches
from proofmill.exact.execution.executor import Executor
from proofmill.exact.kernels.carriers import Carrier
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.models.catalogue import KNOWN_MODELS, load_packed
from proofmill.exact.program.interpreter import run
from tests.reference.programs import run_program
from tests.unit.exact.reference_documents import reference_document
from tests.unit.exact.small_models import small_bert


def sequences_of_many_lengths() -> list[list[int]]:
    """40 sequences of 1 to 257 ids, mostly short, some of equal length."""
    lengths = (1, 2, 3, 5, 8, 8, 13, 21, 21, 34, 55, 144, 257, *range(4, 28), 16, 17, 18)
    generator = np.random.default_rng(20)
    return [generator.integers(0, 30522, length).tolist() for length in lengths]


TEXTS = ["The contract settles every dispute.", "Viruses are smaller than bacteria."]


def test_whole_model_equals_big_integers(minilm: Embedder, model_cache: Path) -> None:
    _, model = load_packed(KNOWN_MODELS["minilm-e16"], model_cache)
    ids = minilm.tokenize(TEXTS)
    used = sorted({token for sequence in ids for token in sequence})
    lists = {name: tensor.tolist() for name, tensor in model.tensors.items() if name != "word_embedding.rows"}
    rows = model.tensors["word_embedding.rows"]
    # Only the rows in use become Python lists: 11 million integers would take half a gigabyte.
    lists["word_embedding.rows"] = {index: rows[index].tolist() for index in used}
    document = reference_document(model)
    answer = minilm.embed(ids)
    for sequence, row in zip(ids, answer.tolist(), strict=True):
        assert run_program(document, lists, sequence) == [row]
        defined = run(model, torch.tensor(sequence))[-1]
        assert isinstance(defined, torch.Tensor)
        assert defined.tolist() == [row]


def test_neither_batch_nor_order_nor_company_changes_a_bit(minilm: Embedder) -> None:
    sequences = sequences_of_many_lengths()
    expected = minilm.embed(sequences)
    assert expected.dtype == np.int32
    assert expected.shape == (len(sequences), 384)
    assert np.array_equal(minilm.embed(sequences, batch_size=7), expected)
    assert np.array_equal(minilm.embed(sequences[::-1])[::-1], expected)
    assert np.array_equal(minilm.embed(sequences[5:6]), expected[5:6])


def test_embeddings_are_unit_vectors(minilm: Embedder) -> None:
    lengths = np.linalg.norm(minilm.embed(sequences_of_many_lengths()).astype(np.float64) / 2**24, axis=1)
    assert np.abs(lengths - 1).max() < 1e-6


def test_the_longest_sequence_fits(minilm: Embedder) -> None:
    assert minilm.embed([[2000] * 512]).shape == (1, 384)


def test_threads_share_an_embedder(minilm: Embedder) -> None:
    sequences = sequences_of_many_lengths()[:12]
    expected = minilm.embed(sequences)
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda _: minilm.embed(sequences, batch_size=4), range(8)):
            assert np.array_equal(answer, expected)


def test_kernels_that_do_not_divide_their_work_get_a_batch_per_thread(minilm: Embedder) -> None:
    model = small_bert("E16")
    with torch.inference_mode():
        portable = Executor(model, PortableKernels(Carrier("fp64")))
    embedder = Embedder(b"\1" * 32, model.description, portable, 12, None)
    sequences = [[index % 29] * (1 + index % 20) for index in range(50)]
    alone = np.concatenate([embedder.embed([sequence]) for sequence in sequences])
    assert np.array_equal(embedder.embed(sequences, batch_size=3), alone)
    with pytest.raises(ModelUnavailable, match="no tokenizer is known for model small-bert"):
        embedder.tokenize(["text"])


def test_progress_counts_sequences_in_the_calling_thread(minilm: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    threads = set()

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        threads.add(threading.get_ident())

    minilm.embed([[5], [6], [7, 8]], batch_size=2, progress=progress)
    assert seen == [(2, 3), (3, 3)]
    assert threads == {threading.get_ident()}


def test_an_error_in_progress_ends_the_work(minilm: Embedder) -> None:
    def progress(done: int, total: int) -> None:
        raise ZeroDivisionError(done)

    with pytest.raises(ZeroDivisionError):
        minilm.embed([[5] * 10] * 50, batch_size=1, progress=progress)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("proofmill-exact")]


def test_thread_settings_of_pytorch_are_left_alone(minilm: Embedder) -> None:
    before = torch.get_num_threads()
    minilm.embed([[5], [6, 7]])
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_batches_hold_every_sequence_once(threads: int, batch_size: int) -> None:
    lengths = [3, 1, 512, 512, 40, 40, 40, 7] * 9
    batches = _batches(lengths, batch_size, threads, MOST_TOKENS)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch_size
    assert max(sum(lengths[index] for index in batch) for batch in batches) <= MOST_TOKENS
    ordered = [lengths[index] for batch in batches for index in batch]
    assert ordered == sorted(lengths, reverse=True)


def test_nothing_gives_nothing(minilm: Embedder) -> None:
    assert minilm.embed([]).shape == (0, 384)
    assert minilm.tokenize([]) == []


@pytest.mark.parametrize(
    ("sequences", "named"),
    [
        ([[5], []], "sequence 1 is empty"),
        ([[5] * 513], "sequence 0 has 513 tokens, at most 512"),
        ([[5], [1, 30522]], "sequence 1, token 1: 30522"),
        ([[-1]], "sequence 0, token 0: -1"),
        ([[1.0]], "sequence 0, token 0"),
        ([[True]], "sequence 0, token 0"),
        ([["a"]], "sequence 0, token 0"),
        ([5], "sequence 0 is a int"),
        ([[5], None], "sequence 1 is a NoneType"),
        (["text"], "sequence 0 is a str"),
    ],
)
def test_bad_sequences_are_named(minilm: Embedder, sequences: list[list[int]], named: str) -> None:
    with pytest.raises(InvalidSequence, match=named):
        minilm.embed(sequences)


def test_numpy_ids_are_accepted(minilm: Embedder) -> None:
    assert np.array_equal(
        minilm.embed([np.array([101, 7, 102], dtype=np.int32)]), minilm.embed([[101, 7, 102]])
    )


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True])
def test_bad_batch_sizes_are_refused(minilm: Embedder, batch_size: int) -> None:
    with pytest.raises(InvalidOperand, match="batch size"):
        minilm.embed([[5]], batch_size=batch_size)


def test_tokenizer_neither_pads_nor_cuts(minilm: Embedder) -> None:
    assert minilm.tokenize(["hello world", ""]) == [[101, 7592, 2088, 102], [101, 102]]
    assert len(minilm.tokenize(["word " * 510])[0]) == 512


def test_a_long_text_is_named(minilm: Embedder) -> None:
    with pytest.raises(InvalidText, match="text 1 has 513 tokens, at most 512"):
        minilm.tokenize(["short", "word " * 511])


@pytest.mark.parametrize("text", ["\ud800", 5, b"bytes"])
def test_what_is_not_text_is_named(minilm: Embedder, text: str) -> None:
    with pytest.raises(InvalidText, match="text 1"):
        minilm.tokenize(["fine", text])


def test_properties_cannot_be_replaced(minilm: Embedder) -> None:
    for name in ("model_id", "description", "limits", "carrier"):
        with pytest.raises(AttributeError):
            setattr(minilm, name, None)
    assert minilm.description.profile == "E16"
