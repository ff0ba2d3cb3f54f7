"""The digit classifier: classes and logits against the float64 model on real images, speed beside the float32 model."""

from __future__ import annotations

from typing import Any

import torch

from bench.exact.digit_images import digit_images
from bench.exact.float_cnn import FloatCnn
from bench.exact.quality import classification_quality
from bench.exact.timing import alternating_medians
from proofmill.exact.classifier import Classifier
from proofmill.exact.models import digits

BATCH_SIZE = 64

#: Least share of images to which the exact and the float64 model give the same class.
FLOORS = {"E16": 0.997, "E16x": 1.0}


class ImageClassifierBench:
    """The images and the float models' logits, computed once for all profiles."""

    def __init__(self) -> None:
        layers = digits.layers()
        self._images, self._classes = digit_images()
        self._reference = FloatCnn(layers, digits.IMAGE, torch.float64).logits(self._images)
        self._single = FloatCnn(layers, digits.IMAGE, torch.float32)
        self._half = FloatCnn(layers, digits.IMAGE, torch.bfloat16).logits(self._images)

    def report(self, classifier: Classifier, runs: int) -> tuple[dict[str, Any], list[str]]:
        """Figures, and the floors they fall below."""
        scale = 1 << classifier.description.output_fraction_bits
        answer = torch.from_numpy(classifier.logits(self._images.numpy())).double() / scale
        exact = classification_quality(answer, self._reference, self._classes)
        single = self._single.logits(self._images)
        figures = {
            "images": {"source": "UCI optical digits (scikit-learn), 8 by 8 scaled to 28 by 28", "count": len(answer)},
            "quality_against_float64": {
                "exact": exact,
                "float32": classification_quality(single, self._reference, self._classes),
                "bfloat16": classification_quality(self._half, self._reference, self._classes),
            },
            "speed": self._speed(classifier, runs) if runs else {},
        }  # fmt: skip
        floor = FLOORS[classifier.description.profile]
        found = exact["agreement"]
        return figures, [f"agreement {found} below {floor}"] if found < floor else []

    def _speed(self, classifier: Classifier, runs: int) -> dict[str, Any]:
        images, batches = self._images.numpy(), torch.split(self._images, BATCH_SIZE)
        exact, single = alternating_medians(
            [
                lambda: classifier.logits(images, batch_size=BATCH_SIZE),
                lambda: [self._single.logits(batch) for batch in batches],
            ],
            runs,
        )
        return {
            "runs": runs,
            "batch_size": BATCH_SIZE,
            "exact_images_per_second": round(len(images) / exact),
            "float32_images_per_second": round(len(images) / single),
            "exact_over_float32": round(single / exact, 3),
        }
