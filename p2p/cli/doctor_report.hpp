// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What 'qpeer doctor' found out about this machine and its network, and how it is printed.
#pragma once

#include <optional>
#include <vector>

#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::cli {

/// The system's clock, against which certificates are checked.
struct ClockReport {
  UnixSeconds time{};
  /// Whether something keeps it right, such as NTP; unset when the system does not say.
  std::optional<bool> synchronised{};
};
[[nodiscard]] ClockReport read_clock();

struct DoctorReport {
  p2p::NetworkReport network;
  io::UdpCapabilities socket;
  std::size_t buffers_wanted = 0;  ///< Bytes of a socket, in each direction.
  ClockReport clock;
};

/// Prints it for people: a line for each finding, and one more for what to do about it.
void print_text(const DoctorReport& report);
/// Prints one JSON object.
void print_json(const DoctorReport& report);
/// 0: could be a node; 3: a client; 4: a client that only a relay could call; 1: no UDP.
[[nodiscard]] int status_of(const p2p::NetworkReport& report);

}  // namespace qpeer::cli
