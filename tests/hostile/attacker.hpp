// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Makes hostile datagrams of every kind that somebody on or off the path could send.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "qpeer/tests/sim/network.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::sim {

/// Listens at the link, and sends to `target` in the name of others.
class Attacker {
 public:
  enum class Kind : u8 {
    garbage,             ///< Random bytes of any size.
    plausible_garbage,   ///< The same behind a first byte and version that look like QUIC.
    truncated,           ///< The beginning of a real datagram.
    extended,            ///< A real datagram with more behind it.
    oversized,           ///< As large as UDP allows.
    unknown_version,     ///< A long header of a version that nobody speaks.
    unknown_connection,  ///< A short header for nobody.
    forged_packet,       ///< A short header for a real connection, garbage behind it.
    flipped,             ///< A real datagram with a few bits changed.
    replayed,            ///< A real datagram again, from where it came.
    replayed_elsewhere,  ///< The same from somewhere else.
    replayed_initial,    ///< A real first Initial of some client, from any address.
    count_,
  };
  static constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::count_);

  /// `target` and `victim` are the ends of a connection; both get hostile datagrams in the other's
  /// name, the target from strangers too.
  Attacker(Network& network, SocketAddress target, SocketAddress victim);

  /// Keeps it for replays.
  void capture(const Passing& datagram);
  /// Keeps a client's first datagram.
  void capture_initial(Bytes datagram) { initials_.emplace_back(datagram.begin(), datagram.end()); }

  /// Sends one, of a random kind.
  void strike();

  [[nodiscard]] std::uint64_t sent(Kind kind) const {
    return sent_[static_cast<std::size_t>(kind)];
  }
  /// Bytes sent to the target from addresses that are not the victim's.
  [[nodiscard]] std::uint64_t bytes_from_strangers() const { return bytes_from_strangers_; }
  static bool is_stranger(const SocketAddress& address) { return address.octets()[0] == 203; }

 private:
  struct Captured {
    SocketAddress from;
    SocketAddress to;
    Ecn ecn = Ecn::not_ect;
    Instant at;
    std::vector<u8> bytes;
  };
  SocketAddress stranger();
  const Captured& any_captured();
  void make(Kind kind);
  void fill_garbage(std::size_t size);
  void take(const Captured& captured);

  Network& network_;
  SocketAddress target_;
  SocketAddress victim_;
  SeededRandom random_;
  std::vector<Captured> captured_;  ///< A ring of the last ones.
  std::size_t next_captured_ = 0;
  std::vector<std::vector<u8>> initials_;
  std::array<std::uint64_t, kKinds> sent_{};
  std::uint64_t bytes_from_strangers_ = 0;

  // The one being made.
  SocketAddress from_;
  SocketAddress to_;
  Ecn ecn_ = Ecn::not_ect;
  std::vector<u8> bytes_;
};

}  // namespace qpeer::sim
