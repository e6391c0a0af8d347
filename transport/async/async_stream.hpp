// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A stream of a connection whose operations are awaited. RFC 9000 §2.
#pragma once

#include <memory>

#include "qpeer/transport/async/stream_handle.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::async {

namespace detail {
struct ConnectionState;
struct StreamState;
}  // namespace detail

/// One stream; keeps its connection open. See StreamHandle for what it does. Of the thread of the
/// endpoint's loop.
class AsyncStream final : public StreamHandle {
 public:
  /// Names it on the wire, RFC 9000 §2.1.
  [[nodiscard]] StreamId id() const;
  /// Whether both sides send.
  [[nodiscard]] bool is_bidirectional() const { return id().is_bidirectional(); }

 private:
  friend detail::ConnectionState;
  AsyncStream(std::shared_ptr<detail::ConnectionState> connection, detail::StreamState& state);
};

}  // namespace qpeer::async
