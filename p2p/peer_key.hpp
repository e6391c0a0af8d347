// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which process of a peer: several may show one key.
#pragma once

#include <compare>
#include <cstdint>

#include "qpeer/crypto/peer_id.hpp"

namespace qpeer::p2p {

/// The instance is drawn when a Node is made, and its introductions carry it. It is zero for peers of a
/// minor version without one: all processes of such a peer count as one.
struct PeerKey {
  PeerKey() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): an id alone is that of a peer that sends no instance.
  PeerKey(const PeerId& peer, std::uint64_t number = 0) : id(peer), instance(number) {}

  PeerId id{};
  std::uint64_t instance = 0;
  friend auto operator<=>(const PeerKey&, const PeerKey&) = default;
};

}  // namespace qpeer::p2p
