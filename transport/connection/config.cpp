// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/config.hpp"

#include <algorithm>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/connection/setup.hpp"
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
  return make_new_reno(max_datagram_size);
}

ConnectionConfig sanitized(ConnectionConfig config) {
  // No larger than what the Length field of our long headers can tell.
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

std::string_view to_string(PathError error) {
  switch (error) {
    case PathError::closed:
      return "the connection is not open";
    case PathError::not_client:
      return "only clients migrate";
    case PathError::not_confirmed:
      return "the handshake is not confirmed";
    case PathError::disabled:
      return "the peer does not take migration";
    case PathError::no_connection_id:
      return "there is no fresh connection ID";
    case PathError::too_many_paths:
      return "too many paths are in use";
    case PathError::bad_address:
      return "no such path can be";
    case PathError::no_answer:
      return "the peer does not answer there";
    case PathError::superseded:
      return "another path was asked for meanwhile";
  }
  return "unknown";
}

std::string to_string(const CloseReason& reason) {
  using Kind = CloseReason::Kind;
  std::string out;
  switch (reason.kind) {
    case Kind::local_application:
      out = "closed here, code " + std::to_string(reason.code);
      break;
    case Kind::peer_application:
      out = "closed by the peer, code " + std::to_string(reason.code);
      break;
    case Kind::local_transport:
    case Kind::peer_transport: {
      out = reason.kind == Kind::local_transport ? "" : "the peer reports ";
      out += to_string(TransportErrorCode{reason.code});
      // A TLS alert has a number worth telling. RFC 9001 §4.8.
      if ((reason.code & ~std::uint64_t{0xff}) == 0x100) {
        out += " (alert " + std::to_string(reason.code & 0xff) + ")";
      }
      break;
    }
    case Kind::idle_timeout:
      out = "idle timeout";
      break;
    case Kind::handshake_timeout:
      out = "handshake timeout";
      break;
    case Kind::stateless_reset:
      out = "stateless reset";
      break;
    case Kind::version_negotiation:
      out = "no common version";
      break;
  }
  if (reason.reason.empty()) return out;
  out += ": ";
  for (const char c : reason.reason) out += c >= ' ' && c < 0x7f ? c : '?';
  return out;
}

}  // namespace qpeer::transport
