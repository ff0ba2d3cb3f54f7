// quantise: operands with one power of two for every group of columns.

#include "export.h"
#include "rows.h"

using namespace proofmill;

PROOFMILL_EXPORT void proofmill_quantise(const std::int32_t* x, std::int64_t rows, std::int64_t width,
                                         const Form* form) {
    parallel_for(rows, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) quantise_row(x + row * width, row, width, *form);
    });
}
