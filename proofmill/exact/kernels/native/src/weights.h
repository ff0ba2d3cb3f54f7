// A linear operator's constants as Python hands them over (class LinearWeights in library.py has the same fields).
#pragma once

#include <cstdint>

namespace proofmill {

struct Weights {
    const void* panels;     // 8-bit, or 16-bit if `wide`: [ceil(outputs / PANEL)][padded / 2][PANEL][2], zero padded
    const double* scale;    // c_j · 2^-shift, zero padded to whole panels
    const double* offset;   // b_j + 1/2, zero padded to whole panels
    std::int64_t outputs;   // N
    std::int64_t inputs;    // K
    std::int64_t slice;     // inputs whose products fit 32-bit sums, a multiple of 4 (see slice_inputs)
    std::int32_t wide;      // weights of two digits
};

}  // namespace proofmill
