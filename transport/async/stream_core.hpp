// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The state of one stream behind its handle: how far its two sides have come, and which operations wait
// for them. The layer below, a connection or the link to a peer, implements the virtual functions.
// Internal to the async layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::async::detail {

using transport::ReadView;
using transport::StreamError;

class Runtime;

class StreamCore {
 public:
  enum class Sending : u8 { open, finishing, acknowledged, reset, stopped, none };
  enum class Receiving : u8 { open, ended, reset, abandoned, none };

  StreamCore(bool sends, bool receives)
      : sending(sends ? Sending::open : Sending::none),
        receiving(receives ? Receiving::open : Receiving::none) {}
  virtual ~StreamCore() = default;
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;

  // --- what lies below -------------------------------------------------------------------------

  /// As the calls of transport::Connection; `closed` when it is gone.
  virtual std::expected<ReadView, StreamError> peek_below() = 0;
  virtual void consume_below(std::size_t size) = 0;
  virtual std::expected<std::size_t, StreamError> write_below(Bytes data) = 0;
  virtual std::expected<void, StreamError> finish_below() = 0;
  virtual std::expected<void, StreamError> reset_below(std::uint64_t error_code) = 0;
  virtual std::expected<void, StreamError> stop_sending_below(std::uint64_t error_code) = 0;
  /// Valid once peek_below() said `reset`.
  [[nodiscard]] virtual std::uint64_t reset_code_below() const = 0;
  /// Whether the end of the connection or the link was reported: nothing more happens to the stream.
  [[nodiscard]] virtual bool is_over() const = 0;
  /// Operations that wait there may go on.
  virtual void schedule(WaitList& waiting) = 0;
  /// There is something to send.
  virtual void wake() = 0;
  /// The runtime that runs the tasks of callback users.
  [[nodiscard]] virtual Runtime& runtime() = 0;
  /// Destroys this.
  virtual void forget() noexcept = 0;

  // --- events ----------------------------------------------------------------------------------

  void on_readable() { schedule(reading); }
  void on_writable() { schedule(writing); }
  void on_finished();
  void on_stopped(std::uint64_t error_code);
  void on_over();

  // --- calls of the handle ---------------------------------------------------------------------

  /// The error of a send side that takes no more; of a receive side that gives no more.
  [[nodiscard]] std::optional<StreamError> send_error() const;
  [[nodiscard]] std::optional<StreamError> receive_error() const;
  /// Whether `error` is the end of what lies below, of which the event is still to come.
  [[nodiscard]] bool is_ending(StreamError error) const {
    return error == StreamError::closed && !is_over();
  }
  /// What can be read; remembers a reset.
  std::expected<ReadView, StreamError> look();
  /// Takes what was read; with `ends` it was the last.
  void take(std::size_t size, bool ends);
  /// Takes `size` bytes of what was shown, no more.
  void consume(std::size_t size);
  std::expected<void, StreamError> finish();
  std::expected<void, StreamError> reset(std::uint64_t error_code);
  std::expected<void, StreamError> stop_sending(std::uint64_t error_code);

  Sending sending;
  Receiving receiving;
  std::uint64_t reset_code = 0;
  std::uint64_t stop_code = 0;
  std::size_t shown = 0;  ///< By the last peek; `shown_end` when the stream ends there.
  bool shown_end = false;
  WaitList reading;
  WaitList writing;
  WaitList finishing;
  TaskGroup calls;  ///< Those of callback users. Last: they use all the others.
};

}  // namespace qpeer::async::detail
