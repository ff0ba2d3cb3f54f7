// Blocks of a matrix product: a few rows of operands times one panel of weights.
//
// A panel holds `columns` columns of the weights over all inputs, so that one load gives the next two inputs of
// LANES columns: element (input i, column j) lies at [i / 2][j][i % 2].
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "vector.h"

namespace proofmill {

// sums[r][j] = Σ_i a[r][i]·w[i][j] modulo 2^32 over 2·pairs inputs: exact if the true sum fits 32 bits.
template <int ROWS, int VECTORS, class Weight>
inline void multiply_block(const std::int16_t* a, std::int64_t stride, const Weight* panel, std::int64_t pairs,
                           std::int32_t* sums) {
    Vector sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) sum[r][v] = zero();
    for (std::int64_t i = 0; i < pairs; ++i) {
        Vector w[VECTORS];
        for (int v = 0; v < VECTORS; ++v) w[v] = load_pairs(panel + (i * VECTORS + v) * LANES * 2);
        for (int r = 0; r < ROWS; ++r) {
            const Vector x = broadcast_word(a + r * stride + 2 * i);
            for (int v = 0; v < VECTORS; ++v) sum[r][v] = add_products(sum[r][v], x, w[v]);
        }
    }
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) store(sums + (r * VECTORS + v) * LANES, sum[r][v]);
}

// The same for 16-bit weights w = 256·high + low, |high| <= 64 and -128 <= low <= 127, digit by digit:
// |a| <= 2^14 and at most 1022 inputs keep both sums below 2^14·128·1022 < 2^31.
template <int ROWS, int VECTORS>
inline void multiply_digits(const std::int16_t* a, std::int64_t stride, const std::int16_t* panel,
                            std::int64_t panel_vectors, std::int64_t pairs, std::int32_t* high,
                            std::int32_t* low) {
    Vector upper[ROWS][VECTORS], lower[ROWS][VECTORS];
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) upper[r][v] = lower[r][v] = zero();
    for (std::int64_t i = 0; i < pairs; ++i) {
        Vector wh[VECTORS], wl[VECTORS];
        for (int v = 0; v < VECTORS; ++v) {
            const Vector w = load_pairs(panel + (i * panel_vectors + v) * LANES * 2);
            wh[v] = high_digits(w);
            wl[v] = low_digits(w);
        }
        for (int r = 0; r < ROWS; ++r) {
            const Vector x = broadcast_word(a + r * stride + 2 * i);
            for (int v = 0; v < VECTORS; ++v) {
                upper[r][v] = add_products(upper[r][v], x, wh[v]);
                lower[r][v] = add_products(lower[r][v], x, wl[v]);
            }
        }
    }
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) {
            store(high + (r * panel_vectors + v) * LANES, upper[r][v]);
            store(low + (r * panel_vectors + v) * LANES, lower[r][v]);
        }
}

#if PROOFMILL_BYTE_PRODUCTS
// sums[r][j] = Σ_i u[r][i]·w[i][j] of unsigned by signed bytes; element (i, j) of the panel lies at [i / 4][j][i % 4].
template <int ROWS, int VECTORS>
inline void multiply_bytes(const std::uint8_t* u, std::int64_t stride, const std::int8_t* panel,
                           std::int64_t quads, std::int32_t* sums) {
    Vector sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) sum[r][v] = zero();
    for (std::int64_t i = 0; i < quads; ++i) {
        Vector w[VECTORS];
        for (int v = 0; v < VECTORS; ++v) w[v] = load_quads(panel + (i * VECTORS + v) * LANES * 4);
        for (int r = 0; r < ROWS; ++r) {
            const Vector x = broadcast_word(u + r * stride + 4 * i);
            for (int v = 0; v < VECTORS; ++v) sum[r][v] = add_byte_products(sum[r][v], x, w[v]);
        }
    }
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) store(sums + (r * VECTORS + v) * LANES, sum[r][v]);
}
#endif

// Calls f(std::integral_constant<int, rows>) for a `rows` from 1 to MAXIMUM known only now.
template <int MAXIMUM, class Function>
inline void with_rows(int rows, Function&& f) {
    if constexpr (MAXIMUM > 1) {
        if (rows < MAXIMUM) return with_rows<MAXIMUM - 1>(rows, std::forward<Function>(f));
    }
    f(std::integral_constant<int, MAXIMUM>{});
}

}  // namespace proofmill
