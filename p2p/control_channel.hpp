// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The control stream of one connection: who we are, who the peer is, and whether that was proved.
//
//   dialler                                  acceptor
//   Introduction (role, nonce)  -------->    its own Introduction (nonce)
//               of a node, by now            dials back ................ and gets a Proof of
//               reached: Verdict   <------   Verdict                     its own nonce there
//
// Invariant: the first message that receive() gives is the peer's introduction, of our major
// version, and it gives no second one. After finish() it gives none at all. At most kMaxUnsent bytes
// wait to be written. At most one proof is sent. Receipts are owed only to a peer that knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/p2p/control_reader.hpp"
#include "qpeer/p2p/receipt_book.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/connection.hpp"

namespace qpeer::p2p {

/// Does not know its connection: each call is given it, and nullptr once it is gone.
class ControlChannel {
 public:
  /// For a peer that reads nothing of what it asks for: what goes beyond is dropped.
  static constexpr std::size_t kMaxUnsent = 16 << 10;
  /// How often one connection may ask for peers.
  static constexpr std::uint32_t kMaxPeersRequests = 256;
  static constexpr Duration kPeersInterval = 1s;

  /// What the peer sent and must not. The connection ends with it.
  struct Fault {
    ErrorCode code = ErrorCode::none;
    std::string_view reason{};  ///< For the peer.
    std::string why{};          ///< For us.
    /// Another version is no misbehaviour.
    [[nodiscard]] bool is_violation() const { return code != ErrorCode::unsupported_version; }
  };
  /// There is more, but the other connections have their turn first.
  struct TurnOver {};
  using Received = std::variant<std::monostate, ControlMessage, Fault, TurnOver>;

  /// Before anything is read. What was sent before is written with the next write().
  void open(StreamId stream) { stream_ = stream; }
  [[nodiscard]] bool is_open() const { return stream_.has_value(); }
  [[nodiscard]] bool is(StreamId stream) const { return stream_ == stream; }

  /// Sends `introduction` with a fresh nonce.
  void introduce(transport::Connection* connection, Introduction introduction, Random& random);
  void send(transport::Connection* connection, const ControlMessage& message);
  /// Does nothing when a proof was sent before.
  void send_proof(transport::Connection* connection, const Nonce& nonce);
  /// Writes what waits, and the receipts that are owed, as far as there is room.
  void write(transport::Connection* connection);
  /// The whole of what the peer sent on `stream` is in the inbox. Goes out with the next write().
  void owe_receipt(transport::Connection* connection, StreamId stream);
  /// Ends the stream after what was sent, and ignores what comes.
  void finish(transport::Connection* connection);

  void begin_turn() { reader_.begin_turn(); }
  /// The next message; monostate when there is none yet. Only when open.
  [[nodiscard]] Received receive(transport::Connection& connection);

  /// The peer's introduction, once receive() gave it.
  [[nodiscard]] const std::optional<Introduction>& peer_introduction() const { return peer_; }
  /// Of our own introduction.
  [[nodiscard]] const Nonce& nonce() const { return nonce_; }
  /// Whether the peer takes a message of this size. Any size, before its introduction came.
  [[nodiscard]] bool accepts_size(std::size_t size) const {
    return !peer_ || size <= peer_->max_message_size;
  }
  /// Whether it confirms what it has in its inbox. Not known, and false, before its introduction came.
  [[nodiscard]] bool peer_sends_receipts() const { return peer_ && peer_->has_receipts(); }
  [[nodiscard]] ReceiptBook& receipts() { return receipts_; }
  [[nodiscard]] const ReceiptBook& receipts() const { return receipts_; }
  /// Whether Peers that came now answer something: a PeersRequest of ours, or the introduction with
  /// which we asked for a link, which a node without room answers so. Once.
  [[nodiscard]] bool take_peers_answer() { return std::exchange(peers_expected_, false); }
  /// Whether a PeersRequest that came now is to be answered. Counts it.
  [[nodiscard]] bool admit_peers_request(Instant now);

  [[nodiscard]] bool consistent() const {
    return unsent_.size() <= kMaxUnsent && (peer_ || peers_requests_ == 0) && (stream_ || !peer_) &&
           (!peer_ || peer_->is_ours()) && receipts_.consistent() &&
           (!receipts_.is_owing() || peer_sends_receipts());
  }

 private:
  [[nodiscard]] Received check(const ControlMessage& message);
  void take_receipts();

  std::optional<StreamId> stream_{};
  ControlReader reader_{};
  std::vector<u8> unsent_{};
  ReceiptBook receipts_{};
  bool finishing_ = false;
  bool proof_sent_ = false;
  Nonce nonce_{};
  std::optional<Introduction> peer_{};
  bool peers_expected_ = false;
  std::uint32_t peers_requests_ = 0;
  Instant peers_answered_at_{};
};

}  // namespace qpeer::p2p
