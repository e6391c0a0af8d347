// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Questions to devices of the local network, for a thread that may wait: one over TCP, and those by datagrams.
// Each ends in time, whatever the other side does.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::io {

/// What one exchange may take in all.
struct ExchangeLimits {
  std::size_t bytes = 64 << 10;  ///< Of the answer.
  Duration time = 2s;            ///< From the connection's first packet to the answer's last byte.
};

/// Connects to `to`, sends `request`, and reads until `is_whole` says of what was read so far that it is all, or
/// until the other side closes. Fails with errc::timed_out and errc::message_size beyond the limits, else as
/// the system does. Blocks; any thread.
[[nodiscard]] std::expected<std::string, std::error_code> exchange_by_tcp(
    const SocketAddress& to, std::string_view request,
    const std::function<bool(std::string_view)>& is_whole, const ExchangeLimits& limits = {});

/// Questions by UDP, and how long to wait for answers.
struct DatagramQuestions {
  SocketAddress from;               ///< Our address, whose network multicast goes to. Any port.
  std::vector<SocketAddress> to{};  ///< Each gets each datagram.
  std::vector<std::string> datagrams{};
  Duration interval = 500ms;  ///< Until they are sent again.
  Duration time = 2s;         ///< In all.
};

/// Calls `take` with each datagram that comes back and with its sender, until it returns true or the time is over.
/// Of a datagram 2 KiB are read. Blocks; any thread.
std::error_code ask_by_datagrams(
    const DatagramQuestions& questions,
    const std::function<bool(const SocketAddress&, std::string_view)>& take);

}  // namespace qpeer::io
