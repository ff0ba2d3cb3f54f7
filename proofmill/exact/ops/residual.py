"""The sum of a branch and the stream it leaves."""

from __future__ import annotations

from torch import Tensor

from proofmill.exact.ops.operands import require, require_activation
from proofmill.exact.ops.scalar import saturate


def add(x: Tensor, y: Tensor) -> Tensor:
    """``sat(x + y)``, activations of one shape and one fraction; the sum is below 2^32. Source: residual connections (He et al.,
    2016, section 3.1).
    """
    require(x.shape == y.shape, f"add: shapes {tuple(x.shape)} and {tuple(y.shape)} differ")
    require_activation("add: first term", x)
    require_activation("add: second term", y)
    return saturate(x + y)
