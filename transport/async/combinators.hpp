// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Several awaitables as one: the first that is done, all of them, or one with a limit in time.
//
//   auto reply = co_await with_timeout(5s, peer.request(question));   // expected<..., TimedOut>
//   auto first = co_await when_any(stream.read(buffer), stop.wait());   // variant: index() says which
//   auto [a, b] = co_await when_all(fetch(one), fetch(other));
//
// Each is awaited in the expression that makes it, with its arguments: an awaitable that cannot move
// is used where it lies. Cancelling one cancels what it waits for. Of the loop's thread.
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <expected>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/transport/async/outcome.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

/// The error of with_timeout().
struct TimedOut {
  friend constexpr bool operator==(TimedOut, TimedOut) = default;
};
/// One readable line.
constexpr std::string_view to_string(TimedOut /*error*/) { return "it took too long"; }

namespace detail {

template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return std::forward<A>(awaitable);
  }
}

/// What `co_await` of an A gives.
template <class A>
using AwaitResult = std::remove_cvref_t<decltype(awaiter_of(std::declval<A>()).await_resume())>;

/// How an argument of type A is kept: moved where it can be, else where it lies.
template <class A>
using Kept =
    std::conditional_t<!std::is_lvalue_reference_v<A> && std::is_move_constructible_v<A>, A, A&&>;

/// The branches of one combinator, and who waits for them. A branch is a task of ours around an
/// awaitable; it ends by on_done().
class Branches {
 public:
  /// As soon as `needed` are done, or one has failed, the waiter goes on.
  explicit Branches(std::size_t needed) : needed_(needed) {}
  Branches(const Branches&) = delete;
  Branches& operator=(const Branches&) = delete;

  /// Starts them in their order, no more than needed. False when the waiter need not wait.
  bool start(Waiter waiter, std::span<Task<void>> branches);
  /// Called by the branch itself, as its last act.
  void on_done(std::size_t index, bool failed);
  /// The one that was done first; when one failed in time, that one.
  [[nodiscard]] std::size_t first() const { return first_; }

 private:
  [[nodiscard]] bool is_complete() const { return failed_ || done_ >= needed_; }

  std::span<Task<void>> branches_;
  Waiter waiter_;
  std::size_t needed_;
  std::size_t done_ = 0;
  std::size_t first_ = 0;
  bool failed_ = false;
  bool starting_ = false;
};

template <class A>
Task<void> branch(A& awaitable, Outcome<AwaitResult<A&&>>& outcome, Branches& branches,
                  std::size_t index) {
  try {
    if constexpr (std::is_void_v<AwaitResult<A&&>>) {
      co_await static_cast<A&&>(awaitable);
      outcome.value.emplace();
    } else {
      AwaitResult<A&&> value = co_await static_cast<A&&>(awaitable);
      outcome.value.emplace(std::move(value));
    }
  } catch (...) {
    outcome.error = std::current_exception();
  }
  branches.on_done(index, outcome.error != nullptr);
}

/// What the combinators share: the awaitables, a branch for each, and what came of them.
template <class... A>
class Combined {
 public:
  Combined(std::size_t needed, A&&... awaitables)
      : awaitables_(std::forward<A>(awaitables)...), branches_(needed) {}
  Combined(const Combined&) = delete;
  Combined& operator=(const Combined&) = delete;

  static constexpr bool await_ready() noexcept { return false; }
  bool await_suspend(Waiter waiter) {
    make_branches(std::index_sequence_for<A...>{});
    return branches_.start(waiter, tasks_);
  }

 protected:
  ~Combined() = default;
  /// Cancels those that are not done.
  void end() {
    for (Task<void>& task : tasks_) task.cancel();
  }
  std::tuple<Outcome<AwaitResult<A>>...> outcomes_;

 private:
  template <std::size_t... I>
  void make_branches(std::index_sequence<I...> /*indices*/) {
    ((tasks_[I] = branch<A>(std::get<I>(awaitables_), std::get<I>(outcomes_), branches_, I)), ...);
  }

  std::tuple<Kept<A>...> awaitables_;

 protected:
  Branches branches_;

 private:
  std::array<Task<void>, sizeof...(A)> tasks_;  // Last: they use all the others.
};

template <class... A>
class [[nodiscard]] WhenAny final : public Combined<A...> {
 public:
  using Result = std::variant<typename Outcome<AwaitResult<A>>::Value...>;
  explicit WhenAny(A&&... awaitables) : Combined<A...>(1, std::forward<A>(awaitables)...) {}
  Result await_resume() {
    this->end();
    return take(std::index_sequence_for<A...>{});
  }

 private:
  template <std::size_t... I>
  Result take(std::index_sequence<I...> /*indices*/) {
    std::optional<Result> out;
    ((this->branches_.first() == I
          ? void(out.emplace(std::in_place_index<I>, std::get<I>(this->outcomes_).take_value()))
          : void()),
     ...);
    return std::move(*out);
  }
};

template <class... A>
class [[nodiscard]] WhenAll final : public Combined<A...> {
 public:
  using Result = std::tuple<typename Outcome<AwaitResult<A>>::Value...>;
  explicit WhenAll(A&&... awaitables)
      : Combined<A...>(sizeof...(A), std::forward<A>(awaitables)...) {}
  Result await_resume() {
    this->end();
    return take(std::index_sequence_for<A...>{});
  }

 private:
  template <std::size_t... I>
  Result take(std::index_sequence<I...> /*indices*/) {
    // The exception that ended the wait; what is not done has neither value nor exception.
    ((this->branches_.first() == I ? rethrow(std::get<I>(this->outcomes_).error) : void()), ...);
    return Result(std::get<I>(this->outcomes_).take_value()...);
  }
  static void rethrow(const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  }
};

template <class T>
class [[nodiscard]] WhenAllOf final {
 public:
  explicit WhenAllOf(std::vector<Task<T>> tasks)
      : awaited_(std::move(tasks)), outcomes_(awaited_.size()), branches_(awaited_.size()) {}
  WhenAllOf(const WhenAllOf&) = delete;
  WhenAllOf& operator=(const WhenAllOf&) = delete;

  static constexpr bool await_ready() noexcept { return false; }
  bool await_suspend(Waiter waiter) {
    for (std::size_t i = 0; i < awaited_.size(); ++i) {
      tasks_.push_back(branch<Task<T>>(awaited_[i], outcomes_[i], branches_, i));
    }
    return branches_.start(waiter, tasks_);
  }
  std::vector<typename Outcome<T>::Value> await_resume() {
    tasks_.clear();
    std::vector<typename Outcome<T>::Value> out;
    if (outcomes_.empty()) return out;
    if (const auto& error = outcomes_[branches_.first()].error) std::rethrow_exception(error);
    for (auto& outcome : outcomes_) out.push_back(outcome.take_value());
    return out;
  }

 private:
  std::vector<Task<T>> awaited_;
  std::vector<Outcome<T>> outcomes_;
  Branches branches_;
  std::vector<Task<void>> tasks_;
};

/// The loop of this thread; throws std::logic_error where there is none.
io::EventLoop& current_loop();

}  // namespace detail

/// co_await: the value of the first of `awaitables` that is done, as a std::variant with one place for
/// each (std::monostate for void); index() says which it was. When several are done at once the first in
/// their order counts. The others are cancelled before the coroutine goes on; awaitables behind one that
/// need not wait are not begun. An exception of the first is thrown again.
template <class... A>
  requires(sizeof...(A) > 0)
[[nodiscard]] detail::WhenAny<A...> when_any(A&&... awaitables) {
  return detail::WhenAny<A...>(std::forward<A>(awaitables)...);
}

/// co_await: the values of all, as a std::tuple (std::monostate for void). When one throws, the others
/// are cancelled, and the exception is thrown again at once.
template <class... A>
  requires(sizeof...(A) > 0)
[[nodiscard]] detail::WhenAll<A...> when_all(A&&... awaitables) {
  return detail::WhenAll<A...>(std::forward<A>(awaitables)...);
}
/// The same of any number of tasks, in their order.
template <class T>
[[nodiscard]] detail::WhenAllOf<T> when_all(std::vector<Task<T>> tasks) {
  return detail::WhenAllOf<T>(std::move(tasks));
}

namespace detail {

/// What `awaitable` gives, or Limit::Error when `limit` is reached before: its wait() is done first, or
/// it is reached already.
template <class A, class Limit>
Task<std::expected<AwaitResult<A>, typename Limit::Error>> within(Limit limit, Kept<A> awaitable) {
  using Result = std::expected<AwaitResult<A>, typename Limit::Error>;
  if (limit.is_reached()) co_return Result(std::unexpect);
  auto first = co_await when_any(static_cast<A&&>(awaitable), limit.wait());
  if (first.index() != 0) co_return Result(std::unexpect);
  if constexpr (std::is_void_v<AwaitResult<A>>) {
    co_return Result();
  } else {
    co_return Result(std::in_place, std::get<0>(std::move(first)));
  }
}

/// Of with_timeout(): the time begins with the wait.
struct TimeLimit {
  using Error = TimedOut;
  static constexpr bool is_reached() { return false; }
  [[nodiscard]] Sleep wait() const { return sleep_for(loop, time); }
  io::EventLoop& loop;
  Duration time;
};

}  // namespace detail

/// co_await: what `awaitable` gives, or TimedOut when it is not done within `limit`; it is cancelled
/// then. What is done at once is never timed out, whatever the limit. Throws what it throws.
template <class A>
[[nodiscard]] Task<std::expected<detail::AwaitResult<A>, TimedOut>> with_timeout(
    io::EventLoop& loop, Duration limit, A&& awaitable) {
  return detail::within<A>(detail::TimeLimit{loop, limit}, std::forward<A>(awaitable));
}
/// The same in the loop of this thread (EventLoop::current()): where a program has one loop a thread.
template <class A>
[[nodiscard]] Task<std::expected<detail::AwaitResult<A>, TimedOut>> with_timeout(Duration limit,
                                                                                 A&& awaitable) {
  return with_timeout(detail::current_loop(), limit, std::forward<A>(awaitable));
}

}  // namespace qpeer::async
