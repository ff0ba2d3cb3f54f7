// gelu, relu and gated_silu.
//
// Both tables are read with ten bits of interpolation. Steps are below 2^18 (the slope of Φ is at most 0.4, of σ 1/4,
// over steps of 2^-6 in Q.24), so a step times the ten bits fits 32 bits. Products with x, |x| <= 2^27, are at most 2^51
// and exact in double precision.

#include "export.h"
#include "rows.h"
#include "table.h"

namespace proofmill {
namespace {

constexpr std::int32_t ARGUMENT_LIMIT = 1 << 27;

inline std::int32_t clamp(std::int32_t x, std::int32_t low, std::int32_t high) {
    const std::int32_t y = x < low ? low : x;
    return y > high ? high : y;
}

// y = rsh(x·f(x), 24) of `length` <= TABLE_BLOCK numbers clamped to ±2^27, f tabulated over [-limit, limit] in Q.16.
template <class Length>
inline void times_table(const std::int32_t* __restrict x, Length length, const std::int32_t* table, std::int32_t limit,
                        std::int32_t* __restrict y) {
    alignas(64) std::int32_t argument[TABLE_BLOCK], index[TABLE_BLOCK] = {}, rest[TABLE_BLOCK];
    alignas(64) std::int32_t entries[TABLE_BLOCK], steps[TABLE_BLOCK];
    for (int j = 0; j < length; ++j) {
        argument[j] = clamp(x[j], -ARGUMENT_LIMIT, ARGUMENT_LIMIT);
        const std::int32_t u = clamp(argument[j] + limit, 0, 2 * limit - 1);
        index[j] = u >> 10;
        rest[j] = u & 1023;
    }
    look_up(table, index, entries, steps);
    for (int j = 0; j < length; ++j) {
        const std::int32_t f = entries[j] + ((steps[j] * rest[j] + 512) >> 10);
        y[j] = static_cast<std::int32_t>(std::floor(static_cast<double>(argument[j]) * f * 0x1p-24 + 0.5));
    }
}

void gelu(const std::int32_t* x, std::int64_t width, const std::int32_t* table, std::int32_t* y) {
    for_blocks(width, [&](std::int64_t i, auto length) { times_table(x + i, length, table, 8 << 16, y + i); });
}

// silu(gate)·up: |s·u| <= 2^54 needs 64 bits.
template <class Length>
inline void gate_block(const std::int32_t* __restrict silu, const std::int32_t* __restrict up, Length length, int shift,
                       std::int32_t* __restrict y) {
    const std::int64_t half = (std::int64_t{1} << shift) >> 1;
    for (int j = 0; j < length; ++j) {
        const std::int64_t u = clamp(up[j], -ARGUMENT_LIMIT, ARGUMENT_LIMIT);
        const std::int64_t value = (silu[j] * u + half) >> shift;
        const std::int64_t low = value < -SATURATION ? -SATURATION : value;
        y[j] = static_cast<std::int32_t>(low > SATURATION ? SATURATION : low);
    }
}

void gated_silu(const std::int32_t* gate, const std::int32_t* up, std::int64_t width, const std::int32_t* table,
                int shift, std::int32_t* y) {
    for_blocks(width, [&](std::int64_t i, auto length) {
        alignas(64) std::int32_t silu[TABLE_BLOCK];
        times_table(gate + i, length, table, 16 << 16, silu);
        gate_block(silu, up + i, length, shift, y + i);
    });
}

}  // namespace
}  // namespace proofmill

using namespace proofmill;

// table [1024][2]: Φ over [-8, 8].
PROOFMILL_EXPORT void proofmill_gelu(const std::int32_t* x, std::int64_t rows, std::int64_t width,
                                     const std::int32_t* table, const Form* form) {
    for_rows(rows, width, *form,
             [&](std::int64_t row, std::int32_t* y) { gelu(x + row * width, width, table, y); });
}

PROOFMILL_EXPORT void proofmill_relu(const std::int32_t* x, std::int64_t rows, std::int64_t width,
                                     const Form* form) {
    for_rows(rows, width, *form, [&](std::int64_t row, std::int32_t* y) {
        const std::int32_t* from = x + row * width;
        for (std::int64_t i = 0; i < width; ++i) y[i] = from[i] < 0 ? 0 : from[i];
    });
}

// x [rows, 2·width] holds gate and up side by side; table [2048][2]: σ over [-16, 16].
PROOFMILL_EXPORT void proofmill_gated_silu(const std::int32_t* x, std::int64_t rows, std::int64_t width,
                                           std::int32_t shift, const std::int32_t* table,
                                           const Form* form) {
    for_rows(rows, width, *form, [&](std::int64_t row, std::int32_t* y) {
        const std::int32_t* gate = x + 2 * row * width;
        gated_silu(gate, gate + width, width, table, shift, y);
    });
}
