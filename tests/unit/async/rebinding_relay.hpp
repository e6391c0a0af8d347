// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A NAT between one client and a server, on loopback sockets: it can take another port at any time.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::test {

class RebindingRelay {
 public:
  RebindingRelay(io::EventLoop& loop, const SocketAddress& server)
      : loop_(loop), server_(server), inside_(bind()) {
    rebind();
    auto watch = loop_.watch(inside_.fd(), io::Interest::read, [this](io::Ready, Instant) {
      const auto received = inside_.receive(slab(), [this](const ReceivedDatagram& datagram) {
        client_ = datagram.path.remote;
        if (detour_ != passed_++) return send(outside_->socket, server_, datagram.payload);
        held_.assign(datagram.payload.begin(), datagram.payload.end());
      });
      EXPECT_TRUE(received);
    });
    EXPECT_TRUE(watch);
    inside_watch_ = std::move(*watch);
  }

  /// Where the client dials.
  [[nodiscard]] SocketAddress address() const { return inside_.local_address(); }
  /// The server sees another port from now on; nothing comes back by the one before.
  void rebind() { outside_ = open_outside(); }
  /// The client's datagram of this number, from 0, goes by another port, once the server has answered. Those
  /// behind it go as before.
  void detour(std::size_t datagram) { detour_ = datagram; }

 private:
  static constexpr std::size_t kSlabSize = 4 * io::UdpSocket::kRegionSize;

  struct Outside {
    io::UdpSocket socket = bind();
    io::Watch watch{};
  };

  [[nodiscard]] std::unique_ptr<Outside> open_outside() {
    auto outside = std::make_unique<Outside>();
    auto watch = loop_.watch(outside->socket.fd(), io::Interest::read,
                             [this, socket = &outside->socket](io::Ready, Instant) {
                               const auto received = socket->receive(
                                   slab(), [this](const ReceivedDatagram& datagram) {
                                     send(inside_, client_, datagram.payload);
                                     if (!held_.empty())
                                       send(other_, server_, std::exchange(held_, {}));
                                   });
                               EXPECT_TRUE(received);
                             });
    EXPECT_TRUE(watch);
    outside->watch = std::move(*watch);
    return outside;
  }

  static io::UdpSocket bind() {
    auto socket = io::UdpSocket::bind(SocketAddress::loopback4(0));
    EXPECT_TRUE(socket);
    return std::move(*socket);
  }
  static void send(io::UdpSocket& from, const SocketAddress& to, Bytes bytes) {
    const Transmit transmit{.path = {.local = {}, .remote = to}, .size = bytes.size()};
    EXPECT_TRUE(from.send(transmit, bytes));
  }
  [[nodiscard]] MutableBytes slab() const { return {slab_.get(), kSlabSize}; }

  io::EventLoop& loop_;
  SocketAddress server_;
  SocketAddress client_;
  std::unique_ptr<u8[]> slab_ = std::make_unique_for_overwrite<u8[]>(kSlabSize);
  io::UdpSocket inside_;
  std::unique_ptr<Outside> outside_;
  io::UdpSocket other_ = bind();
  std::vector<u8> held_;
  std::size_t passed_ = 0;
  std::optional<std::size_t> detour_;
  io::Watch inside_watch_;
};

}  // namespace qpeer::test
