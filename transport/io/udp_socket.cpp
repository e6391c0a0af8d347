// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/udp_socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "qpeer/transport/io/udp_cmsg.hpp"
#include "qpeer/transport/io/udp_offload.hpp"

namespace qpeer::io {
namespace {

std::error_code system_error(int error) { return {error, std::system_category()}; }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// The socket is wrong, not the datagram or the network: it will not get better.
bool is_fatal(int error) { return error == EBADF || error == ENOTSOCK || error == EFAULT; }

// Transient: an error of the network, or too little memory. It says nothing about GSO and ECN, and the
// next call may succeed.
bool is_passing(int error) {
  switch (error) {
    case ENOBUFS:
    case ENOMEM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ECONNREFUSED:
    case ECONNRESET:
      return true;
    default:
      return false;
  }
}

// Calls again for as long as a signal interrupts.
template <class F>
auto uninterrupted(F&& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

std::size_t datagrams_in(std::size_t size, std::size_t segment_size) {
  return (size + segment_size - 1) / segment_size;
}

}  // namespace

// What remains of a train, and where it goes.
struct UdpSocket::Departure {
  Bytes bytes;  // The whole train.
  std::size_t segment_size = 0;
  std::size_t& offset;
  sockaddr_storage name;
  std::uint32_t name_size = 0;
  SendControl control;
  bool segmented = true;  // May leave by GSO.

  [[nodiscard]] Bytes rest() const { return bytes.subspan(offset); }
  [[nodiscard]] Bytes next() const { return rest().first(std::min(segment_size, rest().size())); }
  msghdr message(ControlBuffer& buffer, std::size_t segment, iovec& io) {
    msghdr out{};
    out.msg_name = &name;
    out.msg_namelen = name_size;
    out.msg_iov = &io;
    out.msg_iovlen = 1;
    control.segment_size = segment;
    write_control(control, buffer, out);
    return out;
  }
};

namespace {

iovec io_of(Bytes bytes) { return {const_cast<u8*>(bytes.data()), bytes.size()}; }

}  // namespace

std::expected<UdpSocket, std::error_code> UdpSocket::bind(const SocketAddress& address,
                                                          const Options& options) {
  sockaddr_storage name{};
  const auto size =
      to_sockaddr(address, address.is_ipv6() ? SocketFamily::ipv6 : SocketFamily::ipv4, name);
  if (size == 0) return std::unexpected(std::make_error_code(std::errc::invalid_argument));
  const int fd = ::socket(address.is_ipv6() ? AF_INET6 : AF_INET,
                          SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(system_error(errno));
  UdpSocket out{fd, address.is_ipv6()};
  if (const auto error = configure(fd, address, options, out.capabilities_)) {
    return std::unexpected(error);
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), size) != 0) {
    return std::unexpected(system_error(errno));
  }
  socklen_t bound = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bound) != 0) {
    return std::unexpected(system_error(errno));
  }
  out.local_ = from_sockaddr(name);
  return out;
}

UdpStats& UdpStats::operator+=(const UdpStats& other) {
  datagrams_sent += other.datagrams_sent;
  bytes_sent += other.bytes_sent;
  send_calls += other.send_calls;
  send_blocked += other.send_blocked;
  datagrams_lost += other.datagrams_lost;
  datagrams_received += other.datagrams_received;
  bytes_received += other.bytes_received;
  receive_calls += other.receive_calls;
  receive_errors += other.receive_errors;
  truncated += other.truncated;
  if (other.last_send_error) last_send_error = other.last_send_error;
  return *this;
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : local_(other.local_),
      capabilities_(other.capabilities_),
      stats_(other.stats_),
      fd_(std::exchange(other.fd_, -1)),
      is_ipv6_(other.is_ipv6_),
      gso_refusals_(other.gso_refusals_),
      ecn_refusals_(other.ecn_refusals_),
      closed_ports_(std::move(other.closed_ports_)) {}

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  local_ = other.local_;
  capabilities_ = other.capabilities_;
  stats_ = other.stats_;
  fd_ = std::exchange(other.fd_, -1);
  is_ipv6_ = other.is_ipv6_;
  gso_refusals_ = other.gso_refusals_;
  ecn_refusals_ = other.ecn_refusals_;
  closed_ports_ = std::move(other.closed_ports_);
  return *this;
}

UdpSocket::~UdpSocket() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<std::size_t, std::error_code> UdpSocket::receive_trains(
    MutableBytes slab, std::span<ReceivedTrain> trains) {
  const std::size_t room = std::min({slab.size() / kRegionSize, trains.size(), kMaxRegions});
  // Left uninitialised: the loop sets all that the kernel reads.
  std::array<mmsghdr, kMaxRegions> messages;
  std::array<iovec, kMaxRegions> ios;
  std::array<sockaddr_storage, kMaxRegions> names;
  std::array<ControlBuffer, kMaxRegions> controls;
  for (std::size_t i = 0; i < room; ++i) {
    ios[i] = {slab.data() + i * kRegionSize, kRegionSize};
    messages[i] = {};
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
    messages[i].msg_hdr.msg_iov = &ios[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_control = controls[i].bytes;
    messages[i].msg_hdr.msg_controllen = sizeof controls[i].bytes;
  }
  const int received = uninterrupted([&] {
    ++stats_.receive_calls;
    return ::recvmmsg(fd_, messages.data(), static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
  });
  if (received < 0) {
    if (is_fatal(errno)) return std::unexpected(system_error(errno));
    if (!would_block(errno)) ++stats_.receive_errors;
    // Errors that wait make the descriptor readable until they are read.
    drain_errors();
    return 0;
  }
  std::size_t count = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
    msghdr& message = messages[i].msg_hdr;
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      ++stats_.truncated;
      continue;
    }
    const ReceivedControl control = read_control(message);
    ReceivedTrain& train = trains[count++];
    train.path.remote = from_sockaddr(names[i]);
    train.path.local = control.local.valid() ? control.local.with_port(local_.port()) : local_;
    train.ecn = control.ecn;
    train.bytes = slab.subspan(i * kRegionSize, messages[i].msg_len);
    train.segment_size = control.segment_size != 0 ? control.segment_size : train.bytes.size();
    stats_.bytes_received += train.bytes.size();
    stats_.datagrams_received +=
        train.bytes.empty() ? 1 : datagrams_in(train.bytes.size(), train.segment_size);
  }
  return count;
}

SocketFamily UdpSocket::family() const {
  if (!is_ipv6_) return SocketFamily::ipv4;
  return capabilities_.dual_stack ? SocketFamily::dual_stack : SocketFamily::ipv6;
}

// The source to ask for: none where the kernel has no choice, or must make it.
SocketAddress UdpSocket::source_for(const Path& path) const {
  const bool ask = path.local.valid() && !path.local.is_wildcard() && capabilities_.packet_info &&
                   path.local.is_ipv4() == path.remote.is_ipv4() && !path.local.same_host(local_);
  return ask ? path.local : SocketAddress{};
}

std::expected<bool, std::error_code> UdpSocket::send(const Transmit& transmit, Bytes bytes,
                                                     std::size_t& offset) {
  Departure departure{.bytes = bytes.first(std::min(transmit.size, bytes.size())),
                      .segment_size = std::max<std::size_t>(transmit.segment_size, 1),
                      .offset = offset,
                      .name = {},
                      .control = {},
                      .segmented = capabilities_.gso};
  if (transmit.segment_size == 0) departure.segment_size = std::max<std::size_t>(transmit.size, 1);
  departure.name_size = to_sockaddr(transmit.path.remote, family(), departure.name);
  departure.control.source = source_for(transmit.path);
  departure.control.ecn = capabilities_.ecn ? transmit.ecn : Ecn::not_ect;
  departure.control.to_ipv4 = transmit.path.remote.is_ipv4();
  while (offset < departure.bytes.size()) {
    const std::size_t left = departure.rest().size();
    StepResult step;
    if (departure.name_size == 0) {
      step = refused(departure, left, EAFNOSUPPORT);
    } else if (departure.segmented && left > departure.segment_size &&
               2 * departure.segment_size <= kMaxTransmitSize) {
      step = send_segmented(departure);
    } else {
      step = send_singly(departure);
    }
    if (!step) return std::unexpected(step.error());
    if (*step == Step::blocked) {
      ++stats_.send_blocked;
      return false;
    }
  }
  return true;
}

void UdpSocket::gone(Departure& departure, std::size_t size) {
  if (departure.control.ecn != Ecn::not_ect) ecn_refusals_ = 0;
  stats_.datagrams_sent += datagrams_in(size, departure.segment_size);
  stats_.bytes_sent += size;
  departure.offset += size;
}

// The first `size` bytes of the rest will not leave.
UdpSocket::StepResult UdpSocket::refused(Departure& departure, std::size_t size, int error) {
  if (would_block(error)) return Step::blocked;
  if (is_fatal(error)) return std::unexpected(system_error(error));
  stats_.datagrams_lost += datagrams_in(size, departure.segment_size);
  stats_.last_send_error = system_error(error);
  departure.offset += size;
  return Step::on;
}

// The kernel reports an ICMP error by failing whatever call comes next, which has nothing to do with
// it: that call is made again.
template <class F>
auto UdpSocket::send_call(F&& call) {
  constexpr int kMaxRepeats = 3;
  for (int repeats = 0;; ++repeats) {
    const auto sent = uninterrupted([&] {
      ++stats_.send_calls;
      return call();
    });
    const int error = errno;
    const bool repeat = sent < 0 && !would_block(error) && !is_fatal(error) &&
                        repeats < kMaxRepeats && drain_errors();
    errno = error;
    if (!repeat) return sent;
  }
}

// Reads the ICMP errors that wait. Whether there were any.
bool UdpSocket::drain_errors() {
  constexpr int kMaxErrors = 64;
  bool any = false;
  for (int i = 0; capabilities_.closed_ports && i < kMaxErrors; ++i) {
    ClosedPort closed;
    sockaddr_storage name{};
    ControlBuffer control;
    iovec io{closed.storage.data(), closed.storage.size()};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = &io;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const auto size = ::recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0) break;
    const int error = read_icmp_error(message);
    any |= error != 0;
    if (error != ECONNREFUSED || closed_ports_.size() >= kMaxClosedPorts) continue;
    closed.remote = from_sockaddr(name);
    closed.size = static_cast<std::size_t>(size);
    closed_ports_.push_back(closed);
  }
  return any;
}

UdpSocket::StepResult UdpSocket::send_segmented(Departure& departure) {
  const std::size_t segments =
      std::min(kMaxTransmitSegments, kMaxTransmitSize / departure.segment_size);
  const Bytes train =
      departure.rest().first(std::min(segments * departure.segment_size, departure.rest().size()));
  ControlBuffer buffer;
  iovec io = io_of(train);
  const msghdr message = departure.message(buffer, departure.segment_size, io);
  const auto sent =
      send_call([&] { return ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent < 0) return send_degraded(departure, train.size(), errno);
  gso_refusals_ = 0;
  gone(departure, train.size());
  return Step::on;
}

UdpSocket::StepResult UdpSocket::send_singly(Departure& departure) {
  std::array<mmsghdr, kMaxTransmitSegments> messages;
  std::array<iovec, kMaxTransmitSegments> ios;
  ControlBuffer buffer;
  std::size_t count = 0;
  for (Bytes rest = departure.rest(); !rest.empty() && count < messages.size(); ++count) {
    const Bytes datagram = rest.first(std::min(departure.segment_size, rest.size()));
    ios[count] = io_of(datagram);
    if (count == 0) {
      messages[0] = {};
      messages[0].msg_hdr = departure.message(buffer, 0, ios[0]);
    } else {
      messages[count] = messages[0];
      messages[count].msg_hdr.msg_iov = &ios[count];
    }
    rest = rest.subspan(datagram.size());
  }
  const int sent = send_call([&] {
    return ::sendmmsg(fd_, messages.data(), static_cast<unsigned>(count),
                      MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  if (sent < 0) return send_degraded(departure, departure.next().size(), errno);
  std::size_t size = 0;
  for (int i = 0; i < sent; ++i) size += ios[static_cast<std::size_t>(i)].iov_len;
  gone(departure, size);
  return Step::on;
}

// After the next `size` bytes were refused: sends one datagram without GSO, then without its ECN mark.
// If one of these succeeds, the option is off for the rest of the train, and mostly for good. A bad
// address is refused either way, and switches nothing off.
UdpSocket::StepResult UdpSocket::send_degraded(Departure& departure, std::size_t size, int error) {
  const Bytes datagram = departure.next();
  // Whether it leaves now; else `error` says why not.
  const auto leaves = [&] {
    if (would_block(error) || is_fatal(error)) return false;
    ControlBuffer buffer;
    iovec io = io_of(datagram);
    const msghdr message = departure.message(buffer, 0, io);
    const auto sent =
        send_call([&] { return ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
    if (sent < 0) error = errno;
    return sent >= 0;
  };
  if (size > datagram.size() && leaves()) {
    departure.segmented = false;
    give_up(capabilities_.gso, gso_refusals_, error);
    gone(departure, datagram.size());
    return Step::on;
  }
  if (departure.control.ecn != Ecn::not_ect) {
    const Ecn mark = std::exchange(departure.control.ecn, Ecn::not_ect);
    if (leaves()) {
      give_up(capabilities_.ecn, ecn_refusals_, error);
      gone(departure, datagram.size());
      return Step::on;
    }
    departure.control.ecn = mark;
  }
  return refused(departure, size, error);
}

// A datagram was sent only without `ability`, which is switched off: after a transient error only when
// that came several times in a row.
void UdpSocket::give_up(bool& ability, u8& refusals, int error) {
  constexpr u8 kMaxRefusals = 3;
  if (!is_passing(error) || ++refusals >= kMaxRefusals) ability = false;
}

}  // namespace qpeer::io
