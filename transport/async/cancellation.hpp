// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A request to stop, shared by many tasks.
//
//   CancellationToken stop(loop);
//   tasks.spawn(serve(node, stop));
//   ...
//   stop.cancel();                                              // in a signal's callback, say
//
//   auto message = co_await unless_cancelled(stop, node.next_message());   // expected<..., Cancelled>
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

namespace detail {
struct CancellationState;

/// What CancellationToken::cancelled gives to co_await.
class [[nodiscard]] CancelledWait final : public Operation {
 public:
  explicit CancelledWait(std::shared_ptr<CancellationState> state);
  void await_resume() const {}

 private:
  bool attempt() override;
  std::shared_ptr<CancellationState> state_;
};
}  // namespace detail

/// The error of unless_cancelled().
struct Cancelled {
  friend constexpr bool operator==(Cancelled, Cancelled) = default;
};
/// One readable line.
constexpr std::string_view to_string(Cancelled /*error*/) { return "it was cancelled"; }

/// A handle: copies share one state. Once cancelled it stays so. Of the loop's thread; from another
/// one, post the cancel() to the loop.
class CancellationToken {
 public:
  /// Not cancelled. The loop must outlive it.
  explicit CancellationToken(io::EventLoop& loop);

  /// Tasks that wait for the token go on in the loop's next turn; its children are cancelled too.
  void cancel();
  /// Whether cancel() was called, here or on a parent.
  [[nodiscard]] bool is_cancelled() const;
  /// co_await: waits until it is cancelled.
  [[nodiscard]] detail::CancelledWait cancelled() const { return detail::CancelledWait(state_); }
  /// A token that is cancelled with this one, also when no handle of this one is left. It can be cancelled
  /// alone, too.
  [[nodiscard]] CancellationToken child() const;

 private:
  explicit CancellationToken(std::shared_ptr<detail::CancellationState> state);
  std::shared_ptr<detail::CancellationState> state_;
};

namespace detail {

/// Of unless_cancelled().
struct CancelLimit {
  using Error = Cancelled;
  [[nodiscard]] bool is_reached() const { return token.is_cancelled(); }
  [[nodiscard]] CancelledWait wait() const { return token.cancelled(); }
  CancellationToken token;
};

}  // namespace detail

/// co_await: what `awaitable` gives, or Cancelled when the token is cancelled before it is done, or was
/// already; `awaitable` is cancelled then. Throws what it throws.
template <class A>
[[nodiscard]] Task<std::expected<detail::AwaitResult<A>, Cancelled>> unless_cancelled(
    const CancellationToken& token, A&& awaitable) {
  return detail::within<A>(detail::CancelLimit{token}, std::forward<A>(awaitable));
}

}  // namespace qpeer::async
