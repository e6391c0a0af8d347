// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Assertions of the library's own code.
//
//                       with assertions     without assertions     what a breach shows
//   QPEER_ASSERT        ends the process    no code                a caller in the library is wrong
//   QPEER_INVARIANT     ends the process    ends the connection    the machine itself is wrong
//
// Only the library's own build defines QPEER_ASSERTIONS: in debug builds, which the simulator and
// the fuzzers are. NDEBUG does not matter. This header is not installed: see precondition.hpp.
#pragma once

#include <source_location>
#include <utility>

namespace qpeer {

#ifdef QPEER_ASSERTIONS
inline constexpr bool kAssertions = true;
#else
inline constexpr bool kAssertions = false;
#endif

/// Where a machine notes the first of its invariants that did not hold. The core throws nothing, so
/// code deep inside a machine notes the breach here, goes on in a way that does no harm, and the
/// machine looks at its latch at the end of each call.
class InvariantLatch {
 public:
  /// While it lives, breaches on this thread are noted in `latch`.
  class Scope {
   public:
    explicit Scope(InvariantLatch& latch) : outer_(std::exchange(current_, &latch)) {}
    ~Scope() { current_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    InvariantLatch* outer_;
  };

  /// The text of the first breach since the last take(), a literal; null when there was none.
  [[nodiscard]] const char* take() { return std::exchange(broken_, nullptr); }

 private:
  friend void on_broken_invariant(const char* text, const std::source_location& where) noexcept;

  static inline constinit thread_local InvariantLatch* current_ = nullptr;
  const char* broken_ = nullptr;
};

/// Prints file, line and text, and ends the process.
[[noreturn]] void on_broken_assertion(const char* text, const std::source_location& where) noexcept;
/// With assertions the same; without, notes the breach in the latch of the machine that runs now.
void on_broken_invariant(const char* text, const std::source_location& where) noexcept;

}  // namespace qpeer

/// QPEER_ASSERT(condition)
#ifdef QPEER_ASSERTIONS
#define QPEER_ASSERT(...) \
  ((__VA_ARGS__) ? void() \
                 : ::qpeer::on_broken_assertion(#__VA_ARGS__, ::std::source_location::current()))
#else
#define QPEER_ASSERT(...) void(sizeof((__VA_ARGS__) ? 1 : 0))
#endif

/// QPEER_INVARIANT(condition, statement): `statement`, which may be left out, says how to go on
/// without harm where the condition does not hold, such as `return false`.
#define QPEER_INVARIANT(condition, ...)                                            \
  do {                                                                             \
    if (!(condition)) [[unlikely]] {                                               \
      ::qpeer::on_broken_invariant(#condition, ::std::source_location::current()); \
      __VA_ARGS__;                                                                 \
    }                                                                              \
  } while (false)
