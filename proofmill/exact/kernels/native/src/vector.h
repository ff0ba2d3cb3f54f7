// The few vector instructions that matrix products need, on whatever this file is compiled for.
//
// A vector holds LANES 32-bit numbers. `Pairs` is the same register read as LANES pairs of 16-bit numbers, `Quads`
// as LANES groups of four bytes. All arithmetic is modulo 2^32 (no instruction here saturates, in particular not
// vpmaddubsw), so a sum is exact whenever its true value fits 32 bits, whatever its partial sums did.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512BW__) || defined(__AVX2__) || defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace proofmill {

#if defined(__AVX512BW__)

constexpr int LANES = 16;
using Vector = __m512i;

inline Vector zero() { return _mm512_setzero_si512(); }
inline void store(std::int32_t* to, Vector x) { _mm512_storeu_si512(to, x); }
inline Vector load_pairs(const std::int16_t* from) { return _mm512_loadu_si512(from); }
inline Vector load_pairs(const std::int8_t* from) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline Vector broadcast(std::int32_t x) { return _mm512_set1_epi32(x); }
inline Vector high_digits(Vector pairs) {
    return _mm512_srai_epi16(_mm512_add_epi16(pairs, _mm512_set1_epi16(128)), 8);
}
inline Vector low_digits(Vector pairs) { return _mm512_srai_epi16(_mm512_slli_epi16(pairs, 8), 8); }
#if defined(__AVX512VNNI__)
inline Vector add_products(Vector sum, Vector a, Vector b) { return _mm512_dpwssd_epi32(sum, a, b); }
#else
inline Vector add_products(Vector sum, Vector a, Vector b) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}
#endif

#elif defined(__AVX2__)

constexpr int LANES = 8;
using Vector = __m256i;

inline Vector zero() { return _mm256_setzero_si256(); }
inline void store(std::int32_t* to, Vector x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x); }
inline Vector load_pairs(const std::int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline Vector load_pairs(const std::int8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline Vector broadcast(std::int32_t x) { return _mm256_set1_epi32(x); }
inline Vector high_digits(Vector pairs) {
    return _mm256_srai_epi16(_mm256_add_epi16(pairs, _mm256_set1_epi16(128)), 8);
}
inline Vector low_digits(Vector pairs) { return _mm256_srai_epi16(_mm256_slli_epi16(pairs, 8), 8); }
#if defined(__AVXVNNI__)
inline Vector add_products(Vector sum, Vector a, Vector b) { return _mm256_dpwssd_avx_epi32(sum, a, b); }
#else
inline Vector add_products(Vector sum, Vector a, Vector b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#endif

#elif defined(__SSE4_1__)

constexpr int LANES = 4;
using Vector = __m128i;

inline Vector zero() { return _mm_setzero_si128(); }
inline void store(std::int32_t* to, Vector x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x); }
inline Vector load_pairs(const std::int16_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline Vector load_pairs(const std::int8_t* from) {
    return _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
inline Vector broadcast(std::int32_t x) { return _mm_set1_epi32(x); }
inline Vector high_digits(Vector pairs) { return _mm_srai_epi16(_mm_add_epi16(pairs, _mm_set1_epi16(128)), 8); }
inline Vector low_digits(Vector pairs) { return _mm_srai_epi16(_mm_slli_epi16(pairs, 8), 8); }
inline Vector add_products(Vector sum, Vector a, Vector b) { return _mm_add_epi32(sum, _mm_madd_epi16(a, b)); }

#else  // any processor: the compiler's own vectors; both halves of a pair are kept in one 32-bit lane

constexpr int LANES = 4;
typedef std::int32_t Vector __attribute__((vector_size(16)));
typedef std::int16_t Halves __attribute__((vector_size(16)));
typedef std::int8_t Bytes __attribute__((vector_size(8)));

inline Vector zero() { return Vector{}; }
inline void store(std::int32_t* to, Vector x) { std::memcpy(to, &x, sizeof x); }
inline Vector load_pairs(const std::int16_t* from) {
    Vector x;
    std::memcpy(&x, from, sizeof x);
    return x;
}
inline Vector load_pairs(const std::int8_t* from) {
    Bytes x;
    std::memcpy(&x, from, sizeof x);
    return (Vector)__builtin_convertvector(x, Halves);
}
inline Vector broadcast(std::int32_t x) { return Vector{x, x, x, x}; }
inline Vector high_digits(Vector pairs) { return (Vector)(((Halves)pairs + 128) >> 8); }
inline Vector low_digits(Vector pairs) { return (Vector)(((Halves)pairs << 8) >> 8); }
inline Vector add_products(Vector sum, Vector a, Vector b) {
    return sum + ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
}

#endif

#if defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define PROOFMILL_BYTE_PRODUCTS 1
// Lane by lane: sum + Σ of four products of an unsigned byte of `a` with a signed byte of `b`, not saturated.
inline Vector add_byte_products(Vector sum, Vector a, Vector b) { return _mm512_dpbusd_epi32(sum, a, b); }
inline Vector load_quads(const std::int8_t* from) { return _mm512_loadu_si512(from); }
#else
#define PROOFMILL_BYTE_PRODUCTS 0
#endif

// Registers of a block of a product: sums of ROWS x VECTORS vectors, VECTORS of weights, one broadcast operand.
#if defined(__AVX512BW__)
constexpr int BLOCK_ROWS = 8, BLOCK_VECTORS = 3;    // of 32 registers
constexpr int DIGIT_ROWS = 6, DIGIT_VECTORS = 2;    // two sums for every product: one per digit
#elif defined(__AVX2__) || defined(__SSE4_1__)
constexpr int BLOCK_ROWS = 5, BLOCK_VECTORS = 2;    // of 16 registers, one for the product before it is added
constexpr int DIGIT_ROWS = 4, DIGIT_VECTORS = 1;
#else
constexpr int BLOCK_ROWS = 4, BLOCK_VECTORS = 2;
constexpr int DIGIT_ROWS = 4, DIGIT_VECTORS = 1;
#endif

inline Vector broadcast_word(const void* from) {
    std::int32_t word;
    std::memcpy(&word, from, sizeof word);
    return broadcast(word);
}

}  // namespace proofmill
