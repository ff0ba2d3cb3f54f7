"""Classifier: what the rest of Proofmill sees of a model of images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.execution.executor import Executor
from proofmill.exact.loaded import LoadedModel
from proofmill.exact.program.kinds import Shape
from proofmill.exact.program.model import Description


class Classifier(LoadedModel):
    """An exact image classifier. Immutable; its methods may be called from several threads at once."""

    def __init__(self, model_id: bytes, description: Description, executor: Executor, input: Shape) -> None:
        super().__init__(model_id, description, executor)
        self._input = input

    @property
    def input_size(self) -> tuple[int, int]:
        """Positions (height times width) and channels of an image."""
        return self._input.rows or 0, self._input.width

    def logits(self, images: npt.NDArray[np.uint8], *, batch_size: int = 64) -> npt.NDArray[np.int32]:
        """Logits int32 [n, classes] of images given as bytes [n, height·width, channels], positions row by row.

        They stand for multiples of 2^-output_fraction_bits. Batch size and company change no bit. InvalidOperand if the
        array does not have that shape and type.
        """
        expected = self.input_size
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != expected:
            raise InvalidOperand(
                f"images are {images.dtype} {images.shape}, expected uint8 (n, {expected[0]}, {expected[1]})",
                remedy="Scale the images to the size of the model and pass one byte per channel.",
            )
        if batch_size < 1:
            raise InvalidOperand(f"batch size {batch_size}", remedy="Use a batch size of at least 1.")
        stacked = torch.from_numpy(np.ascontiguousarray(images))
        with torch.inference_mode():
            parts = [self._executor.run_images(part).cpu() for part in torch.split(stacked, batch_size)]
        answer: npt.NDArray[np.int32] = torch.cat(parts).numpy()
        return answer

    def classify(self, images: npt.NDArray[np.uint8], *, batch_size: int = 64) -> npt.NDArray[np.int64]:
        """The class of each image: the lowest index of its greatest logit, int64 [n]."""
        # numpy takes the first of equals.
        answer: npt.NDArray[np.int64] = np.argmax(self.logits(images, batch_size=batch_size), axis=1)
        return answer
