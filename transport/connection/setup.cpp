// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/setup.hpp"

#include <algorithm>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/stream/datagram_ring.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {
namespace {

/// Far beyond any use, and a sum of some is still a time.
constexpr Duration kLongest = std::chrono::hours(24 * 365 * 30);

}  // namespace

std::unique_ptr<CongestionController> make_controller(const ConnectionConfig& config,
                                                      std::uint16_t max_datagram_size) {
  if (config.congestion_controller) {
    if (auto controller = config.congestion_controller(max_datagram_size)) return controller;
  }
  return make_congestion_controller(config.congestion_algorithm, max_datagram_size);
}

ConnectionConfig seeded(ConnectionConfig config, Random& random) {
  if (config.congestion_controller || config.congestion_algorithm != CongestionAlgorithm::bbr) {
    return config;
  }
  const std::uint64_t seed = random.uniform(std::uint64_t{1} << 63);
  config.congestion_controller = [seed, paths = std::uint64_t{0}](std::uint16_t size) mutable {
    return make_congestion_controller(CongestionAlgorithm::bbr, size, seed + paths++);
  };
  return config;
}

ConnectionConfig sanitized(ConnectionConfig config) {
  // No larger than what the Length field of our long headers can hold.
  config.max_datagram_size = std::clamp<std::uint16_t>(
      config.max_datagram_size, wire::kMinInitialDatagramSize, wire::kMaxPatchedLength);
  config.mtu_discovery.max_datagram_size = std::clamp<std::uint16_t>(
      config.mtu_discovery.max_datagram_size, wire::kMinInitialDatagramSize, kMaxTransmitSize);
  // RFC 8899 §5.1.1 [rfc8899-5.1.1-1].
  config.mtu_discovery.raise_interval =
      std::clamp<Duration>(config.mtu_discovery.raise_interval, 1s, kLongest);
  config.max_paths = std::clamp<std::size_t>(config.max_paths, 2, 16);
  for (Duration* each : {&config.max_idle_timeout, &config.keep_alive, &config.handshake_timeout}) {
    *each = std::clamp<Duration>(*each, 0s, kLongest);
  }
  config.active_connection_id_limit =
      std::clamp<std::uint64_t>(config.active_connection_id_limit, 2, 16);
  config.initial_rtt = std::clamp<Duration>(config.initial_rtt, 1ms, 60s);
  config.streams.send_buffer = std::max<std::size_t>(config.streams.send_buffer, 1);
  config.crypto_buffer = std::max<std::size_t>(config.crypto_buffer, 4096);
  config.max_datagram_frame_size =
      std::min<std::uint64_t>(config.max_datagram_frame_size, DatagramRing::kMaxSize);
  config.max_ack_delay = std::clamp<Duration>(config.max_ack_delay, 0ms, 16'383ms);
  return config;
}

}  // namespace qpeer::transport
