// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Version Negotiation packets, which all versions of QUIC share. RFC 8999 §6; RFC 9000 §17.2.1.
//
//   1 form | 7 unused, version 0, dcid (0..255), scid (0..255), supported versions of 4 bytes each
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer::wire {

/// A list of versions as it lies on the wire.
class VersionList {
 public:
  class Iterator {
   public:
    constexpr explicit Iterator(Bytes rest) : rest_(rest) {}
    constexpr Version operator*() const { return Version{Reader{rest_}.u32()}; }
    constexpr Iterator& operator++() {
      rest_ = rest_.subspan(4);
      return *this;
    }
    friend constexpr bool operator==(const Iterator& a, const Iterator& b) {
      return a.rest_.size() == b.rest_.size();
    }

   private:
    Bytes rest_;
  };

  constexpr VersionList() = default;
  /// The size of `encoded` must be a multiple of four.
  constexpr explicit VersionList(Bytes encoded) : encoded_(encoded) {}
  [[nodiscard]] constexpr std::size_t size() const { return encoded_.size() / 4; }
  [[nodiscard]] constexpr Iterator begin() const { return Iterator(encoded_); }
  [[nodiscard]] constexpr Iterator end() const { return Iterator(encoded_.last(0)); }
  [[nodiscard]] constexpr bool contains(Version version) const {
    for (const Version each : *this) {
      if (each == version) return true;
    }
    return false;
  }

 private:
  Bytes encoded_;
};

/// A Version Negotiation packet. Views into it.
struct VersionNegotiationPacket {
  Bytes destination_connection_id{};
  Bytes source_connection_id{};
  VersionList supported_versions{};  ///< Never empty.
};

/// Decodes a packet that fills `packet`: malformed_header when the list is empty or cut.
[[nodiscard]] std::expected<VersionNegotiationPacket, DropReason> decode_version_negotiation(
    Bytes packet);

/// Writes a whole packet. `random` fills the unused bits of the first byte. The connection IDs,
/// of up to 255 bytes, are those of the packet that is answered, exchanged.
void encode_version_negotiation(Writer& out, u8 random, Bytes dcid, Bytes scid,
                                std::span<const Version> supported_versions);

}  // namespace qpeer::wire
