"""Packaged models through the big-integer implementation, which shares no code with the engine.

MiniLM has its test with the Embedder. SmolLM2 takes minutes and gigabytes as Python lists, so small models stand for its family.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.models.catalogue import KNOWN_MODELS, load_packed
from proofmill.exact.models.loading import make
from proofmill.exact.program.interpreter import run
from tests.reference.programs import run_program
from tests.unit.exact.reference_documents import reference_document, reference_tensors


@pytest.mark.parametrize("name", ["digits-e16", "digits-e16x"])
def test_the_digit_network_equals_big_integers(name: str) -> None:
    manifest, model = load_packed(KNOWN_MODELS[name])
    image = (torch.arange(784) * 37 % 256).to(torch.uint8).view(784, 1)
    defined = run(model, image)[-1]
    assert isinstance(defined, torch.Tensor)
    classifier = make(manifest, model, None, choose_kernels())
    (fast,) = classifier.logits(image.numpy()[np.newaxis])  # type: ignore[union-attr,arg-type]
    assert run_program(reference_document(model), reference_tensors(model), image.tolist()) == [fast.tolist()]
    assert defined.tolist() == [fast.tolist()]
