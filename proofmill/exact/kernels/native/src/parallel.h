// One small pool of threads for every function of the library.
//
// parallel_for(count, grain, f) calls f(begin, end) on disjoint ranges that together cover [0, count). Ranges are
// handed out `grain` at a time in ascending order, to whichever thread is free. The caller works too, so a machine
// that is busy elsewhere only makes the call slower, never stuck. A caller that finds the pool taken by another
// caller, or that is itself inside a parallel_for, does its whole range alone: no deadlock, no oversubscription.
// Nothing in this library depends on which thread computed what, so results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <type_traits>

namespace proofmill {

using RangeFunction = void (*)(void* context, std::int64_t begin, std::int64_t end);

void parallel_ranges(std::int64_t count, std::int64_t grain, RangeFunction function, void* context) noexcept;

// Threads that may work on one parallel_for, the caller included.
int thread_limit() noexcept;

// f(begin, end) must not throw.
template <class Function>
void parallel_for(std::int64_t count, std::int64_t grain, Function&& f) noexcept {
    using Body = std::remove_reference_t<Function>;
    auto call = [](void* context, std::int64_t begin, std::int64_t end) {
        (*static_cast<Body*>(context))(begin, end);
    };
    parallel_ranges(count, grain, call, const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace proofmill
