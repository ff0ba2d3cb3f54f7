"""Fixed inputs whose exact answer is known: any machine, carrier, batch or thread count must give it.

A node runs them when it loads a model and refuses to serve if the bits differ: the self-test of a carrier looks at chosen
matrix sizes, this looks at the whole program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from proofmill.exact.classifier import Classifier
from proofmill.exact.embedder import Embedder
from proofmill.exact.errors import GoldenMismatch
from proofmill.exact.generation import GenerationRequest
from proofmill.exact.generator import Generator
from proofmill.exact.program.sampling import Sampling

#: By model id; `make golden` prints it for every carrier, batch size and thread count.
GOLDEN_ANSWERS: Final[dict[str, str]] = {
    "db14da11c611bc7ed4dcbaa5876881e72ac3ea10cfa0c14b3673b894796bdb53": (  # minilm-e16
        "8c0fccdfd435a0857d32dd22091bf0ae3d8491cfdc3165005bf6918e4ef32f0a"
    ),
    "afb9c991bf9643f837763ff618f488e43495953d135c14d3e4ae3e5748e6eb6a": (  # minilm-e16x
        "9f895153631d436f2d4e0ffe09e579b7f94c7af4d810a51d5c6c296ed505ef7f"
    ),
    "c2a6481369ee4f73e207282eeeb7c270ee149007e018f03a5b9b017c175658ec": (  # smollm2-e16
        "f93755b9d540b2701af93f98653a938e14f5c192f13e34c6ec989b15f520a283"
    ),
    "89d3ad5cadaff1f2ac68f285cf8dc7d758d977c017f86b8987cd4504cdeeb08b": (  # smollm2-e16x
        "9d96bd1fbb0f3693f559a90ed8c550c56bf2c908540ca378915238e02d67f5aa"
    ),
    "7dd8ca56a102421bc41968d1e66018d60636c9668b6cf32f04b030a1222718dd": (  # digits-e16
        "06c79ed68c4e7a65e27bf58f177178b1f6893fedeae31273045535b38b845eb0"
    ),
    "2510e524e627a9a2ed9ee8036cafca69286c4af4aa85be3c9e75d8887ea1d8d4": (  # digits-e16x
        "dbffefe3512f5cd5020410f983331ee7c893f7a9387a0fe29a72a2397af177a2"
    ),
}

#: Mostly short, some repeated lengths, one token alone, and one sequence over two blocks of 128.
_SEQUENCE_LENGTHS: Final = (1, 2, 3, 5, 8, 8, 13, 21, 21, 34, 55, 144, 257, *range(4, 28), 16, 17, 18)

#: The longest crosses several tiles of attention, the shortest is a token alone; each prompt is continued in another way.
_PROMPT_LENGTHS: Final = (1, 2, 7, 33, 130)
_NEW_TOKENS: Final = 6
_LOGIT_PLACES: Final = 40  # of the longest prompt, from its end
_IMAGES: Final = 24


def golden_answer(model: Embedder | Generator | Classifier, *, batch_size: int = 32) -> str:
    """sha256 of the model's answer to its golden inputs, every integer as a little-endian signed 32-bit one, in order."""
    digest = hashlib.sha256()
    for part in _answers(model, batch_size):
        digest.update(np.ascontiguousarray(part.astype("<i4", copy=False)).tobytes())
    return digest.hexdigest()


def check_golden(model: Embedder | Generator | Classifier) -> None:
    """Run the golden inputs once, about a second on two cores; a model whose answer is not recorded passes.

    Raises:
        GoldenMismatch: this machine computes other bits, so it must not serve the model.
    """
    expected = GOLDEN_ANSWERS.get(model.model_id.hex())
    if expected is None:
        return
    found = golden_answer(model)
    if found != expected:
        raise GoldenMismatch(
            f"the {model.carrier} carrier gives {found} for the golden inputs, expected {expected}",
            remedy="Do not serve the model from here. Run `make golden` to see which carriers are right on this machine.",
        )


def _answers(
    model: Embedder | Generator | Classifier, batch_size: int
) -> Iterator[npt.NDArray[np.int32] | npt.NDArray[np.int64]]:
    numbers = _numbers(20)
    if isinstance(model, Embedder):
        limits = model.limits
        yield model.embed(
            [
                _tokens(numbers, min(length, limits.maximum_tokens), limits.vocabulary_size)
                for length in _SEQUENCE_LENGTHS
            ],
            batch_size=batch_size,
        )
    elif isinstance(model, Classifier):
        rows, channels = model.input_size
        pixels = [next(numbers) % 256 for _ in range(_IMAGES * rows * channels)]
        images = np.array(pixels, dtype=np.uint8).reshape(_IMAGES, rows, channels)
        images[0], images[1] = 0, 255
        yield model.logits(images, batch_size=batch_size)
    else:
        vocabulary = model.description.vocabulary_size
        new_tokens = min(_NEW_TOKENS, model.description.maximum_tokens)
        room = model.description.maximum_tokens - new_tokens + 1
        prompts = [_tokens(numbers, min(length, room), vocabulary) for length in _PROMPT_LENGTHS]
        with torch.inference_mode():
            first = max(0, len(prompts[-1]) - _LOGIT_PLACES)
            yield model.logits(prompts[-1], first=first).cpu().numpy()
        samplings = (None, Sampling(1 << 16, 7), Sampling(3 << 15, 2**64 - 1), None, Sampling(1 << 15, 0))
        requests = [
            GenerationRequest(tuple(prompt), new_tokens, sampling)
            for prompt, sampling in zip(prompts, samplings, strict=True)
        ]
        # A small chunk at small batches, so that both sizes of both are covered.
        chunk = 512 if batch_size > 4 else 13
        completions = model.generate(requests, batch_size=batch_size, prefill_chunk=chunk)
        yield np.array([completion.tokens for completion in completions])


def _numbers(state: int) -> Iterator[int]:
    """A linear congruential generator modulo 2^31 (the constants of ANSI C), without its low bits."""
    while True:
        state = (state * 1103515245 + 12345) % 2**31
        yield state >> 8


def _tokens(numbers: Iterator[int], length: int, vocabulary_size: int) -> list[int]:
    return [next(numbers) % vocabulary_size for _ in range(length)]
