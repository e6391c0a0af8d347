// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A UDP socket that moves trains of datagrams: GSO out, GRO in, ECN marks and local addresses in
// both directions. It works without what the kernel lacks; capabilities() says what there is.
//
//   send:     Transmit --> one sendmsg with UDP_SEGMENT  (or sendmmsg of single datagrams)
//   receive:  one recvmmsg --> up to 16 regions of 64 KiB --> a call for each datagram in them
//
// RFC 9000 §13.4 (ECN), §14 (no fragmentation), §9 (both addresses of a path).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "qpeer/transport/base/datagram.hpp"

namespace qpeer::io {

enum class SocketFamily : u8;

/// What to ask of the kernel. Each switch allows something; capabilities() says what the kernel does.
struct UdpOptions {
  bool gso = true;            ///< Send trains with UDP_SEGMENT.
  bool gro = true;            ///< Receive trains with UDP_GRO.
  bool ecn = true;            ///< Send and receive ECN marks.
  bool packet_info = true;    ///< Learn and choose local addresses when bound to a wildcard.
  bool dont_fragment = true;  ///< Set DF, and ignore the kernel's idea of the path MTU.
  bool dual_stack = true;     ///< A socket bound to [::] speaks IPv4 too.
  bool closed_ports = true;   ///< Learn, by ICMP, that a port at the other end is closed.
  bool reuse_port = false;    ///< SO_REUSEPORT: several loops share one port.
  std::size_t buffer_size = 4 << 20;  ///< Bytes asked for in each direction; 0 keeps the default.
};

/// What a socket really does. Less than at first once the kernel has refused `gso` or `ecn`.
struct UdpCapabilities {
  bool gso = false;             ///< Trains leave as such, by UDP_SEGMENT.
  bool gro = false;             ///< Trains arrive as such, by UDP_GRO.
  bool ecn = false;             ///< ECN marks are sent and received.
  bool packet_info = false;     ///< The local address of each datagram is known and can be chosen.
  bool dont_fragment = false;   ///< DF is set.
  bool closed_ports = false;    ///< Ports that are closed at the other end are reported.
  bool dual_stack = false;      ///< An IPv6 socket that speaks IPv4 too.
  std::size_t send_buffer = 0;  ///< Bytes granted, as the kernel counts them.
  std::size_t receive_buffer = 0;  ///< Bytes granted, as the kernel counts them.
};

/// An ICMP message says that no socket is bound to `remote`. An attacker may have forged it: it proves only
/// that its sender has seen the quoted bytes.
struct ClosedPort {
  /// Of a datagram of ours: enough for the longest connection IDs of a long header.
  static constexpr std::size_t kMaxQuoted = 64;

  SocketAddress remote;                  ///< Where we sent to.
  std::array<u8, kMaxQuoted> storage{};  ///< See quoted().
  std::size_t size = 0;                  ///< Of what is quoted.

  /// The beginning of the payload of our datagram that found the port closed; some senders quote none.
  [[nodiscard]] Bytes quoted() const { return Bytes(storage).first(size); }
};

/// Counts of one socket since it was bound.
struct UdpStats {
  std::uint64_t datagrams_sent = 0;  ///< Those that the kernel took.
  std::uint64_t bytes_sent = 0;      ///< Of their UDP payloads.
  std::uint64_t send_calls = 0;      ///< System calls, also those that would have blocked.
  std::uint64_t send_blocked = 0;    ///< How often a send would have blocked.
  std::uint64_t datagrams_lost = 0;  ///< Refused by the kernel: too big, unreachable, no buffer.
  std::uint64_t datagrams_received = 0;  ///< Without those of `truncated` trains.
  std::uint64_t bytes_received = 0;      ///< Of their UDP payloads.
  std::uint64_t receive_calls = 0;       ///< System calls, also those that found nothing.
  std::uint64_t receive_errors = 0;      ///< Transient errors of receive calls.
  std::uint64_t truncated = 0;           ///< Received trains that did not fit; they are dropped.
  std::error_code last_send_error;       ///< Why the latest datagram was lost.

  /// The counts of both together; the error is that of `other` where it has one.
  UdpStats& operator+=(const UdpStats& other);
};

/// What one region of the slab holds after a receive: datagrams of `segment_size` bytes each, the
/// last may be shorter. They all came over one path with one mark.
struct ReceivedTrain {
  Path path;                     ///< `local` is where they arrived.
  Ecn ecn = Ecn::not_ect;        ///< As the IP headers carried it.
  MutableBytes bytes;            ///< Their UDP payloads, one behind the other, in the slab.
  std::size_t segment_size = 0;  ///< Bytes of each but the last; 0 for one empty datagram.

  /// Hands over each datagram in order; returns how many there were.
  template <class F>
  std::size_t for_each(F&& on_datagram) const {
    if (bytes.empty()) {  // An empty datagram is one too.
      on_datagram(ReceivedDatagram{path, ecn, bytes});
      return 1;
    }
    std::size_t count = 0;
    for (std::size_t at = 0; at < bytes.size(); at += segment_size, ++count) {
      const std::size_t size = std::min(segment_size, bytes.size() - at);
      on_datagram(ReceivedDatagram{path, ecn, bytes.subspan(at, size)});
    }
    return count;
  }
};

/// Never blocks. Move-only. Closes its descriptor when destroyed. Of one thread at a time.
class UdpSocket {
 public:
  /// What bind() takes.
  using Options = UdpOptions;

  /// The size of a region of the slab: the largest that a GRO train gets.
  static constexpr std::size_t kRegionSize = 65'536;
  /// The most regions that one receive fills.
  static constexpr std::size_t kMaxRegions = 16;

  /// Binds to `address`; port 0 lets the kernel choose one. The errors are those of the operating
  /// system (std::errc::address_in_use, address_not_available, permission_denied, ...), and
  /// invalid_argument for an address that is not valid().
  [[nodiscard]] static std::expected<UdpSocket, std::error_code> bind(const SocketAddress& address,
                                                                      const Options& options = {});

  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&& other) noexcept;
  ~UdpSocket();

  /// The address bound to, with the port that was chosen.
  [[nodiscard]] const SocketAddress& local_address() const { return local_; }
  /// What the kernel granted, and what it has refused since.
  [[nodiscard]] const UdpCapabilities& capabilities() const { return capabilities_; }
  /// Counts since bind().
  [[nodiscard]] const UdpStats& stats() const { return stats_; }
  /// The descriptor, for an event loop. It stays the socket's.
  [[nodiscard]] int fd() const { return fd_; }

  /// Receives once, without blocking, into `slab` (a multiple of kRegionSize; at least one region;
  /// more than kMaxRegions are not used), and calls `on_datagram(const ReceivedDatagram&)` for each
  /// datagram in order of arrival. Returns how many; 0 when there is nothing. The payloads lie in
  /// the slab until it is used again. path.local is the address that the datagram was sent to (the
  /// bound address when packet_info is off) with the bound port. Errors are fatal to the socket.
  template <class F>
  [[nodiscard]] std::expected<std::size_t, std::error_code> receive(MutableBytes slab,
                                                                    F&& on_datagram) {
    std::array<ReceivedTrain, kMaxRegions> trains;
    const auto received = receive_trains(slab, trains);
    if (!received) return std::unexpected(received.error());
    std::size_t count = 0;
    for (const ReceivedTrain& train : std::span(trains).first(*received)) {
      count += train.for_each(on_datagram);
    }
    return count;
  }

  /// As receive(), by trains. Returns how many of `trains` were filled; fewer than there was room
  /// for (regions of the slab, elements of `trains`) means that the socket was drained.
  [[nodiscard]] std::expected<std::size_t, std::error_code> receive_trains(
      MutableBytes slab, std::span<ReceivedTrain> trains);

  /// Whether take_closed_ports() has some.
  [[nodiscard]] bool has_closed_ports() const { return !closed_ports_.empty(); }
  /// What a call of receive_trains() or send() has learned of closed ports: the first kMaxClosedPorts.
  [[nodiscard]] std::vector<ClosedPort> take_closed_ports() {
    return std::exchange(closed_ports_, {});
  }
  static constexpr std::size_t kMaxClosedPorts = 16;  ///< See take_closed_ports().

  /// Sends a train whose bytes are the first transmit.size of `bytes`, at most
  /// kMaxTransmitSegments datagrams. True: it was sent; the storage may be reused. False: it would
  /// block; keep it, and call again with the same arguments when the socket is writable.
  ///
  /// Leaves from path.local when that is valid and not a wildcard, else the kernel chooses.
  /// Datagrams that the kernel refuses (too big, unreachable, forbidden, no buffer) are counted
  /// in stats().datagrams_lost and are treated as sent: loss recovery finds them lost. An error
  /// means that the socket itself cannot be used any more.
  ///
  /// `offset` is how many bytes of the train were sent: start with 0, and keep it between calls,
  /// so that no datagram is sent twice.
  [[nodiscard]] std::expected<bool, std::error_code> send(const Transmit& transmit, Bytes bytes,
                                                          std::size_t& offset);
  /// The same for a caller that does not mind if a train that blocked midway repeats its start.
  [[nodiscard]] std::expected<bool, std::error_code> send(const Transmit& transmit, Bytes bytes) {
    std::size_t offset = 0;
    return send(transmit, bytes, offset);
  }

 private:
  UdpSocket(int fd, bool is_ipv6) : fd_(fd), is_ipv6_(is_ipv6) {}

  struct Departure;  // One train on its way out.
  enum class Step : u8 { on, blocked };
  using StepResult = std::expected<Step, std::error_code>;

  StepResult send_segmented(Departure& departure);
  StepResult send_singly(Departure& departure);
  StepResult send_degraded(Departure& departure, std::size_t size, int error);
  StepResult refused(Departure& departure, std::size_t size, int error);
  void gone(Departure& departure, std::size_t size);
  template <class F>
  auto send_call(F&& call);
  bool drain_errors();
  static void give_up(bool& ability, u8& refusals, int error);
  [[nodiscard]] SocketFamily family() const;
  [[nodiscard]] SocketAddress source_for(const Path& path) const;

  SocketAddress local_;
  UdpCapabilities capabilities_;
  UdpStats stats_;
  int fd_ = -1;
  bool is_ipv6_ = false;
  u8 gso_refusals_ = 0;  // In a row, of those that may pass.
  u8 ecn_refusals_ = 0;
  std::vector<ClosedPort> closed_ports_;
};

}  // namespace qpeer::io
