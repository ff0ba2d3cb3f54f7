# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Products of digits, many at a time
@author Proofmill
@license Apache-2.0
@dev Stateless. A number is 256 · hi + lo with signed bytes hi and lo; docs/TRACE.md, section 3. With its sign bit
     flipped a byte is itself plus 128, from 0 to 255, and so a number is itself plus BIAS, never negative. Every fourth
     byte of a word stands alone in a lane of 32 bits after a shift and a mask. One product of a word with another whose
     lanes are reversed then holds in its top lane the sum of eight products, at most 8 · 255² < 2^19; no lane runs over
     into the next, nor does it when the 128 words of the longest leaf are added up: below 2^26. That is why nothing
     here can overflow.
"""

from contracts.modules import leaf_codec

MAX_WORDS: constant(uint256) = 16  # of hi, and of lo: 512 numbers
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
SIGNS: constant(uint256) = max_value(uint256) // (2**8 - 1) * 128  # the top bit of every byte
ONES: constant(uint256) = max_value(uint256) // (2**32 - 1)  # one in every lane
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
LANES: constant(uint256) = max_value(uint256) // (2**32 - 1) * 255  # the last byte of every lane
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
ODD_LANES: constant(uint256) = max_value(uint256) // (2**64 - 1) * (2**32 - 1)
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
ODD_PAIRS: constant(uint256) = max_value(uint256) // (2**128 - 1) * (2**64 - 1)
BIAS: constant(int256) = 128 * 257  # 256 · 128 + 128


@pure
@internal
def _reverse_lanes(_word: uint256) -> uint256:
    word: uint256 = (_word & ODD_LANES) << 32 | (_word >> 32) & ODD_LANES
    word = (word & ODD_PAIRS) << 64 | (word >> 64) & ODD_PAIRS
    return word << 128 | word >> 128


@pure
@internal
def _product(
    _x: Bytes[leaf_codec.SMALL_LEAF],
    _x_start: uint256,
    _y: Bytes[leaf_codec.SMALL_LEAF],
    _y_start: uint256,
    _count: uint256,
    _is_y_reversed: bool,
) -> int256:
    """
    @dev Σ x_i y_i of the first `_count` <= 512 numbers of two leaves, whose digits begin at a byte and end with the
         leaf. What stands behind them, padding or further numbers, does not matter.
    """
    # slither divide-before-multiply: whole words, rounded up
    words: uint256 = (_count + 31) // 32  # rounded up
    x_width: uint256 = (len(_x) - _x_start) // 2  # exact: whole words of hi, as many of lo
    y_width: uint256 = (len(_y) - _y_start) // 2
    high: uint256 = 0  # hi · hi
    middle: uint256 = 0  # hi · lo and lo · hi
    low: uint256 = 0  # lo · lo
    highs: uint256 = 0  # hi of x and y
    lows: uint256 = 0
    mask: uint256 = max_value(uint256)
    for word: uint256 in range(words, bound=MAX_WORDS):
        at: uint256 = 32 * word
        if _count < at + 32:
            mask = max_value(uint256) << 8 * (at + 32 - _count)  # x_i = 0 from here on
        x_high: uint256 = extract32(_x, _x_start + at, output_type=uint256) & mask ^ SIGNS
        x_low: uint256 = extract32(_x, _x_start + x_width + at, output_type=uint256) & mask ^ SIGNS
        y_high: uint256 = extract32(_y, _y_start + at, output_type=uint256) ^ SIGNS
        y_low: uint256 = extract32(_y, _y_start + y_width + at, output_type=uint256) ^ SIGNS
        if not _is_y_reversed:
            y_high = self._reverse_lanes(y_high)
            y_low = self._reverse_lanes(y_low)
        for phase: uint256 in [0, 8, 16, 24]:
            a: uint256 = x_high >> phase & LANES
            b: uint256 = x_low >> phase & LANES
            c: uint256 = y_high >> phase & LANES
            d: uint256 = y_low >> phase & LANES
            high = unsafe_add(high, unsafe_mul(a, c))
            middle = unsafe_add(middle, unsafe_add(unsafe_mul(a, d), unsafe_mul(b, c)))
            low = unsafe_add(low, unsafe_mul(b, d))
            highs = unsafe_add(highs, unsafe_add(a, c))
            lows = unsafe_add(lows, unsafe_add(b, d))
    # Σ (x + BIAS)(y + BIAS) and Σ (x + BIAS) + (y + BIAS), over whole words.
    products: uint256 = ((high >> 224) << 16) + ((middle >> 224) << 8) + (low >> 224)
    sums: uint256 = (unsafe_mul(highs, ONES) >> 224 << 8) + (unsafe_mul(lows, ONES) >> 224)
    return (
        convert(products, int256)
        - BIAS * convert(sums, int256)
        + BIAS * BIAS * convert(32 * words, int256)
    )
