// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tells a user who waits for a link, before the attempt has failed, that nothing comes back. With one address
// nobody can know whether it is wrong or UDP is blocked: the sentence says both.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::cli {

/// From the first datagram that left.
inline constexpr Duration kSilence = 2'500ms;

/// Calls `tell` with a sentence once nothing has come back for `patience` since the first datagram left. Ends
/// without that once something has come. `stats` are those of the socket.
async::Task<void> watch_for_silence(io::EventLoop& loop, std::function<io::UdpStats()> stats,
                                    std::function<void(const std::string&)> tell,
                                    Duration patience = kSilence);

/// What to add to a failure that came after `waited`: what may be wrong where datagrams left and none came back.
/// Nothing where one came, or where the failure came so soon that the system has given the reason.
[[nodiscard]] std::string_view advice_on_silence(const io::UdpStats& stats, Duration waited);

}  // namespace qpeer::cli
