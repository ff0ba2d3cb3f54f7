"""Fast forms of the operators: the same integers as ``operators.py``, held in float64.

Every value here is an integer (or an integer times a power of two) whose significant bits fit float64, so
each multiplication and addition is exact and ``floor(x + 1/2)`` is the profile's rounding. Bounds are those
proved in ``operators.py``; tests compare every kernel with its operator bit for bit. Functions may overwrite
their first argument: each caller hands over a tensor it no longer needs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from proofmill.exact import operators
from proofmill.exact.carriers import Carrier, PreparedWeight
from proofmill.exact.operators import (
    FRACTION_BITS,
    GELU_LIMIT,
    NORM_BITS,
    NORM_RECIPROCAL_BITS,
    OPERAND_BITS,
    SATURATION,
    SCORE_BITS,
    SOFTMAX_CUTOFF,
    SOFTMAX_RECIPROCAL_BITS,
    TABLE_BITS,
)
from proofmill.exact.tables import PHI_LIMIT

_GELU_EDGE = PHI_LIMIT << FRACTION_BITS  # from here on gelu(x) = x, below its negative gelu(x) = 0


def power_of_two(exponent: Tensor) -> Tensor:
    """2^exponent as float64 for integral -1000 <= exponent <= 1000, assembled from its bit pattern: exact
    anywhere.
    """
    return ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)


def bit_length(x: Tensor) -> Tensor:
    """``operators.bit_length`` of integral float64 values below 2^53: the binary exponent, 0 for 0; int64."""
    return torch.frexp(x).exponent.to(torch.int64)


def quantise(x: Tensor) -> tuple[Tensor, Tensor]:
    """``operators.quantise``: float64 rows in, (float64 q, int64 k) out; x is kept."""
    k = (bit_length(x.abs().amax(-1, keepdim=True)) - OPERAND_BITS).clamp_(min=0)
    return torch.mul(x, power_of_two(-k)).add_(0.5).floor_(), k


@dataclass(frozen=True)
class LinearKernel:
    """A linear operator's constants in the form the kernel uses them."""

    weight: PreparedWeight
    scale: Tensor  # [N], c_j · 2^-e
    offset: Tensor  # [N], b_j + 1/2

    @classmethod
    def build(
        cls, carrier: Carrier, weight: Tensor, multiplier: Tensor, bias: Tensor, exponent: int
    ) -> LinearKernel:
        scale = multiplier.to(torch.float64) * 2.0**-exponent
        return cls(carrier.prepare(weight), scale, bias.to(torch.float64) + 0.5)

    def __call__(self, carrier: Carrier, x: Tensor) -> Tensor:
        """``operators.linear``. The reach of a channel, at most 2^53, keeps product plus offset exact."""
        q, k = quantise(x)
        accumulator = carrier.accumulate(q, self.weight).mul_(self.scale)
        y = torch.addcmul(self.offset, accumulator, power_of_two(k))
        return y.floor_().clamp_(-SATURATION, SATURATION)


@dataclass(frozen=True)
class NormKernel:
    """A layer norm's constants in the form the kernel uses them."""

    gain: Tensor  # [D], gamma · 2^-14
    offset: Tensor  # [D], beta + 1/2
    epsilon: int
    root: int

    @classmethod
    def build(cls, gamma: Tensor, beta: Tensor, epsilon: int, root: int) -> NormKernel:
        gain = gamma.to(torch.float64) * 2.0**-operators.GAMMA_BITS
        return cls(gain, beta.to(torch.float64) + 0.5, epsilon, root)

    def __call__(self, x: Tensor) -> Tensor:
        """``operators.layer_norm``; overwrites x. The few numbers per row are computed in int64."""
        size = x.shape[-1]
        total = x.sum(-1, keepdim=True).to(torch.int64)
        mean = torch.div(2 * total + size, 2 * size, rounding_mode="floor")
        centred = x.sub_(mean.to(torch.float64))
        drop = (bit_length(centred.abs().amax(-1, keepdim=True)) - NORM_BITS).clamp_(min=0)
        centred = centred.mul_(power_of_two(-drop)).add_(0.5).floor_()
        energy = (centred * centred).sum(-1, keepdim=True).to(torch.int64)
        variance = (energy + (torch.full_like(drop, self.epsilon) >> (2 * drop))).clamp_(min=1)
        lift = (62 - _int64_bit_length(variance)) >> 1
        deviation = _square_root(variance << (2 * lift))
        numerator = torch.full_like(deviation, self.root << NORM_RECIPROCAL_BITS)
        reciprocal = torch.div(numerator, deviation, rounding_mode="floor").to(torch.float64)
        scale = reciprocal * power_of_two(lift - (NORM_BITS + NORM_RECIPROCAL_BITS - FRACTION_BITS))
        normalised = centred.mul_(scale).add_(0.5).floor_()
        y = torch.addcmul(self.offset, normalised, self.gain)
        return y.floor_().clamp_(-SATURATION, SATURATION)


def _int64_bit_length(x: Tensor) -> Tensor:
    """Bit length of int64 values below 2^62: the exponent is one too great where x rounds up to a power."""
    guess = torch.frexp(x.to(torch.float64)).exponent.to(torch.int64)
    too_great = (torch.ones_like(x) << (guess - 1).clamp_(min=0)) > x
    return (guess - too_great.to(torch.int64)).clamp_(min=0)


def _square_root(n: Tensor) -> Tensor:
    """``operators.integer_square_root`` without its range check."""
    s = n.to(torch.float64).sqrt_().to(torch.int64)
    s = torch.where(s * s > n, s - 1, s)
    return torch.where((s + 1) * (s + 1) <= n, s + 1, s)


def residual_add(x: Tensor, y: Tensor) -> Tensor:
    """``operators.residual_add``; overwrites x."""
    return x.add_(y).clamp_(-SATURATION, SATURATION)


@functools.cache
def _gelu_table(device: str) -> Tensor:
    """gelu of every Q.16 value in [-8, 8), by the operator itself: 2^20 int32 entries, 4 MiB."""
    x = torch.arange(-_GELU_EDGE, _GELU_EDGE, dtype=torch.int64)
    return operators.gelu(x).to(torch.int32).to(device)


def gelu(x: Tensor) -> Tensor:
    """``operators.gelu`` by one look-up: outside the table gelu is 0 on the left and x on the right;
    overwrites x.
    """
    index = x.add(_GELU_EDGE).clamp_(0, 2 * _GELU_EDGE - 1).to(torch.int32)
    y = _gelu_table(str(x.device)).index_select(0, index.view(-1)).view(x.shape).to(torch.float64)
    # The last entry is gelu(8 - 2^-16) = 8 - 2^-16, so what exceeds that argument is added unchanged.
    return y.add_(x.clamp_(_GELU_EDGE - 1, GELU_LIMIT).sub_(_GELU_EDGE - 1))


@functools.cache
def _power_table(device: str) -> Tensor:
    """2^-d in Q.24 for every Q.16 value of d below 25, and the 0 that follows: int32, 6.6 MB."""
    d = torch.arange((SOFTMAX_CUTOFF << FRACTION_BITS) + 1, dtype=torch.int64)
    return operators.negative_power_of_two(d).to(torch.int32).to(device)


def attention_scores(
    carrier: Carrier,
    query: Tensor,
    query_exponent: Tensor,
    key: Tensor,
    key_exponent: Tensor,
    multiplier: int,
) -> Tensor:
    """``operators.attention_scores``."""
    exponents = query_exponent + key_exponent.transpose(-1, -2) - (SCORE_BITS + FRACTION_BITS)
    product = carrier.multiply_operands(query, key.transpose(-1, -2)).mul_(multiplier)
    return product.mul_(power_of_two(exponents)).add_(0.5).floor_()


def softmax_weights(scores: Tensor) -> Tensor:
    """``operators.softmax_weights``, as int32; overwrites scores."""
    distance = scores.neg_().sub_(scores.amin(-1, keepdim=True)).clamp_(max=SOFTMAX_CUTOFF << FRACTION_BITS)
    table = _power_table(str(scores.device))
    return table.index_select(0, distance.to(torch.int32).view(-1)).view(scores.shape)


def attention_values(carrier: Carrier, weights: Tensor, value: Tensor, value_exponent: Tensor) -> Tensor:
    """``operators.attention_values`` on int32 weights."""
    narrow = TABLE_BITS - OPERAND_BITS
    normaliser = ((weights + (1 << (narrow - 1))) >> narrow).sum(-1, keepdim=True)
    exponents = value_exponent.transpose(-1, -2)
    greatest = exponents.amax(-1, keepdim=True)
    scale = power_of_two(exponents - greatest - narrow)
    probabilities = torch.mul(weights, scale).add_(0.5).floor_()
    numerator = torch.full_like(normaliser, 1 << SOFTMAX_RECIPROCAL_BITS)
    reciprocal = torch.div(numerator, normaliser, rounding_mode="floor").to(torch.float64)
    factor = reciprocal * power_of_two(greatest - SOFTMAX_RECIPROCAL_BITS)
    return carrier.multiply_operands(probabilities, value).mul_(factor).add_(0.5).floor_()


def mean_pool_normalise(x: Tensor) -> Tensor:
    """``operators.mean_pool_normalise`` of many sequences of one length: [B, L, D] gives int64 [B, D]."""
    total = x.sum(1).to(torch.int64)
    drop = (_int64_bit_length(total.abs().amax(-1, keepdim=True)) - operators.POOL_BITS).clamp_(min=0)
    total = (total + ((torch.ones_like(drop) << drop) >> 1)) >> drop
    energy = (total * total).sum(-1, keepdim=True).clamp_(min=1)
    lift = (62 - _int64_bit_length(energy)) >> 1
    length = _square_root(energy << (2 * lift))
    reciprocal = torch.div(torch.full_like(length, 1 << 62), length, rounding_mode="floor")
    shift = 62 - TABLE_BITS - lift
    return (total * reciprocal + ((torch.ones_like(shift) << shift) >> 1)) >> shift
