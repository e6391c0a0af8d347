// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A contact as one word: the id of a peer and the places where it may answer. The word has letters and digits
// only, so that it can be selected and copied as a whole, and a mistyped one is refused.
//
//   ticket   = "qpeerticket" | version | base32(body | checksum)          version: "1"
//   body     = id (32) | size of all entries (2) | entry ...
//   entry    = kind (1) | size of the value (1) | value
//
//   kind 1   = IPv4 address (4) | port (2)
//   kind 2   = IPv6 address (16) | port (2)
//   kind 3   = port (2) | name of a host, or an address with a zone (1 to 253)
//   others     are of a later version, and skipped
//
//   checksum = CRC-32 of the body (4, the lowest byte first)
//
// Integers are in network order otherwise. A CRC and no hash, for it promises something: whatever is changed
// within up to five neighbouring characters is noticed (they lie in four bytes), so each mistyped character and
// each swap of neighbours; of other errors one in four thousand million passes. That nobody made the ticket up no
// checksum can say: the id is what the peer has to prove.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/peer_address.hpp"

namespace qpeer::p2p {

struct Ticket {
  using Place = PeerAddress::Place;
  static constexpr std::string_view kPrefix = "qpeerticket";  ///< Of all versions.
  static constexpr std::size_t kMaxPlaces = 8;
  static constexpr std::size_t kMaxTextSize = 4096;  ///< More than kMaxPlaces of the longest need.

  PeerId id;
  std::vector<Place> places{};  ///< Best first.

  /// Whether the text is meant as a ticket: it begins as one, in upper or lower case.
  [[nodiscard]] static bool is_meant(std::string_view text);
  /// Reads what to_string() writes, in upper or lower case; else a sentence that says what is wrong. Names of
  /// hosts are taken as they are.
  [[nodiscard]] static std::expected<Ticket, std::string> parse(std::string_view text);
  /// Leaves out places after the first kMaxPlaces, and those without a host or with one of more than 253 bytes.
  [[nodiscard]] std::string to_string() const;
};

}  // namespace qpeer::p2p
