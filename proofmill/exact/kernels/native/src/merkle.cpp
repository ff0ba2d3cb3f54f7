// Keccak-256 of many messages of one length at once: the leaves and nodes of Merkle trees.
//
// Keccak-f[1600] (FIPS 202, with the original padding 0x01 that the EVM uses) works on 25 words of 64 bits and has no
// carries, so one vector register holds the same word of several messages and every step is a plain vector operation.
#include <cstdint>
#include <cstring>

#include "export.h"
#include "parallel.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

constexpr int WORDS = 25;
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

constexpr std::uint64_t ROUND_CONSTANTS[24] = {
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

// One row of chi, with rho and pi before it: words `a` to `e` of the state after theta, turned by their offsets.
template <int ra, int rb, int rc, int rd, int re>
inline void turn_row(Word* row, Word a, Word b, Word c, Word d, Word e) {
    a = rotate<ra>(a);
    b = rotate<rb>(b);
    c = rotate<rc>(c);
    d = rotate<rd>(d);
    e = rotate<re>(e);
    row[0] = chi(a, b, c);
    row[1] = chi(b, c, d);
    row[2] = chi(c, d, e);
    row[3] = chi(d, e, a);
    row[4] = chi(e, a, b);
}

inline void permute(Word* state) {
    for (std::uint64_t constant : ROUND_CONSTANTS) {
        Word column[5], next[WORDS];
        for (int x = 0; x < 5; ++x)
            column[x] = exclusive_or(exclusive_or(state[x], state[x + 5], state[x + 10]), state[x + 15], state[x + 20]);
        for (int x = 0; x < 5; ++x) {
            const Word left = column[(x + 4) % 5], right = rotate<1>(column[(x + 1) % 5]);
            for (int y = 0; y < WORDS; y += 5) state[x + y] = exclusive_or(state[x + y], left, right);
        }
        const Word* s = state;
        turn_row<0, 44, 43, 21, 14>(next, s[0], s[6], s[12], s[18], s[24]);
        turn_row<28, 20, 3, 45, 61>(next + 5, s[3], s[9], s[10], s[16], s[22]);
        turn_row<1, 6, 25, 8, 18>(next + 10, s[1], s[7], s[13], s[19], s[20]);
        turn_row<27, 36, 10, 15, 56>(next + 15, s[4], s[5], s[11], s[17], s[23]);
        turn_row<62, 55, 39, 41, 2>(next + 20, s[2], s[8], s[14], s[15], s[21]);
        next[0] ^= broadcast(constant);
        for (int i = 0; i < WORDS; ++i) state[i] = next[i];
    }
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
