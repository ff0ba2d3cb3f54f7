// unit_mean: the unit vector along the sum of each sequence's rows.
//
//     s = Σ x;  h = max(0, bits(max |s|) - 24);  s' = rsh(s, h)     |s'| <= 2^24
//     V = max(1, Σ s'²)                                             V < 2^61
//     t = (62 - bits(V)) >> 1;  r = isqrt(V·4^t);  R = floor(2^62 / r)
//     y = rsh(s'·R, 38 - t)                                         |s'·R| <= 2^56
//
// All in 64-bit integers.

#include "export.h"
#include "rows.h"

namespace proofmill {
namespace {

void unit_mean(const std::int32_t* x, std::int64_t rows, std::int64_t width, std::int64_t* __restrict total,
               std::int32_t* __restrict y) {
    std::fill(total, total + width, 0);
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t i = 0; i < width; ++i) total[i] += x[row * width + i];
    std::uint64_t bits = 0;
    for (std::int64_t i = 0; i < width; ++i) bits |= static_cast<std::uint64_t>(std::abs(total[i]));
    const int drop = std::max(0, bit_length(bits) - 24);
    std::int64_t energy = 0;
    for (std::int64_t i = 0; i < width; ++i) {
        total[i] = rounding_shift(total[i], drop);
        energy += total[i] * total[i];
    }
    energy = std::max<std::int64_t>(energy, 1);
    const int lift = (62 - bit_length(static_cast<std::uint64_t>(energy))) >> 1;
    const std::int64_t length = integer_square_root(energy << (2 * lift));
    const std::int64_t reciprocal = (std::int64_t{1} << 62) / length;
    for (std::int64_t i = 0; i < width; ++i)
        y[i] = static_cast<std::int32_t>(rounding_shift(total[i] * reciprocal, 38 - lift));
}

}  // namespace
}  // namespace proofmill

using namespace proofmill;

// starts [sequences + 1]: first row of each sequence, and the number of rows.
PROOFMILL_EXPORT void proofmill_unit_mean(const std::int32_t* x, std::int64_t width, const std::int64_t* starts,
                                          std::int64_t sequences, std::int32_t* y) {
    parallel_for(sequences, 1, [&](std::int64_t begin, std::int64_t end) {
        thread_local Scratch<std::int64_t> total;
        for (std::int64_t b = begin; b < end; ++b)
            unit_mean(x + starts[b] * width, starts[b + 1] - starts[b], width, total.get(width), y + b * width);
    });
}
