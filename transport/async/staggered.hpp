// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One connection to a name of several addresses: attempts begin one after another, and the first that
// succeeds wins. RFC 8305 ("Happy Eyeballs") §4, §5.
//
//   attempt 0 --250 ms, or it failed--> attempt 1 --...--> the first success; the others are cancelled
#pragma once

#include <algorithm>
#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async::detail {

/// RFC 8305 §8: the Connection Attempt Delay.
inline constexpr Duration kConnectionAttemptDelay = 250ms;

/// RFC 8305 §4: addresses of the two families by turns, beginning with the family of the first, each
/// family in its order. `address_of` gives the address of an element.
template <class T, class F = std::identity>
std::vector<T> interleave_families(std::vector<T> all, F address_of = {}) {
  const auto is_ipv6 = [&](const T& each) { return std::invoke(address_of, each).is_ipv6(); };
  std::vector<T> out;
  std::vector<T> others;
  for (T& each : all) (is_ipv6(each) == is_ipv6(all.front()) ? out : others).push_back(each);
  for (std::size_t i = 0; i < others.size(); ++i) {
    const std::size_t at = std::min(2 * i + 1, out.size());
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), std::move(others[i]));
  }
  return out;
}

/// What the attempts of one call have come to.
template <class T, class E>
struct StaggeredState {
  explicit StaggeredState(io::EventLoop& loop) : changed(loop) {}

  std::optional<T> winner;
  std::vector<E> errors;  ///< In the order in which the attempts failed.
  std::size_t running = 0;
  Event changed;
};

template <class T, class E>
Task<void> run_attempt(StaggeredState<T, E>& state, Task<std::expected<T, E>> attempt) {
  ++state.running;
  auto result = co_await std::move(attempt);
  --state.running;
  if (!result) {
    state.errors.push_back(std::move(result.error()));
  } else if (!state.winner) {
    state.winner.emplace(std::move(*result));
  }
  state.changed.set();
}

/// Awaits `begin(0)` to `begin(count - 1)`, tasks that give a std::expected<T, E>, each begun 250 ms
/// after the one before, or when one has failed. Gives the first success; what still runs is
/// cancelled then. Else all errors, which are none when `count` is 0.
template <class T, class E, class F>
Task<std::expected<T, std::vector<E>>> staggered(io::EventLoop& loop, std::size_t count, F begin) {
  StaggeredState<T, E> state(loop);
  TaskGroup attempts;  // Last: they use the state.
  for (std::size_t next = 0; !state.winner && (next < count || state.running != 0);) {
    state.changed.reset();
    if (next < count) attempts.spawn(run_attempt<T, E>(state, begin(next++)));
    auto changed = state.changed.wait();
    if (next < count) {
      (void)co_await with_timeout(loop, kConnectionAttemptDelay, changed);
    } else {
      co_await changed;
    }
  }
  if (!state.winner) co_return std::unexpected(std::move(state.errors));
  co_return std::move(*state.winner);
}

}  // namespace qpeer::async::detail
