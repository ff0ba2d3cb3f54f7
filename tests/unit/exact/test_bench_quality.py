"""The benchmark's measures of quality are what their names say."""

from __future__ import annotations

import importlib.util
import math

import pytest
import torch

from bench.exact.digit_images import digit_images
from bench.exact.quality import LanguageQuality, classification_quality, embedding_quality
from bench.exact.texts import reference_text, token_windows
from bench.exact.timing import alternating_medians


def test_divergence_and_perplexity_of_known_distributions() -> None:
    reference = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [1 / 3, 1 / 3, 1 / 3]]).double()
    answer = torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05]]).double()
    quality = LanguageQuality()
    # Logits are defined up to a constant, and the last row predicts nothing that is known.
    quality.add(answer.log() + 7, reference.log() - 3, [2, 0, 1])
    report = quality.report()
    assert report["predicted_tokens"] == 2
    assert report["perplexity"] == pytest.approx(1 / math.sqrt(0.25 * 0.8), abs=1e-4)
    assert report["perplexity_over_reference"] == pytest.approx(math.sqrt(0.5 / 0.25), abs=1e-5)
    assert report["top1_agreement"] == 0.5
    divergence = 0.5 * math.log(2) - 0.25 * math.log(2)
    assert report["kl_divergence"] == pytest.approx(divergence / 2, rel=1e-2)


def test_language_quality_adds_up_over_sequences_and_blocks() -> None:
    generator = torch.Generator().manual_seed(2)
    answer, reference = torch.randn((2, 300, 11), generator=generator)
    ids = torch.randint(0, 11, (300,), generator=generator).tolist()
    whole, parts = LanguageQuality(), LanguageQuality()
    whole.add(answer, reference, ids)
    for start, stop in (
        (0, 151),
        (150, 300),
    ):  # a row is needed on both sides of the seam: its token and its prediction
        parts.add(answer[start:stop], reference[start:stop], ids[start:stop])
    assert whole.report() == parts.report()
    same = LanguageQuality()
    same.add(reference, reference, ids)
    assert same.report()["kl_divergence"] == 0
    assert same.report()["top1_agreement"] == 1


def test_cosines_do_not_depend_on_length() -> None:
    reference = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
    assert embedding_quality(5 * reference, reference)["cosine_min"] == 1
    turned = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
    found = embedding_quality(turned, reference)
    assert found["cosine_min"] == pytest.approx(0.2 / 1.01, abs=1e-7)
    assert found["top1_neighbour_agreement"] < 1


def test_agreement_and_accuracy_of_classes() -> None:
    reference = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    answer = torch.tensor([[1.0, 0.5], [1.5, 1.0], [1.0, 0.0], [0.0, 1.0]])
    found = classification_quality(answer, reference, torch.tensor([0, 0, 0, 0]))
    assert found == {"images": 4, "agreement": 0.75, "accuracy": 0.75, "greatest_logit_error": 1.5}


def test_windows_are_spread_over_the_whole_reference() -> None:
    assert len(reference_text()) > 300_000
    windows = token_windows(lambda text: list(range(len(text) // 100)), 7, 50)
    assert [len(window) for window in windows] == [50] * 7
    assert windows[0][0] == 0
    assert windows[-1][-1] >= len(reference_text()) // 100 - 7
    with pytest.raises(RuntimeError, match="wanted"):
        token_windows(lambda text: [1, 2, 3], 2, 2)


def test_work_is_timed_in_turn() -> None:
    calls: list[int] = []
    found = alternating_medians([lambda: calls.append(0), lambda: calls.append(1)], 3)
    assert calls == [0, 1] * 4
    assert len(found) == 2


@pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="scikit-learn's data is not installed"
)
def test_digit_images_are_dark_squares_with_a_light_digit() -> None:
    images, digits = digit_images()
    assert images.shape == (1797, 784, 1)
    assert images.dtype == torch.uint8
    assert digits.bincount().min() > 150
    square = images.view(-1, 28, 28)
    assert int(square[:, :4].max()) == int(square[:, :, -4:].max()) == 0
    assert int(square.max()) == 255
