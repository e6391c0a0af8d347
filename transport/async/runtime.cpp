// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/runtime.hpp"

namespace qpeer::async::detail {

std::expected<io::UdpSocket, std::error_code> bind_socket(const SocketAddress& address,
                                                          const io::UdpOptions& options) {
  if (address.valid()) return io::UdpSocket::bind(address, options);
  auto both = io::UdpSocket::bind(SocketAddress::ipv6({}, 0), options);
  if (both) return both;
  return io::UdpSocket::bind(SocketAddress::ipv4({}, 0), options);
}

void Runtime::run(Task<void> task) {
  loop.post([self = shared_from_this(), task = std::move(task)]() mutable {
    if (!self->has_ended_) self->tasks_.spawn(std::move(task));
  });
}

void Runtime::on_drained() {
  has_drained_ = true;
  schedule(draining_);
}

void Runtime::on_socket_error(std::error_code code) {
  error_ = code;
  on_drained();
}

}  // namespace qpeer::async::detail
