// Operators that work row by row: each makes a row of 32-bit activations, which is kept, quantised, or both, while it
// is in the first-level cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "integers.h"
#include "parallel.h"
#include "scratch.h"

namespace proofmill {

// What a caller wants of each row (class RowForm in library.py has the same fields); null where it is not wanted.
struct Form {
    std::int32_t* values;     // [rows, width]
    std::int16_t* operand;    // [rows, width]
    std::uint8_t* exponents;  // [rows, width / group]
    std::int64_t group;
};

// quantise of one group: k = max(0, bits(max |x|) - 14), q = rsh(x, k).
inline std::uint8_t quantise_group(const std::int32_t* __restrict x, std::int64_t count,
                                   std::int16_t* __restrict q) {
    // The union of the magnitudes' bits is as long as the greatest magnitude.
    std::uint32_t bits = 0;
    for (std::int64_t i = 0; i < count; ++i) bits |= static_cast<std::uint32_t>(x[i] < 0 ? -x[i] : x[i]);
    const int k = std::max(0, bit_length(bits) - OPERAND_BITS);
    if (k == 0) {
        for (std::int64_t i = 0; i < count; ++i) q[i] = static_cast<std::int16_t>(x[i]);
    } else {
        for (std::int64_t i = 0; i < count; ++i) q[i] = static_cast<std::int16_t>(rounding_shift_narrow(x[i], k));
    }
    return static_cast<std::uint8_t>(k);
}

inline void quantise_row(const std::int32_t* x, std::int64_t row, std::int64_t width, const Form& form) {
    const std::int64_t groups = width / form.group;
    for (std::int64_t g = 0; g < groups; ++g)
        form.exponents[row * groups + g] =
            quantise_group(x + g * form.group, form.group, form.operand + row * width + g * form.group);
}

// Rows that give every thread some thousand elements of work at a time.
inline std::int64_t row_grain(std::int64_t width) { return std::max<std::int64_t>(1, 8192 / width); }

// Calls make(row, y) for every row, y being where its `width` activations belong.
template <class Make>
void for_rows(std::int64_t rows, std::int64_t width, const Form& form, Make&& make) {
    parallel_for(rows, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
        thread_local Scratch<std::int32_t> scratch;
        std::int32_t* spare = form.values == nullptr ? scratch.get(width) : nullptr;
        for (std::int64_t row = begin; row < end; ++row) {
            std::int32_t* y = spare != nullptr ? spare : form.values + row * width;
            make(row, y);
            if (form.operand != nullptr) quantise_row(y, row, width, form);
        }
    });
}

}  // namespace proofmill
