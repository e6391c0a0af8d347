// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/blocking_exchange.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>

#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/transport/io/udp_cmsg.hpp"

namespace qpeer::io {
namespace {

constexpr int kMulticastHops = 2;

std::error_code system_error(int error) { return {error, std::system_category()}; }
std::error_code timed_out() { return std::make_error_code(std::errc::timed_out); }

/// A socket that never blocks, closed at the end.
class Socket {
 public:
  Socket(const SocketAddress& peer, int type)
      : fd_(::socket(peer.is_ipv6() ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

struct Name {
  explicit Name(const SocketAddress& address)
      : size(to_sockaddr(address, address.is_ipv6() ? SocketFamily::ipv6 : SocketFamily::ipv4,
                         storage)) {}
  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr_storage storage{};
  socklen_t size;
};

/// Whether the socket became ready, or failed, before `end`.
bool wait_for(int fd, short events, Instant end) {
  for (;;) {
    const Duration left = end - now();
    if (left <= Duration{}) return false;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd watched{.fd = fd, .events = events, .revents = 0};
    const int ready =
        ::poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(milliseconds, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // The next call says what is wrong.
  }
}

bool is_not_yet(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

std::error_code connect(int fd, const SocketAddress& to, Instant end) {
  const Name name{to};
  if (::connect(fd, name.data(), name.size) == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) return system_error(errno);
  if (!wait_for(fd, POLLOUT, end)) return timed_out();
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? std::error_code{} : system_error(error);
}

std::error_code send_all(int fd, std::string_view bytes, Instant end) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (!is_not_yet(errno)) {
      return system_error(errno);
    } else if (!wait_for(fd, POLLOUT, end)) {
      return timed_out();
    }
  }
  return {};
}

void send_each(int fd, const DatagramQuestions& questions) {
  for (const SocketAddress& to : questions.to) {
    const Name name{to};
    for (const std::string& datagram : questions.datagrams) {
      // What is not sent now is sent with the next round.
      (void)::sendto(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL, name.data(), name.size);
    }
  }
}

std::error_code prepare(int fd, const SocketAddress& from) {
  const Name name{from.with_port(0)};
  if (::bind(fd, name.data(), name.size) != 0) return system_error(errno);
  if (!from.is_ipv4()) return {};
  in_addr source{};
  std::memcpy(&source, from.octets().data(), sizeof source);
  if (::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &source, sizeof source) != 0 ||
      ::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &kMulticastHops, sizeof kMulticastHops) != 0) {
    return system_error(errno);
  }
  return {};
}

}  // namespace

std::expected<std::string, std::error_code> exchange_by_tcp(
    const SocketAddress& to, std::string_view request,
    const std::function<bool(std::string_view)>& is_whole, const ExchangeLimits& limits) {
  const Instant end = after(limits.time);
  const Socket socket{to, SOCK_STREAM};
  if (socket.fd() < 0) return std::unexpected(system_error(errno));
  if (const auto error = connect(socket.fd(), to, end)) return std::unexpected(error);
  if (const auto error = send_all(socket.fd(), request, end)) return std::unexpected(error);
  std::string out;
  std::array<char, 4096> piece{};
  while (!is_whole(out)) {
    if (now() >= end) return std::unexpected(timed_out());
    const auto size = ::recv(socket.fd(), piece.data(), piece.size(), 0);
    if (size == 0) break;
    if (size > 0) {
      out.append(piece.data(), static_cast<std::size_t>(size));
      if (out.size() > limits.bytes) {
        return std::unexpected(std::make_error_code(std::errc::message_size));
      }
    } else if (!is_not_yet(errno)) {
      return std::unexpected(system_error(errno));
    } else if (!wait_for(socket.fd(), POLLIN, end)) {
      return std::unexpected(timed_out());
    }
  }
  return out;
}

std::error_code ask_by_datagrams(
    const DatagramQuestions& questions,
    const std::function<bool(const SocketAddress&, std::string_view)>& take) {
  const Socket socket{questions.from, SOCK_DGRAM};
  if (socket.fd() < 0) return system_error(errno);
  if (const auto error = prepare(socket.fd(), questions.from)) return error;
  const Instant end = after(questions.time);
  std::array<char, 2048> datagram{};
  for (Instant next = now(); now() < end;) {
    if (now() >= next) {
      send_each(socket.fd(), questions);
      next = after(questions.interval);
    }
    if (!wait_for(socket.fd(), POLLIN, std::min(next, end))) continue;
    sockaddr_storage from{};
    socklen_t from_size = sizeof from;
    const auto size = ::recvfrom(socket.fd(), datagram.data(), datagram.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) continue;  // An ICMP message about one of the questions.
    if (take(from_sockaddr(from), {datagram.data(), static_cast<std::size_t>(size)})) return {};
  }
  return timed_out();
}

}  // namespace qpeer::io
