"""How close exact answers are to those of the float model: embeddings, next-token distributions, classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

_ROWS_AT_ONCE = 128  # of logits widened to float64


def embedding_quality(answer: Tensor, reference: Tensor) -> dict[str, float]:
    """Cosines [n, D] with the reference's embeddings, and how often both have the same nearest neighbour."""
    answer, reference = normalize(answer.double(), dim=-1), normalize(reference.double(), dim=-1)
    cosine = (answer * reference).sum(-1)
    agreement = (_nearest(answer) == _nearest(reference)).double().mean()
    return {
        "cosine_mean": round(float(cosine.mean()), 8),
        "cosine_min": round(float(cosine.min()), 8),
        "top1_neighbour_agreement": round(float(agreement), 4),
    }


def _nearest(embeddings: Tensor) -> Tensor:
    """Index of each row's nearest other row by cosine."""
    similarity = embeddings @ embeddings.T
    return similarity.fill_diagonal_(-2).argmax(1)


class LanguageQuality:
    """Sums over predicted tokens; ``add`` takes a sequence at a time, ``report`` gives the means.

    Perplexity is that of the next token of real text; the divergence is KL(reference || answer) in nats per token.
    """

    def __init__(self) -> None:
        self._tokens = self._agreeing = 0
        self._loss = self._reference_loss = self._divergence = 0.0

    def add(self, answer: Tensor, reference: Tensor, ids: list[int]) -> None:
        """Logits [T, V] in floating point after each of the T tokens ``ids``; the last row predicts nothing known."""
        targets = torch.tensor(ids[1:])
        for start in range(0, len(targets), _ROWS_AT_ONCE):
            rows = slice(start, min(start + _ROWS_AT_ONCE, len(targets)))
            found = answer[rows].double().log_softmax(-1)
            expected = reference[rows].double().log_softmax(-1)
            wanted = targets[rows, None]
            self._loss -= float(found.gather(1, wanted).sum())
            self._reference_loss -= float(expected.gather(1, wanted).sum())
            self._divergence += float((expected.exp() * (expected - found)).sum())
            self._agreeing += int((found.argmax(-1) == expected.argmax(-1)).sum())
            self._tokens += len(wanted)

    def report(self) -> dict[str, float]:
        perplexity = math.exp(self._loss / self._tokens)
        reference = math.exp(self._reference_loss / self._tokens)
        return {
            "predicted_tokens": self._tokens,
            "perplexity": round(perplexity, 4),
            "perplexity_over_reference": round(perplexity / reference, 6),
            "top1_agreement": round(self._agreeing / self._tokens, 5),
            "kl_divergence": float(f"{self._divergence / self._tokens:.3g}"),
        }


def classification_quality(answer: Tensor, reference: Tensor, digits: Tensor) -> dict[str, float]:
    """Logits [n, classes] against the reference's, and accuracy against the images' true classes."""
    agreement = (answer.argmax(1) == reference.argmax(1)).double().mean()
    accuracy = (answer.argmax(1) == digits).double().mean()
    return {
        "images": len(answer),
        "agreement": round(float(agreement), 5),
        "accuracy": round(float(accuracy), 5),
        "greatest_logit_error": float(f"{float((answer.double() - reference.double()).abs().max()):.3g}"),
    }
