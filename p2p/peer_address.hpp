// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The address of a peer, with the id that the peer must have, if that is known.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/transport/base/address.hpp"

namespace qpeer::p2p {

/// A contact as people pass it on: "PEERID@host:port", where all but the host may be missing, or a ticket, which is
/// one word with the id and up to eight places (docs/peers.md has its format).
struct PeerAddress {
  /// Where a peer may answer.
  struct Place {
    std::string host{};      ///< A name or an IP address, without brackets.
    std::uint16_t port = 0;  ///< UDP.

    /// The host by its IP address, which must be valid().
    [[nodiscard]] static Place at(const SocketAddress& address);
    /// The IP address that the host is; nullopt when it is a name, or has the name of an interface.
    [[nodiscard]] std::optional<SocketAddress> address() const;
    /// "node.example:443" or "[2001:db8::1]:443".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const Place&, const Place&) = default;
  };

  std::optional<PeerId> id{};   ///< Whose key must answer there; unset: anybody's.
  std::string host{};           ///< A name or an IP address, without brackets.
  std::uint16_t port = 0;       ///< UDP.
  std::vector<Place> others{};  ///< Where the same peer may answer too, best first. Of a ticket.

  /// Reads "PEERID@host:port", "host:port", "host", "[v6]:port", "v6" and tickets, with white space
  /// around it. Without a port the default one is taken. Else a sentence that says what is wrong; nothing
  /// is looked up.
  [[nodiscard]] static std::expected<PeerAddress, std::string> parse(std::string_view text,
                                                                     std::uint16_t default_port);

  /// Host and port, and then `others`: they are dialled in this order.
  [[nodiscard]] std::vector<Place> places() const;

  /// "PEERID@host:port", always with the port and without `others`. Reads back through parse().
  [[nodiscard]] std::string to_string() const;
  /// The ticket, with the first eight of places(). Reads back through parse(). Empty without an id.
  [[nodiscard]] std::string to_ticket() const;

  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

}  // namespace qpeer::p2p
