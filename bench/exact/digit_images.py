"""1,797 handwritten digits for the classifier: the UCI optical digits that scikit-learn carries, scaled to 28 by 28 bytes.

The package is found, not imported: only its data file is read. The network was trained on MNIST, whose 28 by 28 images hold a
digit in the middle 20 by 20; the 8 by 8 originals are scaled to that. Their style differs, so accuracy is below what the network
reaches on MNIST; agreement with the float network is what the benchmark is about.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

_SIDE = 8
_GREATEST = 16  # grey levels of the originals
_INNER, _OUTER = 20, 28


def digit_images() -> tuple[Tensor, Tensor]:
    """Images uint8 [n, 784, 1], dark background, and their digits int64 [n]; RuntimeError without scikit-learn's files."""
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise RuntimeError("scikit-learn is not installed: pip install --no-deps scikit-learn==1.5.2")
    with gzip.open(Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    originals = torch.from_numpy(table[:, :-1]).view(-1, 1, _SIDE, _SIDE) / _GREATEST
    scaled = interpolate(originals, size=(_INNER, _INNER), mode="bilinear", align_corners=False)
    images = pad(scaled, [(_OUTER - _INNER) // 2] * 4)
    # Adding before truncation keeps 0 at 0 and rounds to the nearest byte.
    octets = (images * 255 + 0.5).to(torch.uint8).view(-1, _OUTER * _OUTER, 1)
    return octets, torch.from_numpy(table[:, -1].astype(np.int64))
