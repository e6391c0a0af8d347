// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A relay between clients and one server: every client address gets a socket of its own towards the
// server, as behind a NAT, and its datagrams travel over a bad line in each direction; the lines of
// all clients share one bottleneck. A rebinding gives all clients new sockets, so that the server
// sees another port or address; what it still sends to the old ones is lost.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "qpeer/tests/interop/relay/line.hpp"
#include "qpeer/tests/interop/relay/wiretap.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::relay {

enum class Rebind : u8 { never, port, address };

struct RelayConfig {
  SocketAddress listen;
  SocketAddress server;
  LineConfig to_server{};
  LineConfig to_client{};
  Rebind rebind = Rebind::never;
  Duration first_rebind = 1s;  ///< After the first datagram.
  Duration rebind_every = 5s;
  bool mark_ce = false;  ///< ECT becomes CE, as a congested router does.
  std::uint64_t seed = 1;
  bool trace = false;  ///< Tell of each datagram, on standard error.
};

/// Single-threaded; the loop must outlive it.
class Relay {
 public:
  static std::expected<std::unique_ptr<Relay>, std::error_code> start(io::EventLoop& loop,
                                                                      RelayConfig config);
  [[nodiscard]] const SocketAddress& address() const { return door_.local_address(); }
  /// What was seen, "name value" lines.
  [[nodiscard]] std::string report() const;

 private:
  struct Flow {  // One client address.
    std::uint64_t number = 0;
    SocketAddress client;
    std::optional<io::UdpSocket> socket;
    io::Watch watch;
    Proof proof;
    unsigned rebinds = 0;
    bool used = false;      // By the client: the present socket.
    bool answered = false;  // From the server to the present socket.
    std::unique_ptr<Line> to_server;
    std::unique_ptr<Line> to_client;
  };

  Relay(io::EventLoop& loop, RelayConfig config, io::UdpSocket door);
  std::error_code open_towards_server(Flow& flow);
  void on_client_ready();
  void on_server_ready(Flow& flow);
  Flow* flow_of(const SocketAddress& client);
  /// The flow whose line, by that member, delivers next.
  Flow* next_flow(std::unique_ptr<Line> Flow::* line) const;
  void deliver(Instant now);
  void rebind(Instant now);
  void arm();
  void trace(const Flow& flow, bool from_client, Bytes datagram, bool carried) const;
  template <class F>
  void receive(io::UdpSocket& socket, F&& on_datagram);
  static void send(io::UdpSocket& socket, const SocketAddress& to, const Parcel& parcel);

  io::EventLoop& loop_;
  RelayConfig config_;
  io::UdpSocket door_;
  io::Watch door_watch_;
  std::vector<u8> slab_;
  std::shared_ptr<Bottleneck> up_ = std::make_shared<Bottleneck>();
  std::shared_ptr<Bottleneck> down_ = std::make_shared<Bottleneck>();
  std::map<SocketAddress, std::unique_ptr<Flow>> flows_;
  Wiretap tap_;
  Instant begin_ = io::now();
  Instant next_rebind_ = kNever;
  std::uint64_t rebinds_ = 0;  // After which the client sent something.
  std::uint64_t answered_rebinds_ = 0;
  io::Timer timer_;
};

}  // namespace qpeer::relay
