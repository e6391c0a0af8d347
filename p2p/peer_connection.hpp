// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One QUIC connection between us and a peer. What a stage means for the peer is docs/peers.md.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/bootstrap_plan.hpp"
#include "qpeer/p2p/control_channel.hpp"
#include "qpeer/p2p/peer_key.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::p2p {

/// The number of a connection, and of a peer. A number is used again when its connection or peer is erased.
using ConnectionSlot = std::uint32_t;
using PeerSlot = std::uint32_t;
inline constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

/// Which of our ports a connection uses.
enum class Port : u8 { first, probe };

/// What the acceptor gave for a later connection, until the cache has an entry for it.
struct ResumptionSecrets {
  std::vector<u8> ticket{};
  std::vector<u8> spare_ticket{};
  std::vector<u8> address_token{};
};

struct PeerConnection {
  enum class Stage : u8 {
    handshake,         ///< Dialled, not complete.
    introducing,       ///< Our introduction or the peer's is missing.
    verifying,         ///< Accepted from a node, which is being dialled back.
    awaiting_verdict,  ///< Dialled as a node: the peer is dialling us back.
    open,              ///< Application data may flow.
    closing,           ///< The reason was sent; the close follows.
    ended,             ///< Gone. Erased as soon as its ConnectionEnded was worked off.
  };

  ConnectionSlot slot = kNoSlot;
  Port port = Port::first;
  transport::ConnectionHandle handle{};  ///< Two ports may have the same.
  bool dialled = false;
  bool newcomer = false;                ///< Counts as one: see ConnectionTable::newcomers().
  bool peer_reached_us = false;         ///< By its verdict.
  bool rejected = false;                ///< By its verdict: no link comes of a dial-back to it.
  bool turned_away = false;             ///< Its introduction says that it has no room for us.
  bool liveness_check_pending = false;  ///< A PING asks whether the peer still has it.
  Purpose purpose = Purpose::link;
  Stage stage = Stage::handshake;
  Candidate candidate = Candidate();  ///< What was dialled.
  /// What Node::connect() was called with: each call is owed a LinkUp or a LinkFailed.
  std::vector<Candidate> requested{};
  SocketAddress remote{};
  Instant began{};
  PeerId peer{};                     ///< Known from the end of the handshake.
  PeerSlot owner = kNoSlot;          ///< Its Peer, once it is a direction of a link.
  PeerSlot dial_back_for = kNoSlot;  ///< The Peer that is to be proved reachable by it.
  ControlChannel control{};
  ResumptionSecrets resumption = ResumptionSecrets();
  std::deque<Instant> pings{};
  ErrorCode close_code = ErrorCode::none;  ///< In stage `closing`.
  std::string_view close_reason{};

  [[nodiscard]] bool has_ended() const { return stage == Stage::ended; }
  /// Whether the peer completed the handshake.
  [[nodiscard]] bool was_answered() const { return peer != PeerId{}; }
  /// Which process it is, once that has introduced itself.
  [[nodiscard]] PeerKey key() const {
    const auto& introduction = control.peer_introduction();
    return {peer, introduction ? introduction->instance : 0};
  }
};

}  // namespace qpeer::p2p
