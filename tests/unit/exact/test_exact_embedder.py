"""The Embedder: batch invariance, validation, threads, tokenizer."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from proofmill.exact import Embedder, InvalidOperand, InvalidSequence, InvalidText, Manifest, bert
from proofmill.exact.bert import Encoder, specification
from proofmill.exact.carriers import CARRIER_NAMES, Carrier, carrier_fault
from proofmill.exact.embedder import MOST_TOKENS, _batches
from proofmill.exact.golden import golden_sequences
from proofmill.exact.minilm import load_packed
from tests.reference import big_integers as reference

TEXTS = ["The contract settles every dispute.", "Viruses are smaller than bacteria."]


def test_whole_model_equals_big_integers(minilm: Embedder, model_cache: Path) -> None:
    manifest, tensors = load_packed(model_cache)
    ids = minilm.tokenize(TEXTS)
    used = sorted({token for sequence in ids for token in sequence})
    lists = {name: tensor.tolist() for name, tensor in tensors.items() if name != "embedding.word"}
    rows = tensors["embedding.word"]
    # Only the rows in use become Python lists: 11 million integers would take half a gigabyte.
    model = reference.Encoder(
        manifest.to_bytes(), {**lists, "embedding.word": {i: rows[i].tolist() for i in used}}
    )
    answer = minilm.embed(ids)
    for sequence, row in zip(ids, answer.tolist(), strict=True):
        assert model.embed(sequence) == row
        specified = specification(sequence, manifest.constants, 12, manifest.shifts, tensors)
        assert specified.tolist() == row
    assert max(reference.widest.values()) <= 62


@pytest.mark.parametrize("rows_per_block", [1, 7, 64])
def test_blocks_change_nothing(
    minilm: Embedder, monkeypatch: pytest.MonkeyPatch, rows_per_block: int
) -> None:
    sequences = golden_sequences()[:10]
    expected = minilm.embed(sequences)
    monkeypatch.setattr(bert, "ROWS_PER_BLOCK", rows_per_block)
    monkeypatch.setattr(bert, "SCORES_PER_BLOCK", 1)
    assert np.array_equal(minilm.embed(sequences), expected)


def test_neither_batch_nor_order_nor_company_changes_a_bit(minilm: Embedder) -> None:
    sequences = golden_sequences()
    expected = minilm.embed(sequences)
    assert expected.dtype == np.int32
    assert expected.shape == (len(sequences), 384)
    assert np.array_equal(minilm.embed(sequences, batch_size=7), expected)
    assert np.array_equal(minilm.embed(sequences[::-1])[::-1], expected)
    assert np.array_equal(minilm.embed(sequences[5:6]), expected[5:6])


def test_embeddings_are_unit_vectors(minilm: Embedder) -> None:
    lengths = np.linalg.norm(minilm.embed(golden_sequences()).astype(np.float64) / 2**24, axis=1)
    assert np.abs(lengths - 1).max() < 1e-6


def test_the_longest_sequence_fits(minilm: Embedder) -> None:
    assert minilm.embed([[2000] * 512]).shape == (1, 384)


@pytest.mark.parametrize("name", CARRIER_NAMES)
def test_random_small_models_agree_with_the_specification(name: str) -> None:
    """Heads, sizes and layers other than MiniLM's, through the whole encoder."""
    if carrier_fault(name) is not None:
        pytest.skip(f"{name} is not exact on this machine")
    from tests.unit.exact.test_exact_convert import CONFIG, small_source

    converted = bert_of(small_source(), {**CONFIG, "num_attention_heads": 4})
    manifest, tensors = converted
    encoder = Encoder(manifest, tensors, Carrier(name))
    sequences = [[1, 2], [3, 10], [0, 5, 7], [9] * 5]
    with torch.inference_mode():
        rows = encoder.run(sequences)
    for sequence, row in zip(sequences, rows, strict=True):
        expected = specification(sequence, manifest.constants, 4, manifest.shifts, tensors)
        assert torch.equal(row, expected)


def bert_of(
    source: dict[str, torch.Tensor], config: dict[str, object]
) -> tuple[Manifest, dict[str, torch.Tensor]]:
    from proofmill.exact.convert import convert_bert
    from proofmill.exact.manifest import ModelLimits, tensor_entry

    converted = convert_bert(source, config)
    entries = {name: tensor_entry(tensor) for name, tensor in converted.tensors.items()}
    limits = ModelLimits(11, 5, 8, 24)
    manifest = Manifest(
        converted.dimensions, converted.constants, converted.shifts, entries, "0" * 64, limits
    )
    return Manifest.from_bytes(manifest.to_bytes()), converted.tensors


def test_threads_share_an_embedder(minilm: Embedder) -> None:
    sequences = golden_sequences()[:12]
    expected = minilm.embed(sequences)
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda _: minilm.embed(sequences, batch_size=4), range(8)):
            assert np.array_equal(answer, expected)


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
    batches = _batches(lengths, batch_size, threads)
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
    for name in ("model_id", "manifest", "limits", "carrier"):
        with pytest.raises(AttributeError):
            setattr(minilm, name, None)
    assert json.loads(minilm.manifest)["profile"] == "E16"
