"""The operators of profile E16, each as a plain integer program: this file is the definition.

Everything here is integers in int64 tensors and the operations are ``+ - *``, floor shift, floor division by
a positive integer, comparison, selection and table look-up. No operator depends on the order of a sum, so any
machine that computes these integers computes the same bits. Tests hold faster programs (``kernels.py``) equal
to this one.

Notation: ``Q.f`` is an integer read as a multiple of 2^-f; ``F`` = 16 is the fraction of every activation,
which is saturated to ±(2^31 - 1); ``rsh`` is :func:`rounding_shift`. Rows are the last axis. Bounds state the
widest intermediate; all are below 2^63, and those a float64 carrier computes are at most 2^53, where float64
is exact.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.tables import EXP2_STEP_BITS, EXP2_TABLE, PHI_LIMIT, PHI_STEP_BITS, PHI_TABLE

FRACTION_BITS: Final = 16  # of every activation
SATURATION: Final = (1 << 31) - 1  # greatest magnitude of an activation
OPERAND_BITS: Final = 14  # a quantised operand lies in [-2^14, 2^14]
TABLE_BITS: Final = 24  # fraction bits of table entries, softmax weights and the final embedding
SCORE_BITS: Final = 20  # fraction bits of the constant log2(e) / sqrt(head size)
GAMMA_BITS: Final = 14  # fraction bits of a layer norm's gain
NORM_BITS: Final = (
    20  # bits a centred row keeps in a layer norm; also fraction bits of the constant sqrt(size)
)
NORM_RECIPROCAL_BITS: Final = 35
POOL_BITS: Final = 24
SOFTMAX_RECIPROCAL_BITS: Final = 38
SOFTMAX_CUTOFF: Final = 25  # 2^-25 and less is zero in Q.24
GELU_LIMIT: Final = 1 << 27  # 2048 in Q.16
SQUARE_ROOT_LIMIT: Final = 1 << 62


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidOperand(
            message, remedy="Give the operator what its definition asks for; see docs/EXACT.md."
        )


def _require_range(name: str, x: Tensor, low: int, high: int) -> None:
    _require(x.dtype == torch.int64, f"{name} has type {x.dtype}, expected int64")
    _require(x.numel() > 0, f"{name} is empty: shape {tuple(x.shape)}")
    least, greatest = int(x.min()), int(x.max())
    _require(
        low <= least and greatest <= high,
        f"{name} has values in [{least}, {greatest}], expected [{low}, {high}]",
    )


def _require_activation(name: str, x: Tensor) -> None:
    _require_range(name, x, -SATURATION, SATURATION)


# ------------------------------------------------------------------------------------------ scalar operations


def rounding_shift(x: Tensor, shift: int | Tensor) -> Tensor:
    """``rsh(x, s) = floor((x + floor(2^s / 2)) / 2^s)``: divide by 2^s, round halves up; ``rsh(x, 0) = x``.

    Elementwise with broadcasting, 0 <= s <= 62 and ``|x| + 2^(s-1) < 2^63``. The one rounding rule of the
    profile. Source: standard (add half, arithmetic shift).
    """
    s = torch.as_tensor(shift, dtype=torch.int64, device=x.device)
    _require_range("shift", s, 0, 62)
    half = (torch.ones_like(s) << s) >> 1
    _require_range("shifted value", x, -(1 << 63) + int(half.max()), (1 << 63) - 1 - int(half.max()))
    return (x + half) >> s


def saturate(x: Tensor) -> Tensor:
    """``sat(x) = max(-(2^31 - 1), min(2^31 - 1, x))``: symmetric clamp to an activation. Source: standard."""
    return x.clamp(-SATURATION, SATURATION)


def bit_length(x: Tensor) -> Tensor:
    """The number of b in 0..62 with ``x >= 2^b``, for ``0 <= x < 2^63``; 0 for 0. Source: standard."""
    _require_range("value", x, 0, (1 << 63) - 1)
    powers = torch.ones((), dtype=torch.int64, device=x.device) << torch.arange(63, device=x.device)
    return (x[..., None] >= powers).sum(-1)


def integer_square_root(n: Tensor) -> Tensor:
    """``floor(sqrt(n))`` for ``0 <= n < 2^62``: the only s >= 0 with ``s^2 <= n < (s + 1)^2``.

    The float64 root is only a guess, within one of s because rounding n and its root moves a value below 2^31
    by less than 2^-20; two integer comparisons settle it on any hardware. Squares stay below (2^31 + 1)^2 <
    2^63. Source: standard.
    """
    _require_range("radicand", n, 0, SQUARE_ROOT_LIMIT - 1)
    s = n.to(torch.float64).sqrt().to(torch.int64)
    s = torch.where(s * s > n, s - 1, s)
    return torch.where((s + 1) * (s + 1) <= n, s + 1, s)


# --------------------------------------------------------------------------------------------- linear algebra


def quantise(x: Tensor) -> tuple[Tensor, Tensor]:
    """15-bit operands with one power-of-two scale per row: ``x ≈ q * 2^k``.

    ``k = max(0, bit_length(max |x_i|) - 14)``, ``q_i = rsh(x_i, k)``. For an activation 0 <= k <= 17 and
    ``|q| <= 2^14`` (reached when the greatest element rounds up). x [..., K] in Q.f gives q [..., K] and k
    [..., 1]. Source: dynamic per-token quantisation (Yao et al., ZeroQuant, 2022, section 4.1), with the
    scale restricted to powers of two so that neither a division nor a reciprocal is needed.
    """
    _require_activation("activation", x)
    k = (bit_length(x.abs().amax(-1, keepdim=True)) - OPERAND_BITS).clamp(min=0)
    return rounding_shift(x, k), k


def split_digits(q: Tensor) -> tuple[Tensor, Tensor]:
    """Balanced radix-256 digits: the only (hi, lo) with ``q = 256 hi + lo`` and ``-128 <= lo <= 127``.

    For ``|q| <= 2^14``: ``|hi| <= 64``. Both digits are 8-bit integers, so a 15-bit product is two 8-bit
    products: ``q·w = 256 (hi·w) + lo·w``. Source: balanced (signed-digit) radix representation (Knuth, TAOCP
    2, section 4.1).
    """
    _require_range("operand", q, -(1 << OPERAND_BITS), 1 << OPERAND_BITS)
    low = ((q + 128) & 255) - 128
    return (q - low) >> 8, low


def linear(x: Tensor, weight: Tensor, multiplier: Tensor, bias: Tensor, exponent: int) -> Tensor:
    """``y_j = sat(rsh(c_j * Σ_i q_i w_ji, e - k) + b_j)`` with ``(q, k) = quantise(x)``.

    x [M, K] and y [M, N] in Q.16; weight w [N, K] 8-bit; multiplier c [N], ``0 <= c_j < 2^24``; bias b [N] in
    Q.16; exponent 18 <= e <= 53, so that every shift e - k is at least 1. The weight's real value is ``w_ji *
    c_j * 2^-e``. Bounds: ``A_j = 2^14 Σ_i |w_ji|`` bounds the accumulator and ``A_j c_j + (|b_j| + 1) 2^e <=
    2^53`` is proved by the converter for every channel. Source: integer-arithmetic-only inference with
    fixed-point multipliers (Jacob et al., 2018, section 2.2), per output channel.
    """
    _require(
        x.ndim == 2 and weight.ndim == 2 and x.shape[1] == weight.shape[1],
        f"linear: activation {tuple(x.shape)} does not fit weight {tuple(weight.shape)}",
    )
    outputs = (weight.shape[0],)
    _require(
        multiplier.shape == outputs and bias.shape == outputs,
        f"linear: multiplier {tuple(multiplier.shape)} and bias {tuple(bias.shape)} must be {outputs}",
    )
    _require_range("weight", weight, -128, 127)
    _require_range("multiplier", multiplier, 0, (1 << 24) - 1)
    _require_activation("bias", bias)
    _require(18 <= exponent <= 53, f"linear: exponent {exponent}, expected 18 to 53")
    reach = (weight.abs().sum(1) << OPERAND_BITS) * multiplier + ((bias.abs() + 1) << exponent)
    _require_range("linear: reach of a channel", reach, 0, 1 << 53)
    q, k = quantise(x)
    accumulator = q @ weight.T
    return saturate(rounding_shift(accumulator * multiplier, exponent - k) + bias)


def embedding_sum(token_ids: Tensor, word: Tensor, position: Tensor) -> Tensor:
    """``x_t = word[id_t] + position[t]`` for t = 0, 1, …: ids [L] give rows [L, D] in Q.16.

    ``position`` already holds the token-type row of type 0, added when the model was converted. The converter
    proves that no sum leaves the activation range. Source: BERT (Devlin et al., 2019, section 3).
    """
    _require(token_ids.ndim == 1, f"token ids have shape {tuple(token_ids.shape)}, expected one axis")
    _require(len(token_ids) <= len(position), f"{len(token_ids)} tokens, but {len(position)} positions")
    _require_range("token id", token_ids, 0, len(word) - 1)
    x = word[token_ids] + position[: len(token_ids)]
    _require_activation("embedding sum", x)
    return x


def residual_add(x: Tensor, y: Tensor) -> Tensor:
    """``sat(x + y)``, both in Q.16 and of one shape; the sum is below 2^32. Source: standard."""
    _require(x.shape == y.shape, f"residual: shapes {tuple(x.shape)} and {tuple(y.shape)} differ")
    _require_activation("residual", x)
    _require_activation("branch", y)
    return saturate(x + y)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: int, root: int) -> Tensor:
    """Layer normalisation of rows of D values, with one integer root and one division per row.

    ::

        µ = floor((2 Σx + D) / 2D)            c = x - µ          |c| <= 2^32
        h = max(0, bit_length(max |c|) - 20)  c' = rsh(c, h)     |c'| <= 2^20
        V = max(1, Σ c'² + (epsilon >> 2h))                      V <= D 2^40 + epsilon < 2^54
        t = (62 - bit_length(V)) >> 1         s = isqrt(V 4^t)   2^30 <= s < 2^31
        R = floor(root 2^35 / s)              with root = round(sqrt(D) 2^20), so root 2^35 < 2^62
        n = rsh(c' R, 39 - t)                 |c' R| <= sqrt(D) 2^45 < 2^52; |n| <= sqrt(D) 2^16 + 2, in Q.16
        y = sat(rsh(n gamma, 14) + beta)

    x, y [M, D] in Q.16; gamma [D] in Q.14, |gamma| < 2^24; beta [D] in Q.16; ``epsilon = floor(D eps 2^32)``;
    D <= 2^13. The shift h cancels: c' and sqrt(V) carry the same factor 2^-h. ``9 <= 39 - t <= 36``. Source:
    layer normalisation (Ba et al., 2016, section 3); integer form with a Newton-free exact root is ours.
    """
    size = x.shape[-1]
    _require(x.ndim == 2 and 1 <= size <= 1 << 13, f"layer norm: shape {tuple(x.shape)}")
    _require(gamma.shape == (size,) and beta.shape == (size,), "layer norm: gain or offset of another size")
    _require_activation("layer norm input", x)
    _require_range("gamma", gamma, 1 - (1 << 24), (1 << 24) - 1)
    _require_activation("beta", beta)
    _require(0 <= epsilon < 1 << 52, f"layer norm: epsilon {epsilon}")
    _require(root > 0 and abs(root * root - (size << 40)) <= root, f"layer norm: root {root} for size {size}")
    total = x.sum(-1, keepdim=True)
    centred = x - torch.div(2 * total + size, 2 * size, rounding_mode="floor")
    drop = (bit_length(centred.abs().amax(-1, keepdim=True)) - NORM_BITS).clamp(min=0)
    centred = rounding_shift(centred, drop)
    variance = (centred * centred).sum(-1, keepdim=True) + (torch.full_like(drop, epsilon) >> (2 * drop))
    variance = variance.clamp(min=1)
    lift = (62 - bit_length(variance)) >> 1
    deviation = integer_square_root(variance << (2 * lift))
    reciprocal = torch.div(
        torch.full_like(deviation, root << NORM_RECIPROCAL_BITS), deviation, rounding_mode="floor"
    )
    shift = NORM_BITS + NORM_RECIPROCAL_BITS - FRACTION_BITS - lift
    normalised = rounding_shift(centred * reciprocal, shift)
    return saturate(rounding_shift(normalised * gamma, GAMMA_BITS) + beta)


# ----------------------------------------------------------------------------------------- functions by table


def gelu(x: Tensor) -> Tensor:
    """``gelu(x) = rsh(x Φ(x), 24)``, the exact (not the tanh) form, x clamped to ±2048 first.

    Φ comes from a table over [-8, 8] in steps of 2^-6: ``u = clamp(x + 8·2^16, 0, 2^20 - 1)``, ``i = u >>
    10``, ``r = u & 1023``, ``Φ = T[i] + rsh((T[i+1] - T[i]) r, 10)``. At the ends T is 0 and 2^24. ``|x Φ| <=
    2^51``. Multiplying by x keeps the relative precision near 0. Q.16 to Q.16. Source: Hendrycks and Gimpel,
    2016, section 2.
    """
    _require_activation("gelu input", x)
    x = x.clamp(-GELU_LIMIT, GELU_LIMIT)
    bits = FRACTION_BITS - PHI_STEP_BITS
    u = (x + (PHI_LIMIT << FRACTION_BITS)).clamp(0, ((2 * PHI_LIMIT) << FRACTION_BITS) - 1)
    index, remainder = u >> bits, u & ((1 << bits) - 1)
    table = PHI_TABLE.to(x.device)
    low, high = table[index], table[index + 1]
    return rounding_shift(x * (low + rounding_shift((high - low) * remainder, bits)), TABLE_BITS)


def negative_power_of_two(d: Tensor) -> Tensor:
    """``2^-d`` for d >= 0 in Q.16, result in Q.24.

    ``n = d >> 16``, ``f = d & 65535``, ``i = f >> 8``, ``r = f & 255``, ``2^-d = (T[i] + rsh((T[i+1] - T[i])
    r, 8)) >> n``, and 0 for n >= 25. Between 0 and 2^24; 2^24 exactly at d = 0. Source: standard (range
    reduction in base 2, linear interpolation).
    """
    _require_range("negative exponent", d, 0, (1 << 63) - 1)
    whole = (d >> FRACTION_BITS).clamp(max=SOFTMAX_CUTOFF)
    fraction = d & ((1 << FRACTION_BITS) - 1)
    bits = FRACTION_BITS - EXP2_STEP_BITS
    index, remainder = fraction >> bits, fraction & ((1 << bits) - 1)
    table = EXP2_TABLE.to(d.device)
    low, high = table[index], table[index + 1]
    mantissa = low + rounding_shift((high - low) * remainder, bits)
    return torch.where(whole >= SOFTMAX_CUTOFF, torch.zeros_like(mantissa), mantissa >> whole)


# -------------------------------------------------------------------------------------------------- attention


def attention_scores(
    query: Tensor, query_exponent: Tensor, key: Tensor, key_exponent: Tensor, multiplier: int
) -> Tensor:
    """``z_ij = rsh(multiplier * Σ_c q_ic k_jc, 36 - κq_i - κk_j)``: scaled scores in base 2, Q.16.

    query and key [..., L, d] quantised per row with exponents [..., L, 1]; ``multiplier = round(log2(e) /
    sqrt(d) 2^20)`` turns the natural exponential of softmax into a power of two. The accumulator is at most
    2^28 d and its product with the multiplier at most ``1.4427 sqrt(d) 2^48 < 2^53`` for d <= 256; exponents
    are at most 17, so the shift is at least 2. Source: scaled dot-product attention (Vaswani et al., 2017,
    section 3.2.1).
    """
    limit = 1 << OPERAND_BITS
    _require(
        query.shape == key.shape and 1 <= query.shape[-1] <= 256,
        f"scores: query {tuple(query.shape)}, key {tuple(key.shape)}",
    )
    _require_range("query", query, -limit, limit)
    _require_range("key", key, -limit, limit)
    _require_range("query exponent", query_exponent, 0, 17)
    _require_range("key exponent", key_exponent, 0, 17)
    _require(0 < multiplier <= 1.4427 * (1 << SCORE_BITS), f"scores: multiplier {multiplier}")
    product = (query @ key.transpose(-1, -2)) * multiplier
    _require_range("scores: product", product, -(1 << 53), 1 << 53)
    exponents = query_exponent + key_exponent.transpose(-1, -2)
    return rounding_shift(product, SCORE_BITS + FRACTION_BITS - exponents)


def softmax_weights(scores: Tensor) -> Tensor:
    """``e_ij = 2^-(max_j z_ij - z_ij)`` in Q.24: unnormalised softmax rows whose greatest weight is 2^24.

    scores [..., L, L] in Q.16, below 2^52. Source: the usual shift by the row's maximum; the normaliser is
    applied after the product with the values (Milakov and Gimelshein, 2018, section 2).
    """
    _require_range("score", scores, -(1 << 52), 1 << 52)
    return negative_power_of_two(scores.amax(-1, keepdim=True) - scores)


def attention_values(weights: Tensor, value: Tensor, value_exponent: Tensor) -> Tensor:
    """Weighted mean of the values: ``o_ic = rsh(R_i Σ_j p_ij v_jc, 38 - κ)`` in Q.16.

    ::

        κ = max_j κ_j                       over the tokens of the sequence, per head
        p_ij = rsh(e_ij, 10 + κ - κ_j)      0 <= p <= 2^14; carries the values' own scales
        S_i = Σ_j rsh(e_ij, 10)             2^14 <= S <= 2^14 L
        R_i = floor(2^38 / S_i)

    weights [..., L, L] in Q.24, value [..., L, d] quantised per row with exponents κ [..., L, 1]. Since p_ij
    <= rsh(e_ij, 10), ``|Σ p v| <= 2^14 S`` and the product with R is at most 2^52 whatever the length; ``21
    <= 38 - κ <= 38``. Source: as :func:`softmax_weights`.
    """
    _require(
        weights.shape[-1] == value.shape[-2] == value_exponent.shape[-2],
        f"values: weights {tuple(weights.shape)}, value {tuple(value.shape)}",
    )
    _require_range("softmax weight", weights, 0, 1 << TABLE_BITS)
    _require_range("softmax row maximum", weights.amax(-1), 1 << TABLE_BITS, 1 << TABLE_BITS)
    _require_range("value", value, -(1 << OPERAND_BITS), 1 << OPERAND_BITS)
    _require_range("value exponent", value_exponent, 0, 17)
    narrow = TABLE_BITS - OPERAND_BITS
    exponents = value_exponent.transpose(-1, -2)
    greatest = exponents.amax(-1, keepdim=True)
    probabilities = rounding_shift(weights, narrow + greatest - exponents)
    normaliser = rounding_shift(weights, narrow).sum(-1, keepdim=True)
    reciprocal = torch.div(
        torch.full_like(normaliser, 1 << SOFTMAX_RECIPROCAL_BITS), normaliser, rounding_mode="floor"
    )
    return rounding_shift((probabilities @ value) * reciprocal, SOFTMAX_RECIPROCAL_BITS - greatest)


def attention(query_key_value: Tensor, heads: int, multiplier: int) -> Tensor:
    """Full self-attention of one sequence: [L, 3D] holding query, key, value side by side gives [L, D], both
    Q.16.

    Column ``part * D + head * d + c`` of the input is component c of that head. Every (token, head, part) is
    quantised on its own. A mean of values is at most 2^31 in magnitude, so saturation removes at most that
    one excess unit. Source: multi-head attention (Vaswani et al., 2017, section 3.2.2).
    """
    _require(
        query_key_value.ndim == 2 and query_key_value.shape[1] % (3 * heads) == 0,
        f"attention: shape {tuple(query_key_value.shape)} does not split into 3 x {heads} heads",
    )
    length, width = query_key_value.shape
    parts = query_key_value.view(length, 3, heads, width // (3 * heads)).permute(1, 2, 0, 3)
    operands, exponents = quantise(parts)
    scores = attention_scores(operands[0], exponents[0], operands[1], exponents[1], multiplier)
    mixed = attention_values(softmax_weights(scores), operands[2], exponents[2])
    return saturate(mixed.permute(1, 0, 2).reshape(length, width // 3))


# ---------------------------------------------------------------------------------------------- the embedding


def mean_pool_normalise(x: Tensor) -> Tensor:
    """The unit vector along the mean of a sequence's rows: [L, D] in Q.16 gives [D] in Q.24.

    ::

        s = Σ_t x_t                                    the mean's direction; its length does not matter
        h = max(0, bit_length(max |s|) - 24)            s' = rsh(s, h)          |s'| <= 2^24
        V = max(1, Σ s'²)                               V <= D 2^48 < 2^61 for D <= 2^13 - 1
        t = (62 - bit_length(V)) >> 1                   r = isqrt(V 4^t)        2^30 <= r < 2^31
        R = floor(2^62 / r)                             2^31 < R <= 2^32
        y = rsh(s' R, 38 - t)                           |s' R| <= 2^56, |y| <= 2^24 + 1; 8 <= 38 - t <= 38

    A sequence whose rows sum to zero gives zeros. Source: mean pooling (Reimers and Gurevych, 2019, section
    3).
    """
    _require(x.ndim == 2 and 1 <= x.shape[-1] < 1 << 13, f"pool: shape {tuple(x.shape)}")
    _require(x.shape[0] <= 1 << 20, f"pool: {x.shape[0]} rows")
    _require_activation("pool input", x)
    total = x.sum(0)
    drop = (bit_length(total.abs().amax(-1, keepdim=True)) - POOL_BITS).clamp(min=0)
    total = rounding_shift(total, drop)
    energy = (total * total).sum(-1, keepdim=True).clamp(min=1)
    lift = (62 - bit_length(energy)) >> 1
    length = integer_square_root(energy << (2 * lift))
    reciprocal = torch.div(torch.full_like(length, SQUARE_ROOT_LIMIT), length, rounding_mode="floor")
    return rounding_shift(total * reciprocal, 62 - TABLE_BITS - lift)
