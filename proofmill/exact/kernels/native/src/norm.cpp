// layer_norm and rms_norm.
//
//     µ = floor((2 Σx + D) / 2D), or 0 for rms_norm;  c = x - µ      |c| <= 2^32
//     h = max(0, bits(max |c|) - 20);  c' = rsh(c, h)                |c'| <= 2^20
//     V = max(1, Σ c'² + (epsilon >> 2h))                            V < 2^54
//     t = (62 - bits(V)) >> 1;  s = isqrt(V·4^t)                     2^30 <= s < 2^31
//     R = floor(root·2^35 / s)                                       root·2^35 < 2^62
//     n = rsh(c'·R, 39 - t)                                          |c'·R| < 2^52, |n| <= √D·2^16 + 2
//     y = sat(rsh(n·γ, 14) + β)                                      |n·γ| < 2^47
//
// The last two lines are computed in double precision, where numbers of that many bits are exact.

#include "export.h"
#include "rows.h"

namespace proofmill {
namespace {

// Class NormConstants in library.py has the same fields.
struct Norm {
    const double* gain;    // γ·2^-14
    const double* offset;  // β + 1/2
    std::int64_t width;
    std::int64_t epsilon;
    std::int64_t root;
    std::int32_t centred;
};

// c' of a row; where c itself fits 31 bits, which is nearly always, without a wider type.
void centre(const std::int32_t* __restrict x, std::int64_t width, std::int64_t mean, int drop, std::int64_t reach,
            std::int32_t* __restrict y) {
    const std::int64_t half = (std::int64_t{1} << drop) >> 1;
    if (reach + half + std::abs(mean) < SATURATION) {
        const auto shift = static_cast<std::int32_t>(half - mean);
        for (std::int64_t i = 0; i < width; ++i) y[i] = (x[i] + shift) >> drop;
    } else {
        for (std::int64_t i = 0; i < width; ++i) y[i] = static_cast<std::int32_t>((x[i] - mean + half) >> drop);
    }
}

std::int64_t sum_of_squares(const std::int32_t* x, std::int64_t width) {
    std::int64_t sum = 0;  // D·2^40 <= 2^53
    for (std::int64_t i = 0; i < width; ++i) sum += static_cast<std::int64_t>(x[i]) * x[i];
    return sum;
}

void normalise(const std::int32_t* x, const Norm& norm, std::int32_t* __restrict y) {
    std::int64_t sum = 0;
    std::int32_t least = x[0], greatest = x[0];
    for (std::int64_t i = 0; i < norm.width; ++i) {
        sum += x[i];
        least = x[i] < least ? x[i] : least;
        greatest = x[i] > greatest ? x[i] : greatest;
    }
    std::int64_t mean = 0;
    if (norm.centred) {
        const std::int64_t numerator = 2 * sum + norm.width, denominator = 2 * norm.width;
        mean = numerator / denominator - (numerator % denominator < 0 ? 1 : 0);
    }
    const std::int64_t reach = std::max(greatest - mean, mean - least);
    const int drop = std::max(0, bit_length(static_cast<std::uint64_t>(reach)) - 20);
    centre(x, norm.width, mean, drop, reach, y);
    const std::int64_t variance =
        std::max<std::int64_t>(1, sum_of_squares(y, norm.width) + (norm.epsilon >> (2 * drop)));
    const int lift = (62 - bit_length(static_cast<std::uint64_t>(variance))) >> 1;
    const std::int64_t deviation = integer_square_root(variance << (2 * lift));
    const std::int64_t reciprocal = (norm.root << 35) / deviation;
    const double scale = static_cast<double>(reciprocal) * power_of_two(lift - 39);
    for (std::int64_t i = 0; i < norm.width; ++i) {
        const double unit = std::floor(y[i] * scale + 0.5);
        const double value = std::floor(unit * norm.gain[i] + norm.offset[i]);
        const double low = value < -SATURATION ? -SATURATION : value;
        y[i] = static_cast<std::int32_t>(low > SATURATION ? SATURATION : low);
    }
}

}  // namespace
}  // namespace proofmill

using namespace proofmill;

PROOFMILL_EXPORT void proofmill_norm(const std::int32_t* x, std::int64_t rows, const Norm* norm, const Form* form) {
    for_rows(rows, norm->width, *form,
             [&](std::int64_t row, std::int32_t* y) { normalise(x + row * norm->width, *norm, y); });
}
