"""From float tensors to the integers of profiles E16 and E16x, with the proof that nothing can overflow.

Importing runs once, offline, and may use floats; its result, named by the manifest, is the model. It must still give the same
result everywhere, so it uses only operations that IEEE 754 rounds correctly one element at a time (widening to float64, ``*``,
``/``, square root, round half to even, ceiling) and the maximum, which is exact in any order. Constants that need roots or
logarithms come from integer arithmetic or from mpmath at high precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import mpmath
import torch
from torch import Tensor

from proofmill.exact.errors import ModelRefused
from proofmill.exact.ops.linear import (
    MULTIPLIER_LIMIT,
    SHIFT_GREATEST,
    SHIFT_LEAST,
    WEIGHT_LIMIT_E16,
    WEIGHT_LIMIT_E16X,
)
from proofmill.exact.ops.normalisation import GAMMA_BITS, NORM_BITS, NORM_SIZE_LIMIT
from proofmill.exact.ops.operands import (
    CARRIER_LIMIT,
    FRACTION_BITS,
    OPERAND_BITS,
    SATURATION,
)
from proofmill.exact.program.model import WEIGHT_TYPE, Profile

WEIGHT_LIMIT: Final[dict[str, int]] = {"E16": WEIGHT_LIMIT_E16, "E16x": WEIGHT_LIMIT_E16X}
SCORE_BITS: Final = 20  # fraction bits of the constant log2(e) / sqrt(head size)
GAMMA_LIMIT: Final = (1 << 24) - 1
EPSILON_LIMIT: Final = (1 << 52) - 1

#: A channel whose greatest weight packs to less has lost more than a bit of an 8-bit weight beside the other channels.
_LEAST_PEAK: Final = 64

#: Elements widened to float64 at a time, so that a weight of any size needs little memory beside itself.
_BLOCK_ELEMENTS: Final = 1 << 22

_SKIP_MARGIN: Final = 1.01  # over the rounding of the float estimate that skips exponents


def refuse(place: str, reason: str) -> ModelRefused:
    """The error of a model that cannot be imported; ``place`` names the tensor, layer or setting."""
    return ModelRefused(
        f"{place}: {reason}",
        remedy="The exact engine cannot run this model as it is; check that its files are complete and unchanged.",
    )


def require_values(name: str, tensor: Tensor, *shape: int) -> Tensor:
    """The tensor itself, if it is floating-point, finite and of that shape; ModelRefused otherwise."""
    if not tensor.is_floating_point():
        raise refuse(name, f"holds {tensor.dtype}, expected floating-point numbers")
    if tuple(tensor.shape) != shape:
        raise refuse(name, f"has shape {tuple(tensor.shape)}, expected {shape}")
    if tensor.numel() == 0:
        raise refuse(name, f"is empty: shape {shape}")
    if not bool(torch.isfinite(tensor).all()):
        raise refuse(name, "holds a value that is not finite")
    return tensor


def fixed_point(name: str, values: Tensor, fraction_bits: int, limit: int = SATURATION) -> Tensor:
    """``round(value * 2^fraction_bits)``, halves to even, as int32 within ±limit; values finite, any shape."""
    packed = torch.empty(values.shape, dtype=torch.int32)
    rows, target = values.reshape(len(values), -1), packed.view(len(values), -1)
    for start, stop in _blocks(rows):
        # Scaling by a power of two is exact, and so is the maximum.
        scaled = torch.round(rows[start:stop].to(torch.float64) * 2.0**fraction_bits)
        greatest = float(scaled.abs().max())
        if greatest > limit:
            raise refuse(name, f"reaches {greatest:.0f} in Q.{fraction_bits}, beyond {limit}")
        target[start:stop] = scaled.to(torch.int32)
    return packed


def narrowed(matrix: Tensor) -> Tensor:
    """An int32 matrix as int16 if every entry fits, which halves it."""
    least, greatest = torch.aminmax(matrix)
    fits = int(least) >= -(1 << 15) and int(greatest) < 1 << 15
    return matrix.to(torch.int16) if fits else matrix


@dataclass(frozen=True)
class PackedLinear:
    """Parts of a linear table, weight [N, K], multiplier and bias [N], and the shift of its operator."""

    weight: Tensor
    multiplier: Tensor
    bias: Tensor
    shift: int

    def parts(self, table: str) -> dict[str, Tensor]:
        """The tensors keyed ``<table>.<part>``."""
        return {
            f"{table}.weight": self.weight,
            f"{table}.multiplier": self.multiplier,
            f"{table}.bias": self.bias,
        }


def pack_linear(
    name: str,
    weight: Tensor,
    bias: Tensor | None,
    profile: Profile,
    input_fraction_bits: int = FRACTION_BITS,
    output_fraction_bits: int = FRACTION_BITS,
) -> PackedLinear:
    """Integer weights with a multiplier per output channel, such that ``W_ji ≈ w_ji * c_j * 2^-e``.

    With ``m_j`` the greatest magnitude of channel j and ``limit`` that of the profile, the multiplier comes first, ``c_j =
    ceil(m_j 2^e / limit)``, and the weights are rounded to it, ``w_ji = round(W_ji 2^e / c_j)``: rounding c_j upwards costs at
    most 1 / c_j of the weights' range and no accuracy of the scale itself. e is the greatest exponent with ``c_j < 2^24``, ``18
    <= shift <= 62`` for ``shift = e + input_fraction_bits - output_fraction_bits``, and the reach of every channel proved: ``A_j
    c_j + (|b_j| + 1) 2^shift <= 2^53`` where ``A_j = 2^14 Σ_i |w_ji|``. A channel that cannot move its output by half a unit
    whatever its input is packed as zeros.

    weight [N, K] and bias [N], finite, any floating-point type. Raises ModelRefused naming ``name`` and the reason.
    Source: per-channel symmetric weights with fixed-point multipliers (Jacob et al., 2018, sections 2.2 and 3).
    """
    outputs, inputs = weight.shape
    limit, offset = WEIGHT_LIMIT[profile], input_fraction_bits - output_fraction_bits
    if inputs > 1 << 20:
        raise refuse(name, f"has {inputs} inputs, at most {1 << 20} are proved")
    zeros = torch.zeros(outputs, dtype=torch.int32)
    packed_bias = (
        zeros if bias is None else fixed_point(f"{name}.bias", bias, output_fraction_bits, SATURATION - 1)
    )
    greatest, total = _channel_sizes(weight)
    # 2^31 is beyond any activation. Every sum below stays far from the smallest normal number or is exactly zero.
    negligible = total * 2.0 ** (32 - offset) < 1
    greatest, total = greatest.masked_fill(negligible, 0), total.masked_fill(negligible, 0)
    for exponent in range(SHIFT_GREATEST - offset, SHIFT_LEAST - offset - 1, -1):
        shift = exponent + offset
        multiplier = torch.ceil(greatest * 2.0**exponent / limit).clamp(min=1)
        if float(multiplier.max()) > MULTIPLIER_LIMIT or _surely_too_far(total, multiplier, inputs, exponent):
            continue
        room = _room(multiplier, packed_bias, shift)
        if room is None:
            continue
        packed, peak = _round_weights(weight, multiplier, exponent, room, negligible, profile)
        if packed is not None:
            break
    else:
        raise refuse(name, f"no shift of at least {SHIFT_LEAST} keeps multiplier times accumulator exact")
    if bool(((peak < _LEAST_PEAK) & ~negligible).any()):
        channel = int(((peak < _LEAST_PEAK) & ~negligible).to(torch.int8).argmax())
        raise refuse(name, f"the weights of channel {channel} vanish beside the greatest of its tensor")
    return PackedLinear(packed, multiplier.to(torch.int32), packed_bias, shift)


def _blocks(rows: Tensor) -> Iterator[tuple[int, int]]:
    """Ranges of rows that hold about a block of elements each."""
    step = max(1, _BLOCK_ELEMENTS // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        yield start, min(start + step, len(rows))


def _channel_sizes(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Greatest magnitude (exact) and sum of magnitudes (rounded) of each channel, float64 [N]."""
    parts = [weight[start:stop].to(torch.float64).abs() for start, stop in _blocks(weight)]
    return torch.cat([part.amax(1) for part in parts]), torch.cat([part.sum(1) for part in parts])


def _surely_too_far(total: Tensor, multiplier: Tensor, inputs: int, exponent: int) -> bool:
    """Whether an exponent fails by so much that the sums need not be formed: ``|w| c >= |W| 2^e - c / 2``.

    Only spares work: the float sum decides nothing that the margin does not cover.
    """
    least = total * 2.0**exponent - 0.5 * inputs * multiplier
    return bool((least * 2.0**OPERAND_BITS > _SKIP_MARGIN * CARRIER_LIMIT).any())


def _room(multiplier: Tensor, bias: Tensor, shift: int) -> Tensor | None:
    """Greatest ``Σ_i |w_ji|`` that keeps channel j within reach, int64 [N]; None if a bias alone is beyond it.

    By division, so that the test cannot overflow: ``A c + (|b| + 1) 2^shift <= 2^53`` holds if and only if the second term fits
    and A is at most the quotient of what remains and c.
    """
    if shift > 53:
        return None
    offset = bias.to(torch.int64).abs() + 1
    if int(offset.max()) > CARRIER_LIMIT >> shift:
        return None
    remaining = CARRIER_LIMIT - (offset << shift)
    return remaining.div(multiplier.to(torch.int64), rounding_mode="floor") >> OPERAND_BITS


def _round_weights(
    weight: Tensor, multiplier: Tensor, exponent: int, room: Tensor, negligible: Tensor, profile: Profile
) -> tuple[Tensor | None, Tensor]:
    """``round(W 2^e / c)`` and the greatest magnitude of each channel; None as soon as a channel exceeds its room."""
    packed = torch.empty(weight.shape, dtype=WEIGHT_TYPE[profile])
    peak = torch.empty(len(weight), dtype=torch.float64)
    for start, stop in _blocks(weight):
        # Scaling by a power of two is exact, so only the division rounds; its quotient is at most limit (1 + 2^-52).
        values = weight[start:stop].to(torch.float64) * 2.0**exponent
        values.div_(multiplier[start:stop, None]).round_()
        values.masked_fill_(negligible[start:stop, None], 0)
        # Sums of integers below 2^53 are exact in any order: |w| < 2^14 and K <= 2^20.
        magnitudes = values.abs()
        if bool((magnitudes.sum(1).to(torch.int64) > room[start:stop]).any()):
            return None, peak
        peak[start:stop] = magnitudes.amax(1)
        packed[start:stop] = values.to(packed.dtype)
    return packed, peak


def norm_constants(place: str, size: int, epsilon: Fraction, fraction_bits: int) -> dict[str, int]:
    """Constants of a norm over rows of ``size`` values in Q.fraction_bits: ``epsilon`` and ``root``.

    ``epsilon = floor(D eps 2^(2f))`` and ``root = round(sqrt(D) 2^20)``, the latter by an integer root.
    """
    if not 1 <= size <= NORM_SIZE_LIMIT:
        raise refuse(place, f"rows of {size} are outside the proved range of 1 to {NORM_SIZE_LIMIT}")
    scaled = math.floor(epsilon * size * (1 << (2 * fraction_bits)))
    if not 0 <= scaled <= EPSILON_LIMIT:
        raise refuse(place, f"the norm's epsilon {float(epsilon)!r} is outside the proved range")
    return {"epsilon": scaled, "root": (math.isqrt(size << (2 * NORM_BITS + 2)) + 1) >> 1}


def pack_norm(table: str, name: str, gain: Tensor, offset: Tensor | None) -> dict[str, Tensor]:
    """gamma in Q.14 and beta in Q.16, int32 [D], keyed ``<table>.<part>``; ``name`` is the gain's in its source."""
    gamma = fixed_point(name, gain, GAMMA_BITS, GAMMA_LIMIT)
    packed = {f"{table}.gamma": gamma, f"{table}.beta": torch.zeros_like(gamma)}
    if offset is not None:
        packed[f"{table}.beta"] = fixed_point(f"offset of {name}", offset, FRACTION_BITS, SATURATION - 1)
    return packed


def score_multiplier(head_size: int) -> int:
    """``round(log2(e) / sqrt(head_size) * 2^20)``."""
    with mpmath.workprec(160):
        return int(mpmath.nint(mpmath.mpf(2) ** SCORE_BITS / (mpmath.log(2) * mpmath.sqrt(head_size))))
