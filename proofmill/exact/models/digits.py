"""The network of ``digit-recognizer-py``, which reads handwritten digits of 28 by 28 grey bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from proofmill.exact.importers.cnn import ImageInput, import_cnn
from proofmill.exact.importers.cnn_layers import (
    Convolution,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    Rectifier,
    read_torch_state,
)
from proofmill.exact.models.packages import PackageFiles
from proofmill.exact.program.model import Model, Profile

WEIGHTS: Final = "models/handwriting_model.pth"
FILES: Final = PackageFiles(
    "digit_recognizer",
    "digit-recognizer-py==0.1.0",
    {WEIGHTS: "325e0773529babe8ebb6adf35a82c64e57c5f3518c2adb975865355c74bc4786"},
)
IMAGE: Final = ImageInput(28, 28, (Fraction("0.1307"),), (Fraction("0.3081"),))
LABELS: Final = tuple("0123456789")


def layers() -> list[Layer]:
    """The network as its package defines it, with the packaged weights."""
    state = read_torch_state(FILES.path(WEIGHTS))
    network: list[Layer] = []
    for name in ("conv_layers.0", "conv_layers.3", "conv_layers.6"):
        network += [
            Convolution.from_state(state, name, padding=1),
            Rectifier(f"{name}.rectifier"),
            MaxPool(f"{name}.pool", 2, 2),
        ]
    network += [
        Flatten("flatten"),
        Linear.from_state(state, "fc_layers.0"),
        Rectifier("fc_layers.1"),
        Linear.from_state(state, "fc_layers.2"),
    ]
    return network


def convert(profile: Profile) -> Model:
    """The model in integers."""
    return import_cnn(layers(), IMAGE, profile, name="digit-recognizer", labels=LABELS)
