// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Header protection as a mask put on and taken off, and the packets that share a datagram.
// RFC 9001 §5.4.1; RFC 9000 §12.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::wire {

/// What the first five bytes of a header protection cipher's output are laid over.
using HeaderMask = std::array<u8, 5>;

/// What a header tells once its protection is gone.
struct Unprotected {
  std::size_t header_size = 0;  ///< With the packet number: the payload starts here.
  std::uint64_t truncated = 0;  ///< The packet number as on the wire.
  std::size_t packet_number_length = 0;
  u8 first_byte = 0;
};

/// Removes header protection in place. The packet must hold four bytes at the offset, which
/// decode_header() makes sure of. Its reserved bits are to be judged only after the payload was
/// authenticated, RFC 9000 §17.2.
Unprotected unprotect_header(MutableBytes packet, std::size_t packet_number_offset,
                             const HeaderMask& mask);

/// Applies header protection in place.
void protect_header(MutableBytes packet, std::size_t packet_number_offset,
                    std::size_t packet_number_length, const HeaderMask& mask);

/// The cipher's input for the packet, which decode_header() has found long enough.
constexpr Bytes header_sample(Bytes packet, std::size_t packet_number_offset) {
  return packet.subspan(packet_number_offset + kSampleOffset, kSampleSize);
}

/// Walks the packets of one datagram:
///   for (PacketSplitter split{datagram, 8}; auto header = split.next();) ... split.packet() ...
class PacketSplitter {
 public:
  PacketSplitter(MutableBytes datagram, std::size_t short_dcid_length,
                 bool accept_zero_fixed_bit = false)
      : rest_(datagram),
        short_dcid_length_(short_dcid_length),
        accept_zero_fixed_bit_(accept_zero_fixed_bit) {}

  /// The next packet's header, or why it is dropped; nullopt at the end. After a packet of unknown
  /// size comes the end. A packet for another connection than the first one's is dropped, those
  /// after it are still looked at.
  [[nodiscard]] std::optional<std::expected<ProtectedHeader, DropReason>> next();

  /// The bytes of the packet that next() told of; all that was left, if its size is unknown.
  [[nodiscard]] MutableBytes packet() const { return packet_; }

 private:
  MutableBytes rest_;
  MutableBytes packet_;
  std::size_t short_dcid_length_;
  bool accept_zero_fixed_bit_;
  std::optional<ConnectionId> first_dcid_;
};

}  // namespace qpeer::wire
