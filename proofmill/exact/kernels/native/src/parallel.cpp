#include "parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "export.h"

namespace proofmill {
namespace {

constexpr int MAXIMUM_THREADS = 256;
constexpr auto SPIN = std::chrono::microseconds(20);  // operators follow each other within this time

inline void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Spins while `waiting()` for at most SPIN; true if the wait ended.
template <class Condition>
bool spin_while(Condition waiting) {
    const auto deadline = std::chrono::steady_clock::now() + SPIN;
    do {
        for (int i = 0; i < 32; ++i) {
            if (!waiting()) return true;
            pause_briefly();
        }
    } while (std::chrono::steady_clock::now() < deadline);
    return !waiting();
}

class Pool {
  public:
    // Tries to run the job with the pool; false, having done nothing, if another caller has the pool.
    bool run(std::int64_t count, std::int64_t grain, RangeFunction function, void* context, int threads) {
        std::unique_lock<std::mutex> mine(region_, std::try_to_lock);
        if (!mine.owns_lock()) return false;
        const int helpers = std::min(threads - 1, grow(threads - 1));
        count_ = count;
        grain_ = grain;
        function_ = function;
        context_ = context;
        next_.store(0, std::memory_order_relaxed);
        finished_.store(0, std::memory_order_relaxed);
        // A helper takes a ticket before it reads the job; from here on the job may be read.
        tickets_.store(helpers, std::memory_order_release);
        epoch_.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_seq_cst) > 0) {
            std::lock_guard<std::mutex> lock(sleep_);
            wake_.notify_all();
        }
        work();
        // Helpers that have not begun are not waited for: their tickets are withdrawn.
        const int joined = helpers - tickets_.exchange(0, std::memory_order_acq_rel);
        while (finished_.load(std::memory_order_acquire) != joined) {
            if (!spin_while([&] { return finished_.load(std::memory_order_acquire) != joined; }))
                std::this_thread::yield();
        }
        return true;
    }

  private:
    // Starts helpers until there are `wanted`; how many there are. A system that refuses threads gets fewer.
    int grow(int wanted) {
        for (; helpers_ < wanted; ++helpers_) {
            try {
                std::thread([this] { help(); }).detach();
            } catch (const std::system_error&) {
                break;
            }
        }
        return helpers_;
    }

    void work() {
        for (;;) {
            const std::int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
            if (begin >= count_) return;
            function_(context_, begin, std::min(begin + grain_, count_));
        }
    }

    bool take_ticket() {
        int tickets = tickets_.load(std::memory_order_acquire);
        while (tickets > 0)
            if (tickets_.compare_exchange_weak(tickets, tickets - 1, std::memory_order_acq_rel)) return true;
        return false;
    }

    [[noreturn]] void help();

    std::mutex region_;  // held by the caller whose job runs
    int helpers_ = 0;    // guarded by region_, as are the four fields of the job
    std::int64_t count_ = 0, grain_ = 1;
    RangeFunction function_ = nullptr;
    void* context_ = nullptr;

    alignas(64) std::atomic<std::int64_t> next_{0};
    alignas(64) std::atomic<int> tickets_{0};
    alignas(64) std::atomic<int> finished_{0};
    alignas(64) std::atomic<std::uint64_t> epoch_{0};
    std::atomic<int> sleepers_{0};
    std::mutex sleep_;
    std::condition_variable wake_;
};

thread_local bool inside_region = false;

void Pool::help() {
    inside_region = true;
    std::uint64_t seen = 0;
    for (;;) {
        if (!spin_while([&] { return epoch_.load(std::memory_order_acquire) == seen; })) {
            std::unique_lock<std::mutex> lock(sleep_);
            sleepers_.fetch_add(1, std::memory_order_seq_cst);
            wake_.wait(lock, [&] { return epoch_.load(std::memory_order_seq_cst) != seen; });
            sleepers_.fetch_sub(1, std::memory_order_relaxed);
        }
        seen = epoch_.load(std::memory_order_acquire);
        if (take_ticket()) {
            work();
            finished_.fetch_add(1, std::memory_order_release);
        }
    }
}

std::atomic<int> limit{1};
std::atomic<Pool*> current{nullptr};

// A forked child has none of its parent's threads, and its copies of the locks may be held by nobody: it begins
// with a pool of its own. The old one is left alone.
void forget_pool() {
    current.store(nullptr, std::memory_order_release);
    inside_region = false;
}

// Pools are never destroyed: helpers may still be looking at them while the process exits.
Pool& pool() {
    static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
    (void)registered;
    Pool* existing = current.load(std::memory_order_acquire);
    if (existing == nullptr) {
        Pool* fresh = new Pool;
        if (current.compare_exchange_strong(existing, fresh, std::memory_order_acq_rel)) return *fresh;
        delete fresh;
    }
    return *existing;
}

}  // namespace

int thread_limit() noexcept { return limit.load(std::memory_order_relaxed); }

void parallel_ranges(std::int64_t count, std::int64_t grain, RangeFunction function, void* context) noexcept {
    if (count <= 0) return;
    grain = std::max<std::int64_t>(grain, 1);
    const std::int64_t pieces = (count + grain - 1) / grain;
    const int threads = static_cast<int>(std::min<std::int64_t>(pieces, thread_limit()));
    if (threads > 1 && !inside_region) {
        inside_region = true;
        const bool done = pool().run(count, grain, function, context, threads);
        inside_region = false;
        if (done) return;
    }
    function(context, 0, count);
}

}  // namespace proofmill

PROOFMILL_EXPORT void proofmill_set_threads(int threads) {
    proofmill::limit.store(std::clamp(threads, 1, proofmill::MAXIMUM_THREADS), std::memory_order_relaxed);
}

PROOFMILL_EXPORT int proofmill_threads() { return proofmill::thread_limit(); }
