// scores, softmax and mix of stacked sequences, a few query rows at a time: no matrix of scores is ever held.
//
//     z_j = sat(rsh(m·Σ_c q_c k_jc, 36 - κq - κk_j))                for the keys the row sees
//     e_j = p2(max z - z_j);  κ = max κv_j;  p_j = rsh(e_j, 10 + κ - κv_j) <= 2^14
//     S = Σ rsh(e_j, 10);  t = bits(S);  R = floor(2^(23 + t) / S)
//     o_c = sat(rsh(rsh(Σ_j p_j v_jc, t - 15)·R, 38 - κ))
//
// Two passes over a row's scores: the greatest first, then the weights. Keys and values are 16-bit numbers multiplied
// digit by digit (block.h): over at most 256 columns, or slices of 1008 tokens, each digit's sum fits 32 bits. Their
// combination 256·high + low is an integer below 2^53, and so is its product with m (checked in Python:
// m·head_size·2^28 <= 2^53) and rsh(a, t - 15)·R <= 2^52 + 2^24; with the half that rounding adds all stay below 2^53,
// so double precision computes them exactly.
//
// One task is a run of query rows of one sequence at all query heads that share a key head.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "block.h"
#include "export.h"
#include "rows.h"
#include "table.h"

namespace proofmill {
namespace {

constexpr int PANEL = DIGIT_VECTORS * LANES;
constexpr std::int64_t VALUE_SLICE = 1008;  // tokens: 2^14·128·1008 < 2^31
constexpr std::int64_t QUERY_ROWS = 96;     // of one task: enough to pay for arranging its keys and values
constexpr std::uint32_t VANISHING = 25 << 16;

// Classes Shape and AttentionSegment in library.py have the same fields.
struct Shape {
    const std::int32_t* powers;  // [256][2]: 2^-f over [0, 1]
    std::int64_t heads, key_heads, head_size, multiplier;
    std::int32_t causal;
};

struct Segment {
    std::int64_t start, rows, position;
    const std::int16_t* cache;  // rows of keys, then values, of all positions; or null
    const std::uint8_t* cache_exponents;
};

struct Input {
    const std::int16_t* q;  // [rows, (heads + 2 key_heads)·head_size]
    const std::uint8_t* exponents;
    Shape shape;
    std::int64_t width() const { return (shape.heads + 2 * shape.key_heads) * shape.head_size; }
    std::int64_t groups() const { return shape.heads + 2 * shape.key_heads; }
};

// Where a segment's keys (or values) of one key head lie.
struct Source {
    const std::int16_t* rows;
    const std::uint8_t* exponents;
    std::int64_t stride, exponent_stride;

    // Asks for a later token's numbers: one head's part of each row of a long cache is a walk the hardware does not
    // foresee.
    void prefetch(std::int64_t token, std::int64_t tokens, std::int64_t size) const {
        if (token + AHEAD >= tokens) return;
        const std::int16_t* row = rows + (token + AHEAD) * stride;
        for (std::int64_t c = 0; c < size; c += 32) __builtin_prefetch(row + c);
        __builtin_prefetch(exponents + (token + AHEAD) * exponent_stride);
    }

    static constexpr std::int64_t AHEAD = 24;
};

Source find(const Input& input, const Segment& segment, std::int64_t key_head, bool values) {
    const Shape& shape = input.shape;
    const std::int64_t group = key_head + (values ? shape.key_heads : 0);
    if (segment.cache != nullptr)
        return {segment.cache + group * shape.head_size, segment.cache_exponents + group,
                2 * shape.key_heads * shape.head_size, 2 * shape.key_heads};
    const std::int64_t at = shape.heads + group;
    return {input.q + segment.start * input.width() + at * shape.head_size,
            input.exponents + segment.start * input.groups() + at, input.width(), input.groups()};
}

// Keys and values of one key head, arranged for multiply_digits, and what else a row needs of them.
class Memory {
  public:
    void load(const Input& input, const Segment& segment, std::int64_t key_head, std::int64_t tokens) {
        load_keys(find(input, segment, key_head, false), input.shape.head_size, tokens);
        load_values(find(input, segment, key_head, true), input.shape.head_size, tokens);
    }

    std::int64_t key_pairs, value_panels, token_pairs;
    const std::int16_t* keys;               // [panels of tokens][head_size / 2][PANEL][2]
    const double* key_scales;               // 2^κk of each token
    const std::int16_t* values;             // [panels of columns][tokens / 2][PANEL][2]
    const std::int32_t* value_exponents;    // κv of each token
    const std::uint8_t* greatest_exponent;  // among the tokens up to each

  private:
    void load_keys(const Source& from, std::int64_t size, std::int64_t tokens) {
        const std::int64_t panels = (tokens + PANEL - 1) / PANEL;
        key_pairs = (size + 1) / 2;
        std::int16_t* to = keys_.get(panels * PANEL * key_pairs * 2);
        double* scales = key_scales_.get(panels * PANEL);
        for (std::int64_t j = 0; j < panels * PANEL; ++j) {
            std::int16_t* column = to + (j / PANEL * key_pairs * PANEL + j % PANEL) * 2;
            const bool inside = j < tokens;
            const std::int16_t* row = from.rows + j * from.stride;
            from.prefetch(j, tokens, size);
            for (std::int64_t i = 0; i < size / 2; ++i) {
                std::int32_t pair = 0;
                if (inside) std::memcpy(&pair, row + 2 * i, sizeof pair);
                std::memcpy(column + i * PANEL * 2, &pair, sizeof pair);
            }
            if (size % 2 != 0) {
                column[(key_pairs - 1) * PANEL * 2] = inside ? row[size - 1] : std::int16_t{0};
                column[(key_pairs - 1) * PANEL * 2 + 1] = 0;
            }
            scales[j] = inside ? power_of_two(from.exponents[j * from.exponent_stride]) : 0.0;
        }
        keys = to;
        key_scales = scales;
    }

    void load_values(const Source& from, std::int64_t size, std::int64_t tokens) {
        token_pairs = (tokens + 1) / 2;
        value_panels = (size + PANEL - 1) / PANEL;
        std::int16_t* to = values_.get(value_panels * token_pairs * PANEL * 2);
        std::int32_t* exponents = value_exponents_.get(tokens);
        std::uint8_t* greatest = greatest_.get(tokens);
        for (std::int64_t panel = 0; panel < value_panels; ++panel) {
            const std::int64_t columns = std::min<std::int64_t>(PANEL, size - panel * PANEL);
            for (std::int64_t j = 0; j < token_pairs; ++j) {
                std::int16_t* __restrict pairs = to + (panel * token_pairs + j) * PANEL * 2;
                const std::int16_t* first = from.rows + 2 * j * from.stride + panel * PANEL;
                const std::int16_t* second = 2 * j + 1 < tokens ? first + from.stride : nullptr;
                if (panel == 0) {
                    from.prefetch(2 * j, tokens, size);
                    from.prefetch(2 * j + 1, tokens, size);
                }
                if (columns != PANEL || second == nullptr) std::fill(pairs, pairs + PANEL * 2, std::int16_t{0});
                if (columns == PANEL && second != nullptr)
                    interleave(first, second, pairs);
                else
                    for (std::int64_t c = 0; c < columns; ++c) {
                        pairs[2 * c] = first[c];
                        if (second != nullptr) pairs[2 * c + 1] = second[c];
                    }
            }
        }
        std::uint8_t most = 0;
        for (std::int64_t j = 0; j < tokens; ++j) {
            const std::uint8_t exponent = from.exponents[j * from.exponent_stride];
            most = std::max(most, exponent);
            exponents[j] = exponent;
            greatest[j] = most;
        }
        values = to;
        value_exponents = exponents;
        greatest_exponent = greatest;
    }

    static void interleave(const std::int16_t* __restrict first, const std::int16_t* __restrict second,
                           std::int16_t* __restrict pairs) {
        for (int c = 0; c < PANEL; ++c) {
            pairs[2 * c] = first[c];
            pairs[2 * c + 1] = second[c];
        }
    }

    Scratch<std::int16_t> keys_, values_;
    Scratch<double> key_scales_;
    Scratch<std::int32_t> value_exponents_;
    Scratch<std::uint8_t> greatest_;
};

// Up to DIGIT_ROWS queries: of neighbouring rows at one head, or of one row at neighbouring heads.
struct Queries {
    const std::int16_t* q;
    std::int64_t stride;
    int count;
    std::uint8_t exponent[DIGIT_ROWS];
    std::int64_t seen[DIGIT_ROWS];  // keys each sees
    std::int32_t* y[DIGIT_ROWS];
};

inline std::int32_t saturated(double value) {
    const double low = value < -SATURATION ? -SATURATION : value;
    return static_cast<std::int32_t>(low > SATURATION ? SATURATION : low);
}

inline void score_row(const std::int32_t* __restrict high, const std::int32_t* __restrict low,
                      const double* __restrict key_scales, double scale, std::int32_t* __restrict z) {
    for (int j = 0; j < PANEL; ++j)
        z[j] = saturated(std::floor((256.0 * high[j] + low[j]) * scale * key_scales[j] + 0.5));
}

inline std::int32_t greatest_of(const std::int32_t* z, std::int64_t count) {
    std::int32_t greatest = z[0];
    for (std::int64_t j = 0; j < count; ++j) greatest = z[j] > greatest ? z[j] : greatest;
    return greatest;
}

// p of `length` <= TABLE_BLOCK keys; gives the sum of rsh(e, 10), at most 64·2^14.
template <class Length>
inline std::int32_t weigh_block(const std::int32_t* __restrict z, Length length, std::int32_t greatest,
                                const std::int32_t* __restrict value_exponents, std::int32_t greatest_exponent,
                                const std::int32_t* powers, std::int16_t* __restrict p) {
    alignas(64) std::int32_t index[TABLE_BLOCK] = {}, distance[TABLE_BLOCK];
    alignas(64) std::int32_t entries[TABLE_BLOCK], steps[TABLE_BLOCK];
    for (int j = 0; j < length; ++j) {
        // At most 2^32 - 2, so the difference of 32-bit numbers is right when read as unsigned.
        const std::uint32_t d = static_cast<std::uint32_t>(greatest) - static_cast<std::uint32_t>(z[j]);
        distance[j] = static_cast<std::int32_t>(d > VANISHING ? VANISHING : d);
        index[j] = (distance[j] >> 8) & 255;
    }
    look_up(powers, index, entries, steps);
    std::int32_t sum = 0;
    for (int j = 0; j < length; ++j) {
        const std::int32_t d = distance[j];
        const std::int32_t e = (entries[j] + ((steps[j] * (d & 255) + 128) >> 8)) >> (d >> 16);  // |step·r| < 2^24
        sum += (e + 512) >> 10;
        p[j] = static_cast<std::int16_t>(((e >> (9 + greatest_exponent - value_exponents[j])) + 1) >> 1);
    }
    return sum;
}

// Weights of one row; gives S.
std::int64_t weigh_row(const std::int32_t* z, std::int64_t seen, const std::int32_t* value_exponents,
                       std::int32_t greatest_exponent, const std::int32_t* powers, std::int16_t* p) {
    const std::int32_t greatest = greatest_of(z, seen);
    std::int64_t sum = 0;
    for_blocks(seen, [&](std::int64_t j, auto length) {
        sum += weigh_block(z + j, length, greatest, value_exponents + j, greatest_exponent, powers, p + j);
    });
    return sum;
}

struct Workspace {
    Memory memory;
    Scratch<std::int32_t> scores;
    Scratch<std::int16_t> weights;
    Scratch<double> totals;
};

void attend(const Shape& shape, const Queries& queries, Workspace& work) {
    const Memory& memory = work.memory;
    const int count = queries.count;
    const std::int64_t tokens = *std::max_element(queries.seen, queries.seen + count);
    const std::int64_t panels = (tokens + PANEL - 1) / PANEL;
    const std::int64_t stride = panels * PANEL;
    std::int32_t* scores = work.scores.get(DIGIT_ROWS * stride);
    std::int16_t* weights = work.weights.get(DIGIT_ROWS * stride);
    alignas(64) std::int32_t high[DIGIT_ROWS * PANEL], low[DIGIT_ROWS * PANEL];
    for (std::int64_t panel = 0; panel < panels; ++panel) {
        with_rows<DIGIT_ROWS>(count, [&](auto n) {
            multiply_digits<n(), DIGIT_VECTORS>(queries.q, queries.stride,
                                                memory.keys + panel * memory.key_pairs * PANEL * 2, DIGIT_VECTORS,
                                                memory.key_pairs, high, low);
        });
        for (int r = 0; r < count; ++r) {
            const double scale = static_cast<double>(shape.multiplier) * power_of_two(queries.exponent[r] - 36);
            score_row(high + r * PANEL, low + r * PANEL, memory.key_scales + panel * PANEL, scale,
                      scores + r * stride + panel * PANEL);
        }
    }
    std::int64_t sums[DIGIT_ROWS];
    const std::int64_t pairs = (tokens + 1) / 2;
    for (int r = 0; r < count; ++r) {
        const std::int64_t seen = queries.seen[r];
        std::int16_t* p = weights + r * stride;
        sums[r] = weigh_row(scores + r * stride, seen, memory.value_exponents, memory.greatest_exponent[seen - 1],
                            shape.powers, p);
        std::fill(p + seen, p + 2 * pairs, std::int16_t{0});
    }
    for (std::int64_t panel = 0; panel < memory.value_panels; ++panel) {
        alignas(64) double totals[DIGIT_ROWS * PANEL] = {};
        const std::int16_t* values = memory.values + panel * memory.token_pairs * PANEL * 2;
        for (std::int64_t start = 0; start < pairs; start += VALUE_SLICE / 2) {
            const std::int64_t part = std::min(VALUE_SLICE / 2, pairs - start);
            with_rows<DIGIT_ROWS>(count, [&](auto n) {
                multiply_digits<n(), DIGIT_VECTORS>(weights + 2 * start, stride, values + start * PANEL * 2,
                                                    DIGIT_VECTORS, part, high, low);
            });
            for (int i = 0; i < count * PANEL; ++i) totals[i] += 256.0 * high[i] + low[i];
        }
        const std::int64_t columns = std::min<std::int64_t>(PANEL, shape.head_size - panel * PANEL);
        for (int r = 0; r < count; ++r) {
            const int t = bit_length(static_cast<std::uint64_t>(sums[r]));
            const std::int64_t reciprocal = (std::int64_t{1} << (23 + t)) / sums[r];
            const double narrow = power_of_two(15 - t);
            const double scale = static_cast<double>(reciprocal) *
                                 power_of_two(memory.greatest_exponent[queries.seen[r] - 1] - 38);
            std::int32_t* y = queries.y[r] + panel * PANEL;
            for (std::int64_t c = 0; c < columns; ++c)
                y[c] = saturated(std::floor(std::floor(totals[r * PANEL + c] * narrow + 0.5) * scale + 0.5));
        }
    }
}

struct Task {
    std::int64_t segment, row, rows;
};

void run(const Input& input, const Segment& segment, const Task& task, std::int64_t key_head, std::int32_t* y,
         Workspace& work) {
    const Shape& shape = input.shape;
    const std::int64_t shared = shape.heads / shape.key_heads, first_head = key_head * shared;
    const std::int64_t whole = segment.position + segment.rows;
    const std::int64_t last = segment.position + task.row + task.rows;
    work.memory.load(input, segment, key_head, shape.causal ? last : whole);
    const auto add = [&](Queries& queries, std::int64_t row, std::int64_t head) {
        const std::int64_t at = segment.start + row;
        const int i = queries.count++;
        if (i == 0) queries.q = input.q + at * input.width() + head * shape.head_size;
        queries.exponent[i] = input.exponents[at * input.groups() + head];
        queries.seen[i] = shape.causal ? segment.position + row + 1 : whole;
        queries.y[i] = y + (at * shape.heads + head) * shape.head_size;
    };
    const bool by_heads = task.rows < shared && task.rows < DIGIT_ROWS;
    const std::int64_t lines = by_heads ? task.rows : shared, length = by_heads ? shared : task.rows;
    for (std::int64_t line = 0; line < lines; ++line)
        for (std::int64_t i = 0; i < length; i += DIGIT_ROWS) {
            Queries queries{nullptr, by_heads ? shape.head_size : input.width(), 0, {}, {}, {}};
            for (std::int64_t j = i; j < std::min<std::int64_t>(i + DIGIT_ROWS, length); ++j)
                by_heads ? add(queries, task.row + line, first_head + j)
                         : add(queries, task.row + j, first_head + line);
            attend(shape, queries, work);
        }
}

}  // namespace
}  // namespace proofmill

using namespace proofmill;

// y [rows, heads·head_size] at the rows of each segment.
PROOFMILL_EXPORT void proofmill_attention(const std::int16_t* q, const std::uint8_t* exponents, const Shape* shape,
                                          const Segment* segments, std::int64_t segment_count, std::int32_t* y) {
    const Input input{q, exponents, *shape};
    std::vector<Task> tasks;
    for (std::int64_t s = 0; s < segment_count; ++s)
        for (std::int64_t row = 0; row < segments[s].rows; row += QUERY_ROWS)
            tasks.push_back({s, row, std::min(QUERY_ROWS, segments[s].rows - row)});
    parallel_for(static_cast<std::int64_t>(tasks.size()) * shape->key_heads, 1,
                 [&](std::int64_t begin, std::int64_t end) {
                     thread_local Workspace work;
                     for (std::int64_t i = begin; i < end; ++i) {
                         const Task& task = tasks[i / shape->key_heads];
                         run(input, segments[task.segment], task, i % shape->key_heads, y, work);
                     }
                 });
}
