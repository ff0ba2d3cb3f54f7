"""The definition of the arithmetic: every operator as plain integer PyTorch; docs/EXACT.md states the same in mathematics."""

from proofmill.exact.ops.activation import gated_silu, gelu, relu
from proofmill.exact.ops.attention import SCORE_BITS, SoftmaxRows, attention, mix, scores, softmax
from proofmill.exact.ops.embedding import embedding
from proofmill.exact.ops.image import flatten, patches, pixels
from proofmill.exact.ops.linear import (
    MULTIPLIER_LIMIT,
    SHIFT_GREATEST,
    SHIFT_LEAST,
    WEIGHT_LIMIT_E16,
    WEIGHT_LIMIT_E16X,
    linear,
    within_reach,
)
from proofmill.exact.ops.normalisation import GAMMA_BITS, NORM_BITS, NORM_SIZE_LIMIT, layer_norm, rms_norm
from proofmill.exact.ops.operands import (
    CARRIER_LIMIT,
    EXPONENT_LIMIT,
    FRACTION_BITS,
    OPERAND_BITS,
    OPERAND_LIMIT,
    SATURATION,
)
from proofmill.exact.ops.pooling import UNIT_BITS, average_pool, max_pool, unit_mean
from proofmill.exact.ops.position import ROTATION_BITS, position_embedding, rotate
from proofmill.exact.ops.quantisation import quantise, split_digits
from proofmill.exact.ops.residual import add
from proofmill.exact.ops.scalar import (
    bit_length,
    floor_divide,
    integer_square_root,
    rounding_shift,
    saturate,
)
from proofmill.exact.ops.selection import (
    INVERSE_TEMPERATURE_BITS,
    INVERSE_TEMPERATURE_LIMIT,
    choose,
    choose_greedy,
    gumbel,
    random_bits,
)
from proofmill.exact.ops.tabulated import interpolate, logistic, negative_power_of_two, normal_distribution

__all__ = [
    "CARRIER_LIMIT",
    "EXPONENT_LIMIT",
    "FRACTION_BITS",
    "GAMMA_BITS",
    "INVERSE_TEMPERATURE_BITS",
    "INVERSE_TEMPERATURE_LIMIT",
    "MULTIPLIER_LIMIT",
    "NORM_BITS",
    "NORM_SIZE_LIMIT",
    "OPERAND_BITS",
    "OPERAND_LIMIT",
    "ROTATION_BITS",
    "SATURATION",
    "SCORE_BITS",
    "SHIFT_GREATEST",
    "SHIFT_LEAST",
    "UNIT_BITS",
    "WEIGHT_LIMIT_E16",
    "WEIGHT_LIMIT_E16X",
    "SoftmaxRows",
    "add",
    "attention",
    "average_pool",
    "bit_length",
    "choose",
    "choose_greedy",
    "embedding",
    "flatten",
    "floor_divide",
    "gated_silu",
    "gelu",
    "gumbel",
    "integer_square_root",
    "interpolate",
    "layer_norm",
    "linear",
    "logistic",
    "max_pool",
    "mix",
    "negative_power_of_two",
    "normal_distribution",
    "patches",
    "pixels",
    "position_embedding",
    "quantise",
    "random_bits",
    "relu",
    "rms_norm",
    "rotate",
    "rounding_shift",
    "saturate",
    "scores",
    "softmax",
    "split_digits",
    "unit_mean",
    "within_reach",
]
