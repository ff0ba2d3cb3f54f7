# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Dot products of digits, eight to a multiplication
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 3. A word holds 32 signed bytes. Every fourth of them makes eight *lanes* of 32 bits: the
     integer Σ v_i 2^(32 i), modulo 2^256, with borrows where v_i is negative. If the lanes of the other factor stand in reverse
     order, lane 7 of the product is a sum of eight products v_i w_(7 - i); what would come above it is lost to the modulus.

     The sum of many such products is right as long as no lane outgrows 32 bits. Whatever the bytes are, |256 · hi + lo| <= 32896
     and |w| <= 128, so lane 7 of twelve words grows to at most 12 · 32 · 32896 · 128 < 2^30.6, and so do those below.
"""

LONG: constant(uint256) = 12  # words of digits in the longer of two calls; 16 could overflow
SHORT: constant(uint256) = 4
LANE_BIAS: constant(uint256) = 2**31  # on every result, so that it is not negative

# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
SIGNS: constant(uint256) = max_value(uint256) // (2**8 - 1) * 128  # flips a byte between signed and offset binary: b + 128
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
LOW: constant(uint256) = max_value(uint256) // (2**32 - 1) * 255  # the lowest byte of each lane
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
HIGH: constant(uint256) = max_value(uint256) // (2**32 - 1) * 65280  # the byte above it
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
VALUES: constant(uint256) = max_value(uint256) // (2**32 - 1) * 32896  # offset of 256 · hi + lo: 256 · 128 + 128
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
WEIGHTS: constant(uint256) = max_value(uint256) // (2**32 - 1) * 128  # offset of w

# Lanes 0 to 6 as a whole are below half a unit of lane 7 and may be negative: adding that half rounds them away. And the bias.
ROUNDING: constant(uint256) = 2**223 + 2**255


@pure
@internal
def _products(_high: uint256, _low: uint256, _weights: uint256) -> uint256:
    """
    @dev Σ (256 · hi + lo) · w over 32 digits in lane 7, and other sums below it. All bytes in offset binary, the weights' lanes
         in reverse order. Every operation is modulo 2^256, which is what lanes want.
    """
    return unsafe_add(
        unsafe_add(
            unsafe_mul(
                unsafe_sub(unsafe_add((_high << 8) & HIGH, _low & LOW), VALUES),
                unsafe_sub(_weights & LOW, WEIGHTS),
            ),
            unsafe_mul(
                unsafe_sub(unsafe_add(_high & HIGH, (_low >> 8) & LOW), VALUES),
                unsafe_sub((_weights >> 8) & LOW, WEIGHTS),
            ),
        ),
        unsafe_add(
            unsafe_mul(
                unsafe_sub(unsafe_add((_high >> 8) & HIGH, (_low >> 16) & LOW), VALUES),
                unsafe_sub((_weights >> 16) & LOW, WEIGHTS),
            ),
            unsafe_mul(
                unsafe_sub(unsafe_add((_high >> 16) & HIGH, (_low >> 24) & LOW), VALUES),
                unsafe_sub((_weights >> 24) & LOW, WEIGHTS),
            ),
        ),
    )


@pure
@internal
def _dot_long(_high: uint256[LONG], _low: uint256[LONG], _weights: uint256[LONG]) -> uint256:
    """
    @dev LANE_BIAS + Σ (256 · hi + lo) · w over 384 digits, from 0 to 2^32.
    """
    return (
        unsafe_add(
            unsafe_add(
                unsafe_add(
                    unsafe_add(ROUNDING, self._products(_high[0] ^ SIGNS, _low[0] ^ SIGNS, _weights[0] ^ SIGNS)),
                    unsafe_add(
                        self._products(_high[1] ^ SIGNS, _low[1] ^ SIGNS, _weights[1] ^ SIGNS),
                        self._products(_high[2] ^ SIGNS, _low[2] ^ SIGNS, _weights[2] ^ SIGNS),
                    ),
                ),
                unsafe_add(
                    self._products(_high[3] ^ SIGNS, _low[3] ^ SIGNS, _weights[3] ^ SIGNS),
                    unsafe_add(
                        self._products(_high[4] ^ SIGNS, _low[4] ^ SIGNS, _weights[4] ^ SIGNS),
                        self._products(_high[5] ^ SIGNS, _low[5] ^ SIGNS, _weights[5] ^ SIGNS),
                    ),
                ),
            ),
            unsafe_add(
                unsafe_add(
                    self._products(_high[6] ^ SIGNS, _low[6] ^ SIGNS, _weights[6] ^ SIGNS),
                    unsafe_add(
                        self._products(_high[7] ^ SIGNS, _low[7] ^ SIGNS, _weights[7] ^ SIGNS),
                        self._products(_high[8] ^ SIGNS, _low[8] ^ SIGNS, _weights[8] ^ SIGNS),
                    ),
                ),
                unsafe_add(
                    self._products(_high[9] ^ SIGNS, _low[9] ^ SIGNS, _weights[9] ^ SIGNS),
                    unsafe_add(
                        self._products(_high[10] ^ SIGNS, _low[10] ^ SIGNS, _weights[10] ^ SIGNS),
                        self._products(_high[11] ^ SIGNS, _low[11] ^ SIGNS, _weights[11] ^ SIGNS),
                    ),
                ),
            ),
        )
        >> 224
    )


@pure
@internal
def _dot_short(_high: uint256[SHORT], _low: uint256[SHORT], _weights: uint256[SHORT]) -> uint256:
    """
    @dev LANE_BIAS + Σ (256 · hi + lo) · w over 128 digits.
    """
    return (
        unsafe_add(
            unsafe_add(
                unsafe_add(ROUNDING, self._products(_high[0] ^ SIGNS, _low[0] ^ SIGNS, _weights[0] ^ SIGNS)),
                self._products(_high[1] ^ SIGNS, _low[1] ^ SIGNS, _weights[1] ^ SIGNS),
            ),
            unsafe_add(
                self._products(_high[2] ^ SIGNS, _low[2] ^ SIGNS, _weights[2] ^ SIGNS),
                self._products(_high[3] ^ SIGNS, _low[3] ^ SIGNS, _weights[3] ^ SIGNS),
            ),
        )
        >> 224
    )


@pure
@internal
def _dot_word(_high: uint256, _low: uint256, _weights: uint256) -> uint256:
    """
    @dev LANE_BIAS + Σ (256 · hi + lo) · w over 32 digits.
    """
    return unsafe_add(ROUNDING, self._products(_high ^ SIGNS, _low ^ SIGNS, _weights ^ SIGNS)) >> 224
