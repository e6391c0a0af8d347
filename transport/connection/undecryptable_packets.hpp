// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packets that came before the keys that open them: few, kept as they came. RFC 9001 §4.1.4, §5.7.
#pragma once

#include <cstddef>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

/// Has no storage of its own while it is empty.
class UndecryptablePackets {
 public:
  /// About the initial window of a peer, RFC 9002 §7.2.
  static constexpr std::size_t kMaxPackets = 10;
  static constexpr std::size_t kMaxBytes = 16 << 10;

  struct Packet {
    EncryptionLevel level = EncryptionLevel::one_rtt;
    Ecn ecn = Ecn::not_ect;
    Instant received_at;
    std::vector<u8> bytes;  ///< Protected, alone.
  };

  [[nodiscard]] bool empty() const { return packets_.empty(); }
  [[nodiscard]] std::size_t size() const { return packets_.size(); }
  /// Copies `bytes`; false when there is no room.
  bool keep(Instant received_at, EncryptionLevel level, Ecn ecn, Bytes bytes);
  /// Gives away those of a level, in their order.
  std::vector<Packet> take(EncryptionLevel level);
  void clear();

  /// Whether the sum is right, and within the bounds. For assertions.
  [[nodiscard]] bool consistent() const {
    std::size_t bytes = 0;
    for (const Packet& packet : packets_) bytes += packet.bytes.size();
    return bytes == size_in_bytes_ && bytes <= kMaxBytes && packets_.size() <= kMaxPackets;
  }

 private:
  std::vector<Packet> packets_;
  std::size_t size_in_bytes_ = 0;
};

}  // namespace qpeer::transport
