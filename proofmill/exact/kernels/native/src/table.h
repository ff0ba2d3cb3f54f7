// Tables of functions, read with linear interpolation, in blocks that vectorise: arguments to indices, one gather, then
// arithmetic.
//
// A table is a list of pairs (T[i], T[i + 1] - T[i]), so that one access finds both.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace proofmill {

constexpr int TABLE_BLOCK = 64;  // arguments looked up at once

// entries[j], steps[j] = the pair at index[j], for a whole block.
inline void look_up(const std::int32_t* __restrict table, const std::int32_t* __restrict index,
                    std::int32_t* __restrict entries, std::int32_t* __restrict steps) {
#if defined(__AVX512F__)
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    for (int j = 0; j < TABLE_BLOCK; j += 16) {
        const __m512i at = _mm512_loadu_si512(index + j);
        const __m512i low = _mm512_i32gather_epi64(_mm512_castsi512_si256(at), table, 8);
        const __m512i high = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at, 1), table, 8);
        _mm512_storeu_si512(entries + j, _mm512_permutex2var_epi32(low, even, high));
        _mm512_storeu_si512(steps + j, _mm512_permutex2var_epi32(low, odd, high));
    }
#else
    for (int j = 0; j < TABLE_BLOCK; ++j) {
        entries[j] = table[2 * index[j]];
        steps[j] = table[2 * index[j] + 1];
    }
#endif
}

// Applies f(block) to the blocks of [0, count): f(begin, length), length <= TABLE_BLOCK.
template <class Function>
inline void for_blocks(std::int64_t count, Function&& f) {
    std::int64_t begin = 0;
    for (; begin + TABLE_BLOCK <= count; begin += TABLE_BLOCK) f(begin, std::integral_constant<int, TABLE_BLOCK>{});
    if (begin < count) f(begin, static_cast<int>(count - begin));
}

}  // namespace proofmill
