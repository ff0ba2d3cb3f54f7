// embedding, position_embedding, rotate and add.

#include "export.h"
#include "rows.h"

namespace proofmill {
namespace {

// sat(a + b) without a wider type: the sum wraps if and only if it has neither term's sign.
inline std::int32_t saturating_sum(std::int32_t a, std::int32_t b) {
    const std::int32_t sum = a + b;  // wraps (-fwrapv)
    const std::int32_t bound = a < 0 ? -SATURATION : SATURATION;
    const bool wrapped = ((a ^ sum) & (b ^ sum)) < 0;
    const std::int32_t inside = sum < -SATURATION ? -SATURATION : sum;
    return wrapped ? bound : inside;
}

// rsh(v, 20), saturated, of an integer |v| <= 2^52: exact in double precision.
inline std::int32_t turned(double v) {
    const double value = std::floor(v * 0x1p-20 + 0.5);
    const double low = value < -SATURATION ? -SATURATION : value;
    return static_cast<std::int32_t>(low > SATURATION ? SATURATION : low);
}

void rotate_head(const std::int32_t* __restrict x, const std::int32_t* __restrict cosine,
                 const std::int32_t* __restrict sine, std::int64_t pairs, std::int32_t* __restrict y) {
    for (std::int64_t i = 0; i < pairs; ++i) {
        const double a = x[2 * i], b = x[2 * i + 1], c = cosine[i], s = sine[i];
        y[2 * i] = turned(a * c - b * s);
        y[2 * i + 1] = turned(a * s + b * c);
    }
}

template <class Entry>
void embed(const std::int64_t* ids, std::int64_t rows, const Entry* matrix, std::int64_t width, std::int32_t* y) {
    parallel_for(rows, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row)
            std::copy_n(matrix + ids[row] * width, width, y + row * width);
    });
}

}  // namespace
}  // namespace proofmill

using namespace proofmill;

PROOFMILL_EXPORT void proofmill_embedding_16(const std::int64_t* ids, std::int64_t rows, const std::int16_t* matrix,
                                             std::int64_t width, std::int32_t* y) {
    embed(ids, rows, matrix, width, y);
}

PROOFMILL_EXPORT void proofmill_embedding_32(const std::int64_t* ids, std::int64_t rows, const std::int32_t* matrix,
                                             std::int64_t width, std::int32_t* y) {
    embed(ids, rows, matrix, width, y);
}

PROOFMILL_EXPORT void proofmill_position_embedding(const std::int32_t* x, const std::int64_t* positions,
                                                   std::int64_t rows, const std::int32_t* matrix, std::int64_t width,
                                                   std::int32_t* y) {
    parallel_for(rows, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const std::int32_t* added = matrix + positions[row] * width;
            for (std::int64_t i = 0; i < width; ++i)
                y[row * width + i] = saturating_sum(x[row * width + i], added[i]);
        }
    });
}

PROOFMILL_EXPORT void proofmill_add(const std::int32_t* a, const std::int32_t* b, std::int64_t count,
                                    std::int32_t* y) {
    parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] = saturating_sum(a[i], b[i]);
    });
}

PROOFMILL_EXPORT void proofmill_rotate(const std::int32_t* x, const std::int64_t* positions, std::int64_t rows,
                                       std::int64_t width, const std::int32_t* cosine, const std::int32_t* sine,
                                       std::int64_t columns, std::int64_t head_size, const Form* form) {
    const std::int64_t pairs = head_size / 2;
    for_rows(rows, width, *form, [&](std::int64_t row, std::int32_t* y) {
        const std::int32_t* from = x + row * width;
        const std::int64_t angles = positions[row] * pairs;
        for (std::int64_t at = 0; at < columns; at += head_size)
            rotate_head(from + at, cosine + angles, sine + angles, pairs, y + at);
        std::copy(from + columns, from + width, y + columns);
    });
}

// 1 if all indices lie in [0, limit).
PROOFMILL_EXPORT std::int32_t proofmill_indices_below(const std::int64_t* indices, std::int64_t count,
                                                      std::int64_t limit) {
    std::uint64_t greatest = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto index = static_cast<std::uint64_t>(indices[i]);
        greatest = index > greatest ? index : greatest;
    }
    return count == 0 || greatest < static_cast<std::uint64_t>(limit) ? 1 : 0;
}
