// qpeer-perf: what client and server agree on. A request is one bidirectional stream:
//
//   client   [ response size, 8 bytes ][ anything ... ] FIN
//   server   [ so many bytes ] FIN                        once the request has ended
//
// The time that counts is the client's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "p2p/cli/common/transport_options.hpp"
#include "transport/base/address.hpp"
#include "transport/base/time.hpp"
#include "transport/io/event_loop.hpp"
#include "transport/io/udp_socket.hpp"

namespace qpeer::perf {

inline constexpr std::string_view kAlpn = "qpeer-perf";
inline constexpr std::size_t kRequestHeader = 8;
/// What is written and read at once.
inline constexpr std::size_t kChunk = 256 << 10;

enum class Mode : u8 { bulk, requests, handshakes };
std::string_view to_string(Mode mode);

struct Options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 4478;
  Mode mode = Mode::bulk;
  bool upload = false;            ///< bulk: from client to server.
  std::uint64_t bytes = 2 << 30;  ///< bulk: of each stream, where `duration` is 0.
  Duration duration{};
  std::uint64_t streams = 1;  ///< bulk: at once.
  std::uint64_t request_size = 100;
  std::uint64_t response_size = 100;
  std::uint64_t parallel = 100;  ///< requests, handshakes: in flight.
  bool json = false;
  std::string controller = "reno";
  cli::TransportOptions transport;
};

/// Windows that no transfer on this machine fills.
transport::ConnectionConfig connection_config(const Options& options);

/// CPU time of this process, user and system.
double cpu_seconds();

/// How datagrams leave and arrive: "GSO GRO", "GSO", "GRO" or "plain".
std::string offloads(const io::UdpCapabilities& capabilities);

int run_server(io::EventLoop& loop, const Options& options);
int run_client(io::EventLoop& loop, const Options& options);

}  // namespace qpeer::perf
