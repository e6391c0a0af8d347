// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Task<T>: a coroutine that starts when it is awaited and gives its value to whoever awaits it.
//
//   Task<int> answer() { co_return 42; }
//   Task<void> ask()   { int value = co_await answer(); ... }
//
// Destroying a task that waits cancels it: what it waits for forgets it, and its local objects are
// destroyed, innermost first. A task that runs (that is: from within itself) must not be destroyed;
// TaskGroup::cancel() may be called from there.
//
// An exception that leaves a task is thrown again by the co_await of who awaits it.
//
// Coroutines hand over to each other on a trampoline (waiting.hpp), not on the stack, so neither a
// deep chain of tasks nor a long loop of awaits costs stack, whatever the optimiser does.
//
// Beware of g++ 12 in coroutines of your own. Of `co_await f({.a = x})` it destroys the braced temporary
// twice when that has a destructor: give it a name in a statement of its own. And in a coroutine that
// declares no variable before, `if (co_await f())` and `while (co_await f())` crash: declare the result
// there, `while (const auto x = co_await f())`.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/precondition.hpp"

namespace qpeer::async {

template <class T = void>
class Task;

namespace detail {

class Branches;

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
  void unhandled_exception() noexcept { error = std::current_exception(); }
  void rethrow() const {
    if (error) std::rethrow_exception(error);
  }
  Waiter continuation;
  TaskRoot* task_root = nullptr;  ///< That of whoever awaits it.
  std::exception_ptr error;
};

template <class T>
struct Promise : PromiseBase {
  Task<T> get_return_object();
  template <class U>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return std::move(*result);
  }
  std::optional<T> result;
};

template <>
struct Promise<void> : PromiseBase {
  inline Task<void> get_return_object();
  static constexpr void return_void() noexcept {}
  void take() const { rethrow(); }
};

}  // namespace detail

/// Owns a coroutine that has not been awaited yet, or waits, or is done. Of one thread: that of the
/// loop whose events resume it.
template <class T>
class [[nodiscard]] Task {
 public:
  /// What the compiler looks for in the type of a coroutine.
  using promise_type = detail::Promise<T>;
  /// What co_await gives.
  using value_type = T;

  Task() = default;
  /// Takes the coroutine over; `other` has none then.
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  /// The same; first cancels the coroutine that was owned here.
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

  /// Starts the task and waits for its value, or throws what left it. A task is awaited once.
  auto operator co_await() && noexcept {
    struct Awaiter {
      static constexpr bool await_ready() noexcept { return false; }
      void await_suspend(Waiter awaiting) noexcept {
        child.promise().continuation = awaiting;
        child.promise().task_root = awaiting.root();
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
  friend detail::Branches;
  /// Starts the task as one of several that `root` waits for.
  void start_branch(TaskRoot* root) {
    coroutine_.promise().task_root = root;
    Trampoline::resume(coroutine_);
  }
  /// `waiter` goes on when the task has ended.
  void continue_with(Waiter waiter) { coroutine_.promise().continuation = waiter; }
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
