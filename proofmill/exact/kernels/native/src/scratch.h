// Working memory of one thread, kept between calls so that no operator allocates in the steady state.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace proofmill {

template <class T>
class Scratch {
  public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::free(memory_); }

    // At least `count` elements on a cache line of their own; what they held before is lost.
    T* get(std::size_t count) {
        if (count > capacity_) {
            std::free(memory_);
            capacity_ = 0;
            const std::size_t bytes = (count * sizeof(T) + 127) / 64 * 64;
            memory_ = static_cast<T*>(std::aligned_alloc(64, bytes));
            if (memory_ == nullptr) throw std::bad_alloc();
            capacity_ = count;
        }
        return memory_;
    }

  private:
    T* memory_ = nullptr;
    std::size_t capacity_ = 0;
};

}  // namespace proofmill
