// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Task<T>: a coroutine that starts when it is awaited and gives its value to whoever awaits it.
//
//   Task<int> answer() { co_return 42; }
//   Task<void> ask()   { int value = co_await answer(); ... }
//
// Destroying a task that waits cancels it: what it waits for forgets it, and its local objects are
// destroyed, innermost first. A task that runs (that is: from within itself) must not be destroyed.
//
// Coroutines hand over to each other on a trampoline, not on the stack, so neither a deep chain of
// tasks nor a long loop of awaits costs stack, whatever the optimiser does.
//
// Beware of g++ 12 in coroutines of your own: of `co_await f({.a = x})` it destroys the braced
// temporary twice when that has a destructor. Give it a name in a statement of its own.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "qpeer/transport/base/precondition.hpp"

namespace qpeer::async {

/// Runs one coroutine after another until one waits for the outside world.
class Trampoline {
 public:
  /// Resumes `coroutine`, then what it hands over to, and so on. Returns when somebody waits.
  static void resume(std::coroutine_handle<> coroutine) {
    Trampoline here{coroutine};
    Trampoline* const outer = std::exchange(current_, &here);
    while (here.next_) std::exchange(here.next_, nullptr).resume();
    current_ = outer;
  }

  /// The last act of an await_suspend: `coroutine` goes on as soon as the caller is suspended.
  static void hand_over(std::coroutine_handle<> coroutine) {
    if (current_ != nullptr && !current_->next_) {
      current_->next_ = coroutine;
    } else {
      resume(coroutine);  // Whoever resumed the caller did it without a trampoline.
    }
  }

 private:
  explicit Trampoline(std::coroutine_handle<> first) : next_(first) {}

  static inline constinit thread_local Trampoline* current_ = nullptr;
  std::coroutine_handle<> next_;
};

template <class T = void>
class Task;

namespace detail {

struct FinalAwaiter {
  static constexpr bool await_ready() noexcept { return false; }
  template <class Promise>
  static void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
    if (const auto next = ended.promise().continuation) Trampoline::hand_over(next);
  }
  static constexpr void await_resume() noexcept {}
};

struct PromiseBase {
  static constexpr std::suspend_always initial_suspend() noexcept { return {}; }
  static constexpr FinalAwaiter final_suspend() noexcept { return {}; }
  /// qpeer reports errors as values; an exception that leaves a task ends the process.
  [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  std::coroutine_handle<> continuation;
};

template <class T>
struct Promise : PromiseBase {
  Task<T> get_return_object();
  template <class U>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*result); }
  std::optional<T> result;
};

template <>
struct Promise<void> : PromiseBase {
  inline Task<void> get_return_object();
  static constexpr void return_void() noexcept {}
  static constexpr void take() noexcept {}
};

}  // namespace detail

/// Owns a coroutine that has not been awaited yet, or waits, or is done. Single-threaded.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using value_type = T;

  Task() = default;
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      cancel();
      coroutine_ = std::exchange(other.coroutine_, nullptr);
    }
    return *this;
  }
  ~Task() { cancel(); }

  /// Whether there is a coroutine; not so after a move or cancel().
  explicit operator bool() const { return static_cast<bool>(coroutine_); }
  /// Destroys the coroutine wherever it waits.
  void cancel() {
    if (coroutine_) std::exchange(coroutine_, nullptr).destroy();
  }

  /// Starts the task and waits for its value. A task is awaited once.
  auto operator co_await() && noexcept {
    struct Awaiter {
      static constexpr bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<> awaiting) noexcept {
        child.promise().continuation = awaiting;
        Trampoline::hand_over(child);
      }
      T await_resume() { return child.promise().take(); }
      std::coroutine_handle<promise_type> child;
    };
    precondition(coroutine_ && !coroutine_.promise().continuation, "a task is awaited once");
    return Awaiter{coroutine_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  std::coroutine_handle<promise_type> coroutine_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>{std::coroutine_handle<Promise>::from_promise(*this)};
}

Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>{std::coroutine_handle<Promise>::from_promise(*this)};
}

}  // namespace qpeer::async
