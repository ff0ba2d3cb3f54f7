// linear: y = sat(rsh(c_j·Σ q_i w_ji, shift - k) + b_j), then sat(residual + y).
//
// Sums. Operands have |q| <= 2^14. 8-bit weights: a slice of inputs is chosen when the weights are arranged so that
// 2^14·Σ|w| < 2^31 for every channel; over a slice 32-bit sums are exact, and slices are added in double precision,
// exact since A_j = 2^14·Σ|w_ji| <= 2^53. Most operators are one slice.
//
// 16-bit weights. Everywhere: w = 256·high + low, one 32-bit sum for each digit. With byte products (VNNI), which
// are twice as fast as 16-bit ones, better: the sum S over a slice is computed modulo 2^32 from whole weights, and
// roughly from the upper bytes of both factors, which settles the rest. With
//     u = min(255, floor((q + 2^14) / 128)),  q = 128u - 16320 + x, |x| <= 64      (unsigned byte)
//     v = floor((w + 64) / 128),              w = 128v + y, |y| <= 64, |v| <= 127  (signed byte)
// the estimate H = Σ (128u - 16320)·128v differs from S by Σ (128u - 16320)·y + x·w, at most
// 64·16320 + 64·16256 < 2^21 for each input, below 2^31 over 1024 inputs; so S = H + ((S - H) modulo 2^32, signed).
//
// Epilogue. y = floor(S·c_j·2^(k - shift) + b_j + 1/2) in double precision: proved at import,
// A_j·c_j + (|b_j| + 1)·2^shift <= 2^53, so with shift - k >= 1 every number here is a multiple of 2^(k - shift)
// with at most 53 bits, and each operation is exact.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.h"
#include "export.h"
#include "integers.h"
#include "parallel.h"
#include "scratch.h"
#include "weights.h"

namespace proofmill {
namespace {

constexpr int PANEL = BLOCK_VECTORS * LANES;
constexpr int WIDE_ROWS = BLOCK_VECTORS;             // rows of a block with two sums per product
constexpr std::int64_t NARROW_SLICE = 1020;          // 2^14·128·1020 < 2^31
constexpr std::int64_t WIDE_SLICE = 1008;            // 2^14·128·1008 < 2^31, and the estimate is close enough
constexpr std::int64_t SUM_LIMIT = (std::int64_t{1} << 31) - 1;
constexpr std::int64_t GROUP_BYTES = 256 << 10;      // panels that stay in the second-level cache
constexpr std::int64_t SMALL = BLOCK_ROWS;           // rows up to which weights are read once, as they are

std::int64_t padded(std::int64_t inputs) { return (inputs + 3) / 4 * 4; }

struct Job {
    const std::int16_t* q;
    const std::uint8_t* exponents;  // of each row
    const std::uint8_t* upper;      // u of every operand, with byte products only
    std::int64_t stride;            // of q and upper, in elements
    std::int64_t rows;
    const Weights* weights;
    const std::int32_t* residual;  // or null
    std::int32_t* y;
};

// One block of outputs from its sums, which are 32-bit integers or doubles.
template <class Sum>
void finish(const Job& job, const Sum* sums, std::int64_t row, int rows, std::int64_t panel) {
    const Weights& weights = *job.weights;
    const std::int64_t first = panel * PANEL;
    const std::int64_t columns = std::min<std::int64_t>(PANEL, weights.outputs - first);
    const double* scale = weights.scale + first;
    const double* offset = weights.offset + first;
    for (int r = 0; r < rows; ++r) {
        const double power = power_of_two(job.exponents[row + r]);
        const std::int64_t at = (row + r) * weights.outputs + first;
        alignas(64) std::int32_t result[PANEL];
        std::int32_t* y = columns == PANEL ? job.y + at : result;
        const Sum* sum = sums + r * PANEL;
        for (int j = 0; j < PANEL; ++j) {
            const double value = std::floor(static_cast<double>(sum[j]) * scale[j] * power + offset[j]);
            const double low = value < -SATURATION ? -SATURATION : value;
            y[j] = static_cast<std::int32_t>(low > SATURATION ? SATURATION : low);
        }
        if (columns != PANEL) std::memcpy(job.y + at, result, columns * sizeof(std::int32_t));
        if (job.residual != nullptr) {
            const std::int32_t* x = job.residual + at;
            for (int j = 0; j < columns; ++j) {
                const double value = static_cast<double>(x[j]) + static_cast<double>(job.y[at + j]);
                const double low = value < -SATURATION ? -SATURATION : value;
                job.y[at + j] = static_cast<std::int32_t>(low > SATURATION ? SATURATION : low);
            }
        }
    }
}

// ------------------------------------------------------------------------------------------- 8-bit weights

void narrow_block(const Job& job, std::int64_t row, int rows, std::int64_t panel) {
    const Weights& weights = *job.weights;
    const std::int64_t inputs = padded(weights.inputs);
    const auto* w = static_cast<const std::int8_t*>(weights.panels) + panel * inputs * PANEL;
    const std::int16_t* q = job.q + row * job.stride;
    alignas(64) std::int32_t sums[BLOCK_ROWS * PANEL];
    alignas(64) double totals[BLOCK_ROWS * PANEL];
    for (std::int64_t start = 0; start < inputs; start += weights.slice) {
        const std::int64_t pairs = std::min(weights.slice, inputs - start) / 2;
        with_rows<BLOCK_ROWS>(rows, [&](auto count) {
            multiply_block<count(), BLOCK_VECTORS>(q + start, job.stride, w + start * PANEL, pairs, sums);
        });
        if (weights.slice >= inputs) return finish(job, sums, row, rows, panel);
        if (start == 0) std::fill(totals, totals + rows * PANEL, 0.0);
        for (int i = 0; i < rows * PANEL; ++i) totals[i] += sums[i];
    }
    finish(job, totals, row, rows, panel);
}

// ------------------------------------------------------------------------------------------ 16-bit weights

// Few rows: digits are split in registers, so that memory delivers each weight once.
void wide_block(const Job& job, std::int64_t row, int rows, std::int64_t panel) {
    const Weights& weights = *job.weights;
    const std::int64_t inputs = padded(weights.inputs);
    const auto* w = static_cast<const std::int16_t*>(weights.panels) + panel * inputs * PANEL;
    const std::int16_t* q = job.q + row * job.stride;
    alignas(64) std::int32_t high[WIDE_ROWS * PANEL], low[WIDE_ROWS * PANEL];
    alignas(64) double totals[WIDE_ROWS * PANEL] = {};
    for (std::int64_t start = 0; start < inputs; start += weights.slice) {
        const std::int64_t pairs = std::min(weights.slice, inputs - start) / 2;
        with_rows<WIDE_ROWS>(rows, [&](auto count) {
            multiply_digits<count(), BLOCK_VECTORS>(q + start, job.stride, w + start * PANEL, BLOCK_VECTORS, pairs,
                                                    high, low);
        });
        for (int i = 0; i < rows * PANEL; ++i) totals[i] += 256.0 * high[i] + low[i];
    }
    finish(job, totals, row, rows, panel);
}

// Many rows: a panel's second form, made once for all rows of a task.
struct Digits {
#if PROOFMILL_BYTE_PRODUCTS
    Scratch<std::int8_t> bytes;      // v, [padded / 4][PANEL][4]
    Scratch<std::int32_t> sums;      // Σ v of each slice and column
#else
    Scratch<std::int8_t> high, low;  // [padded / 2][PANEL][2]
#endif
};

#if PROOFMILL_BYTE_PRODUCTS

void make_digits(const Weights& weights, std::int64_t panel, Digits& digits) {
    const std::int64_t inputs = padded(weights.inputs);
    const auto* w = static_cast<const std::int16_t*>(weights.panels) + panel * inputs * PANEL;
    std::int8_t* bytes = digits.bytes.get(inputs * PANEL);
    const std::int64_t slices = (inputs + weights.slice - 1) / weights.slice;
    std::int32_t* sums = digits.sums.get(slices * PANEL);
    const Vector half = _mm512_set1_epi16(64), ones = _mm512_set1_epi8(1);
    // Pairs (0, 1) and (2, 3) of a lane become its four bytes: narrow each, and put the second above the first.
    for (std::int64_t slice = 0; slice < slices; ++slice) {
        const std::int64_t stop = std::min(inputs, (slice + 1) * weights.slice);
        Vector sum[BLOCK_VECTORS];
        for (int v = 0; v < BLOCK_VECTORS; ++v) sum[v] = zero();
        for (std::int64_t i = slice * weights.slice; i < stop; i += 4)
            for (int v = 0; v < BLOCK_VECTORS; ++v) {
                const std::int16_t* from = w + i * PANEL + v * LANES * 2;
                const Vector a = _mm512_srai_epi16(_mm512_add_epi16(load_pairs(from), half), 7);
                const Vector b = _mm512_srai_epi16(_mm512_add_epi16(load_pairs(from + 2 * PANEL), half), 7);
                const Vector a_bytes = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(a));
                const Vector b_bytes = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(b));
                const Vector lanes = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39,
                                                      7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
                const Vector quads = _mm512_permutex2var_epi16(a_bytes, lanes, b_bytes);
                _mm512_storeu_si512(bytes + i * PANEL + v * LANES * 4, quads);
                sum[v] = add_byte_products(sum[v], ones, quads);
            }
        for (int v = 0; v < BLOCK_VECTORS; ++v) store(sums + slice * PANEL + v * LANES, sum[v]);
    }
}

// Adds S of one row: H = 2^14·Σ u·v - 128·16320·Σ v is below 2^38, exact as a double, and known modulo 2^32.
inline void settle(const std::int32_t* __restrict residues, const std::int32_t* __restrict products,
                   const std::int32_t* __restrict byte_sums, double* __restrict totals) {
    for (int j = 0; j < PANEL; ++j) {
        const std::int32_t rest = residues[j] - (products[j] * 16384 - byte_sums[j] * 2088960);
        totals[j] += 16384.0 * products[j] - 2088960.0 * byte_sums[j] + rest;
    }
}

void wide_block(const Job& job, std::int64_t row, int rows, std::int64_t panel, Digits& digits) {
    const Weights& weights = *job.weights;
    const std::int64_t inputs = padded(weights.inputs);
    const auto* w = static_cast<const std::int16_t*>(weights.panels) + panel * inputs * PANEL;
    const std::int8_t* bytes = digits.bytes.get(0);
    const std::int32_t* byte_sums = digits.sums.get(0);
    const std::int64_t at = row * job.stride;
    alignas(64) std::int32_t residues[BLOCK_ROWS * PANEL], products[BLOCK_ROWS * PANEL];
    alignas(64) double totals[BLOCK_ROWS * PANEL] = {};
    for (std::int64_t start = 0; start < inputs; start += weights.slice) {
        const std::int64_t count = std::min(weights.slice, inputs - start);
        with_rows<BLOCK_ROWS>(rows, [&](auto n) {
            multiply_block<n(), BLOCK_VECTORS>(job.q + at + start, job.stride, w + start * PANEL, count / 2, residues);
            multiply_bytes<n(), BLOCK_VECTORS>(job.upper + at + start, job.stride, bytes + start * PANEL, count / 4,
                                               products);
        });
        for (int r = 0; r < rows; ++r)
            settle(residues + r * PANEL, products + r * PANEL, byte_sums, totals + r * PANEL);
        byte_sums += PANEL;
    }
    finish(job, totals, row, rows, panel);
}

void make_upper(const std::int16_t* q, std::int64_t count, std::uint8_t* upper) {
    for (std::int64_t i = 0; i < count; ++i)
        upper[i] = static_cast<std::uint8_t>(std::min((q[i] + (1 << OPERAND_BITS)) >> 7, 255));
}

#else

void make_digits(const Weights& weights, std::int64_t panel, Digits& digits) {
    const std::int64_t count = padded(weights.inputs) * PANEL;
    const auto* w = static_cast<const std::int16_t*>(weights.panels) + panel * count;
    std::int8_t* high = digits.high.get(count);
    std::int8_t* low = digits.low.get(count);
    for (std::int64_t i = 0; i < count; ++i) {
        high[i] = static_cast<std::int8_t>((w[i] + 128) >> 8);
        low[i] = static_cast<std::int8_t>(w[i]);  // the low byte read as signed is the low digit
    }
}

void wide_block(const Job& job, std::int64_t row, int rows, std::int64_t panel, Digits& digits) {
    const Weights& weights = *job.weights;
    const std::int64_t inputs = padded(weights.inputs);
    const std::int8_t* upper = digits.high.get(0);
    const std::int8_t* lower = digits.low.get(0);
    const std::int16_t* q = job.q + row * job.stride;
    alignas(64) std::int32_t high[BLOCK_ROWS * PANEL], low[BLOCK_ROWS * PANEL];
    alignas(64) double totals[BLOCK_ROWS * PANEL] = {};
    for (std::int64_t start = 0; start < inputs; start += weights.slice) {
        const std::int64_t pairs = std::min(weights.slice, inputs - start) / 2;
        with_rows<BLOCK_ROWS>(rows, [&](auto n) {
            multiply_block<n(), BLOCK_VECTORS>(q + start, job.stride, upper + start * PANEL, pairs, high);
            multiply_block<n(), BLOCK_VECTORS>(q + start, job.stride, lower + start * PANEL, pairs, low);
        });
        for (int i = 0; i < rows * PANEL; ++i) totals[i] += 256.0 * high[i] + low[i];
    }
    finish(job, totals, row, rows, panel);
}

#endif

// ---------------------------------------------------------------------------------------------- whole products

// Rows [row, stop) of some panels. Panels are small enough to stay in the second-level cache while rows pass by.
void multiply_rows(const Job& job, std::int64_t row, std::int64_t stop, std::int64_t panel, std::int64_t panel_stop) {
    if (!job.weights->wide) {
        for (; row < stop; row += BLOCK_ROWS)
            for (std::int64_t p = panel; p < panel_stop; ++p)
                narrow_block(job, row, static_cast<int>(std::min<std::int64_t>(BLOCK_ROWS, stop - row)), p);
        return;
    }
    if (job.rows <= SMALL) {
        for (std::int64_t p = panel; p < panel_stop; ++p)
            for (std::int64_t r = row; r < stop; r += WIDE_ROWS)
                wide_block(job, r, static_cast<int>(std::min<std::int64_t>(WIDE_ROWS, stop - r)), p);
        return;
    }
    thread_local Digits digits;
    for (std::int64_t p = panel; p < panel_stop; ++p) {
        make_digits(*job.weights, p, digits);
        for (std::int64_t r = row; r < stop; r += BLOCK_ROWS)
            wide_block(job, r, static_cast<int>(std::min<std::int64_t>(BLOCK_ROWS, stop - r)), p, digits);
    }
}

void multiply(const Job& job) {
    const Weights& weights = *job.weights;
    const std::int64_t panels = (weights.outputs + PANEL - 1) / PANEL;
    const std::int64_t panel_bytes = padded(weights.inputs) * PANEL * (weights.wide ? 2 : 1);
    const std::int64_t threads = thread_limit();
    // Enough tasks that threads finish together, each large enough to use its panels often.
    const std::int64_t group =
        std::clamp<std::int64_t>(std::min(GROUP_BYTES / panel_bytes, panels / (2 * threads)), 1, panels);
    const std::int64_t groups = (panels + group - 1) / group;
    const std::int64_t wanted_parts = std::max<std::int64_t>(1, 8 * threads / groups);
    const std::int64_t least_rows = 8 * BLOCK_ROWS;
    std::int64_t part = std::max((job.rows + wanted_parts - 1) / wanted_parts, least_rows);
    part = (part + BLOCK_ROWS - 1) / BLOCK_ROWS * BLOCK_ROWS;
    const std::int64_t parts = (job.rows + part - 1) / part;
    parallel_for(groups * parts, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
            const std::int64_t panel = task / parts * group, row = task % parts * part;
            multiply_rows(job, row, std::min(row + part, job.rows), panel, std::min(panel + group, panels));
        }
    });
}

template <class Weight>
void pack(const Weight* weight, std::int64_t outputs, std::int64_t inputs, Weight* panels) {
    const std::int64_t depth = padded(inputs);
    parallel_for((outputs + PANEL - 1) / PANEL, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t panel = begin; panel < end; ++panel)
            for (std::int64_t i = 0; i < depth; ++i)
                for (std::int64_t j = 0; j < PANEL; ++j) {
                    const std::int64_t output = panel * PANEL + j;
                    const bool inside = output < outputs && i < inputs;
                    panels[panel * depth * PANEL + (i / 2 * PANEL + j) * 2 + i % 2] =
                        inside ? weight[output * inputs + i] : Weight{0};
                }
    });
}

// The greatest Σ|w| of a channel over any slice.
template <class Weight>
std::int64_t greatest_slice(const Weight* weight, std::int64_t outputs, std::int64_t inputs, std::int64_t slice) {
    std::int64_t greatest = 0;
    for (std::int64_t j = 0; j < outputs; ++j)
        for (std::int64_t start = 0; start < inputs; start += slice) {
            std::int64_t sum = 0;
            const std::int64_t stop = std::min(inputs, start + slice);
            const Weight* channel = weight + j * inputs;
            for (std::int64_t i = start; i < stop; ++i) sum += std::abs(std::int32_t{channel[i]});
            greatest = std::max(greatest, sum);
        }
    return greatest;
}

}  // namespace
}  // namespace proofmill

using namespace proofmill;

PROOFMILL_EXPORT std::int64_t proofmill_panel_columns() { return PANEL; }

PROOFMILL_EXPORT std::int64_t proofmill_padded_inputs(std::int64_t inputs) { return padded(inputs); }

// The longest slice (a multiple of 4) over which no 32-bit sum of 8-bit weights can overflow.
PROOFMILL_EXPORT std::int64_t proofmill_narrow_slice(const std::int8_t* weight, std::int64_t outputs,
                                                     std::int64_t inputs) {
    for (std::int64_t slices = 1;; ++slices) {
        const std::int64_t slice = padded((inputs + slices - 1) / slices);
        if (slice <= NARROW_SLICE) return slice;
        if (greatest_slice(weight, outputs, inputs, slice) <= (SUM_LIMIT >> OPERAND_BITS)) return slice;
    }
}

PROOFMILL_EXPORT std::int64_t proofmill_wide_slice() { return WIDE_SLICE; }

PROOFMILL_EXPORT void proofmill_pack_narrow(const std::int8_t* weight, std::int64_t outputs, std::int64_t inputs,
                                            std::int8_t* panels) {
    pack(weight, outputs, inputs, panels);
}

PROOFMILL_EXPORT void proofmill_pack_wide(const std::int16_t* weight, std::int64_t outputs, std::int64_t inputs,
                                          std::int16_t* panels) {
    pack(weight, outputs, inputs, panels);
}

// q [rows, K] with one exponent per row; residual [rows, N] or null; y [rows, N]. `workspace` holds the operands again
// where they need another form: proofmill_linear_workspace bytes.
PROOFMILL_EXPORT std::int64_t proofmill_linear_workspace(const Weights* weights, std::int64_t rows) {
    const std::int64_t depth = padded(weights->inputs);
    const std::int64_t copy = depth != weights->inputs ? rows * depth * 2 : 0;
    const bool bytes = PROOFMILL_BYTE_PRODUCTS && weights->wide && rows > SMALL;
    return copy + (bytes ? rows * depth : 0);
}

PROOFMILL_EXPORT void proofmill_linear(const std::int16_t* q, const std::uint8_t* exponents, std::int64_t rows,
                                       const Weights* weights, const std::int32_t* residual, std::int32_t* y,
                                       std::uint8_t* workspace) {
    const std::int64_t depth = padded(weights->inputs);
    if (depth != weights->inputs) {  // blocks read pairs and quads: rows must end on a multiple of 4
        auto* copy = reinterpret_cast<std::int16_t*>(workspace);
        workspace += rows * depth * 2;
        for (std::int64_t r = 0; r < rows; ++r) {
            std::copy(q + r * weights->inputs, q + (r + 1) * weights->inputs, copy + r * depth);
            std::fill(copy + r * depth + weights->inputs, copy + (r + 1) * depth, std::int16_t{0});
        }
        q = copy;
    }
#if PROOFMILL_BYTE_PRODUCTS
    if (weights->wide && rows > SMALL)
        parallel_for(rows, 64, [&](std::int64_t begin, std::int64_t end) {
            make_upper(q + begin * depth, (end - begin) * depth, workspace + begin * depth);
        });
#endif
    multiply({q, exponents, workspace, depth, rows, weights, residual, y});
}
