// Integer operations of the exact arithmetic (docs/EXACT.md, section 1), for scalars.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace proofmill {

constexpr std::int32_t SATURATION = 2147483647;  // 2^31 - 1, greatest magnitude of an activation
constexpr int OPERAND_BITS = 14;                 // operands lie within ±2^14

inline int bit_length(std::uint64_t x) { return x == 0 ? 0 : 64 - __builtin_clzll(x); }

// floor((x + floor(2^s / 2)) / 2^s); |x| + 2^(s-1) < 2^63, 0 <= s <= 62.
inline std::int64_t rounding_shift(std::int64_t x, int s) { return (x + ((std::int64_t{1} << s) >> 1)) >> s; }

// The same for any 32-bit x without a wider type, 1 <= s <= 31: halving last, x >> (s - 1) + 1 cannot overflow for
// s >= 2, and for s = 1 wraps only at x = 2^31 - 1, which the caller excludes by s = bits - 14.
inline std::int32_t rounding_shift_narrow(std::int32_t x, int s) { return ((x >> (s - 1)) + 1) >> 1; }

inline std::int32_t saturate(std::int64_t x) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(x, -SATURATION, SATURATION));
}

// The s with s² <= n < (s + 1)², for 0 <= n < 2^62: the double root is at most one off.
inline std::int64_t integer_square_root(std::int64_t n) {
    auto s = static_cast<std::int64_t>(std::sqrt(static_cast<double>(n)));
    if (s * s > n) --s;
    if ((s + 1) * (s + 1) <= n) ++s;
    return s;
}

// 2^e as a double from its bit pattern, -1022 <= e <= 1023.
inline double power_of_two(int e) {
    const std::uint64_t bits = static_cast<std::uint64_t>(e + 1023) << 52;
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

}  // namespace proofmill
