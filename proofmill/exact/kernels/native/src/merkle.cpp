// Keccak-256 of many messages of one length at once: the leaves and nodes of Merkle trees.
//
// Keccak-f[1600] (FIPS 202, with the original padding 0x01 that the EVM uses) works on 25 words of 64 bits and has no
// carries, so one vector register holds the same word of several messages and every step is a plain vector operation.
#include <cstdint>
#include <cstring>
#include <utility>

#include "export.h"
#include "parallel.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

constexpr int WORDS = 25;
constexpr int ROUNDS = 24;
constexpr int RATE_WORDS = 17;
constexpr std::int64_t RATE_BYTES = 8 * RATE_WORDS;
constexpr int DIGEST_WORDS = 4;
constexpr std::int64_t DIGEST_BYTES = 8 * DIGEST_WORDS;
constexpr std::uint64_t LAST_BIT = 0x8000000000000000;

// `Word` holds one 64-bit word of LANES messages.
#if defined(__AVX512F__)

constexpr int LANES = 8;
using Word = __m512i;

template <int bits>
inline Word rotate(Word x) {
    return _mm512_rol_epi64(x, bits);
}
inline Word exclusive_or(Word a, Word b, Word c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
inline Word chi(Word a, Word b, Word c) { return _mm512_ternarylogic_epi64(a, b, c, 0xD2); }

#else

#if defined(__AVX2__)
constexpr int LANES = 4;
#else
constexpr int LANES = 2;
#endif
using Word = std::uint64_t __attribute__((vector_size(8 * LANES)));

template <int bits>
inline Word rotate(Word x) {
    return (x << bits) | (x >> (64 - bits));
}
template <>
inline Word rotate<0>(Word x) {
    return x;
}
inline Word exclusive_or(Word a, Word b, Word c) { return a ^ b ^ c; }
inline Word chi(Word a, Word b, Word c) { return a ^ (~b & c); }

#endif

constexpr std::uint64_t ROUND_CONSTANTS[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

inline Word broadcast(std::uint64_t x) {
    std::uint64_t words[LANES];
    for (int lane = 0; lane < LANES; ++lane) words[lane] = x;
    Word result;
    std::memcpy(&result, words, sizeof result);
    return result;
}

inline Word gather(const unsigned char* const* messages, std::int64_t offset) {
    std::uint64_t words[LANES];
    for (int lane = 0; lane < LANES; ++lane) std::memcpy(&words[lane], messages[lane] + offset, 8);
    Word result;
    std::memcpy(&result, words, sizeof result);
    return result;
}

// Word i after rho and pi is word SOURCE[i] before, turned by OFFSET[i] bits.
constexpr int SOURCE[WORDS] = {0, 6, 12, 18, 24, 3, 9,  10, 16, 22, 1,  7, 13,
                               19, 20, 4, 5, 11, 17, 23, 2, 8, 14, 15, 21};
constexpr int OFFSET[WORDS] = {0, 44, 43, 21, 14, 28, 20, 3,  45, 61, 1,  6,  25,
                               8, 18, 27, 36, 10, 15, 56, 62, 55, 39, 41, 2};

// Words are never moved: a round leaves its results where its inputs were, and the next finds word i at place[i].
// After all 24 rounds every word is at home again, because pi has order 24.
struct Places {
    int place[ROUNDS + 1][WORDS];
};
constexpr Places find_places() {
    Places found{};
    for (int i = 0; i < WORDS; ++i) found.place[0][i] = i;
    for (int round = 0; round < ROUNDS; ++round)
        for (int i = 0; i < WORDS; ++i) found.place[round + 1][i] = found.place[round][SOURCE[i]];
    return found;
}
constexpr Places PLACES = find_places();
static_assert(PLACES.place[ROUNDS][1] == 1 && PLACES.place[ROUNDS][24] == 24, "words must end where they began");

template <int round, int x>
inline __attribute__((always_inline)) Word sum_column(const Word (&s)[WORDS]) {
    constexpr auto& at = PLACES.place[round];
    return exclusive_or(exclusive_or(s[at[x]], s[at[x + 5]], s[at[x + 10]]), s[at[x + 15]], s[at[x + 20]]);
}

template <int round, int x>
inline __attribute__((always_inline)) void add_columns(Word (&s)[WORDS], Word left, Word right) {
    constexpr auto& at = PLACES.place[round];
    right = rotate<1>(right);
    s[at[x]] = exclusive_or(s[at[x]], left, right);
    s[at[x + 5]] = exclusive_or(s[at[x + 5]], left, right);
    s[at[x + 10]] = exclusive_or(s[at[x + 10]], left, right);
    s[at[x + 15]] = exclusive_or(s[at[x + 15]], left, right);
    s[at[x + 20]] = exclusive_or(s[at[x + 20]], left, right);
}

// Row y of rho, pi and chi.
template <int round, int y>
inline __attribute__((always_inline)) void mix_row(Word (&s)[WORDS]) {
    constexpr auto& at = PLACES.place[round + 1];
    const Word a = rotate<OFFSET[5 * y]>(s[at[5 * y]]), b = rotate<OFFSET[5 * y + 1]>(s[at[5 * y + 1]]);
    const Word c = rotate<OFFSET[5 * y + 2]>(s[at[5 * y + 2]]), d = rotate<OFFSET[5 * y + 3]>(s[at[5 * y + 3]]);
    const Word e = rotate<OFFSET[5 * y + 4]>(s[at[5 * y + 4]]);
    s[at[5 * y]] = chi(a, b, c);
    s[at[5 * y + 1]] = chi(b, c, d);
    s[at[5 * y + 2]] = chi(c, d, e);
    s[at[5 * y + 3]] = chi(d, e, a);
    s[at[5 * y + 4]] = chi(e, a, b);
}

template <int round>
inline __attribute__((always_inline)) void do_round(Word (&s)[WORDS]) {
    const Word c0 = sum_column<round, 0>(s), c1 = sum_column<round, 1>(s), c2 = sum_column<round, 2>(s);
    const Word c3 = sum_column<round, 3>(s), c4 = sum_column<round, 4>(s);
    add_columns<round, 0>(s, c4, c1);
    add_columns<round, 1>(s, c0, c2);
    add_columns<round, 2>(s, c1, c3);
    add_columns<round, 3>(s, c2, c4);
    add_columns<round, 4>(s, c3, c0);
    mix_row<round, 0>(s);
    mix_row<round, 1>(s);
    mix_row<round, 2>(s);
    mix_row<round, 3>(s);
    mix_row<round, 4>(s);
    s[PLACES.place[round + 1][0]] ^= broadcast(ROUND_CONSTANTS[round]);
}

template <int... rounds>
inline __attribute__((always_inline)) void do_rounds(Word (&s)[WORDS], std::integer_sequence<int, rounds...>) {
    (do_round<rounds>(s), ...);
}

// Not inlined: 24 rounds are long, and inside they keep the whole state in registers where there are 32.
__attribute__((noinline)) void permute(Word* state) {
    Word s[WORDS];
    for (int i = 0; i < WORDS; ++i) s[i] = state[i];
    do_rounds(s, std::make_integer_sequence<int, ROUNDS>{});
    for (int i = 0; i < WORDS; ++i) state[i] = s[i];
}

// Digests of LANES messages of `length` bytes; `twice` hashes each digest again.
void hash_lanes(const unsigned char* const* messages, std::int64_t length, bool twice, unsigned char* digests) {
    Word state[WORDS];
    const Word nothing = broadcast(0);
    for (Word& word : state) word = nothing;
    std::int64_t offset = 0;
    for (; offset + RATE_BYTES <= length; offset += RATE_BYTES) {
        for (int i = 0; i < RATE_WORDS; ++i) state[i] ^= gather(messages, offset + 8 * i);
        permute(state);
    }
    unsigned char last[LANES][RATE_BYTES] = {};
    const unsigned char* lasts[LANES];
    for (int lane = 0; lane < LANES; ++lane) {
        std::memcpy(last[lane], messages[lane] + offset, static_cast<std::size_t>(length - offset));
        last[lane][length - offset] ^= 0x01;
        last[lane][RATE_BYTES - 1] ^= 0x80;
        lasts[lane] = last[lane];
    }
    for (int i = 0; i < RATE_WORDS; ++i) state[i] ^= gather(lasts, 8 * i);
    permute(state);
    if (twice) {
        for (int i = DIGEST_WORDS; i < WORDS; ++i) state[i] = nothing;
        state[DIGEST_WORDS] = broadcast(0x01);
        state[RATE_WORDS - 1] = broadcast(LAST_BIT);
        permute(state);
    }
    for (int i = 0; i < DIGEST_WORDS; ++i) {
        std::uint64_t words[LANES];
        std::memcpy(words, &state[i], sizeof words);
        for (int lane = 0; lane < LANES; ++lane)
            std::memcpy(digests + DIGEST_BYTES * lane + 8 * i, &words[lane], 8);
    }
}

}  // namespace

// Keccak-256 of groups · members messages of `length` bytes: message (g, m) starts at data + g · group_stride +
// m · member_stride and its digest goes to digests + 32 · (g · members + m). `twice` hashes each digest once more.
// 64-bit words are read in the machine's order, so the library is for little-endian machines only.
PROOFMILL_EXPORT void proofmill_keccak256(const unsigned char* data, std::int64_t groups, std::int64_t group_stride,
                                          std::int64_t members, std::int64_t member_stride, std::int64_t length,
                                          int twice, unsigned char* digests) {
    const std::int64_t count = groups * members;
    const std::int64_t batches = (count + LANES - 1) / LANES;
    const std::int64_t grain = 1 + (1 << 15) / (LANES * (length + RATE_BYTES));
    proofmill::parallel_for(batches, grain, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t batch = begin; batch < end; ++batch) {
            const std::int64_t first = batch * LANES;
            const unsigned char* messages[LANES];
            for (std::int64_t lane = 0; lane < LANES; ++lane) {
                const std::int64_t i = first + lane < count ? first + lane : first;
                messages[lane] = data + (i / members) * group_stride + (i % members) * member_stride;
            }
            if (first + LANES <= count) {
                hash_lanes(messages, length, twice != 0, digests + DIGEST_BYTES * first);
            } else {
                unsigned char spare[LANES * DIGEST_BYTES];
                hash_lanes(messages, length, twice != 0, spare);
                std::memcpy(digests + DIGEST_BYTES * first, spare, static_cast<std::size_t>(DIGEST_BYTES * (count - first)));
            }
        }
    });
}
