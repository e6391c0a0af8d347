// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/control_channel.hpp"

#include <array>
#include <utility>

namespace qpeer::p2p {

// --- writing -------------------------------------------------------------------------------------

void ControlChannel::introduce(transport::Connection* connection, Introduction introduction,
                               Random& random) {
  random.fill_private(nonce_);
  introduction.nonce = nonce_;
  peers_expected_ = introduction.purpose == Purpose::link;
  send(connection, introduction);
}

void ControlChannel::send(transport::Connection* connection, const ControlMessage& message) {
  std::array<u8, kMaxControlMessage> storage{};
  Writer out{storage};
  std::visit([&](const auto& one) { one.encode(out); }, message);
  if (std::holds_alternative<PeersRequest>(message)) peers_expected_ = true;
  if (!out.ok() || unsent_.size() + out.size() > kMaxUnsent) return;
  const Bytes bytes = Bytes(storage).first(out.size());
  unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
  write(connection);
}

void ControlChannel::send_proof(transport::Connection* connection, const Nonce& nonce) {
  if (std::exchange(proof_sent_, true)) return;
  send(connection, Proof{.nonce = nonce});
}

void ControlChannel::write(transport::Connection* connection) {
  if (connection == nullptr || !stream_) return;
  for (;;) {
    if (unsent_.empty()) take_receipts();
    if (unsent_.empty()) break;
    const auto written = connection->write(*stream_, unsent_);
    if (!written) return;
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(*written));
    if (!unsent_.empty()) return;  // `writable` follows.
  }
  if (finishing_) (void)connection->finish(*stream_);
}

// Only when all before them is written, so that none is ever dropped.
void ControlChannel::take_receipts() {
  if (!receipts_.is_owing()) return;
  std::array<u8, kMaxControlMessage> storage;  // NOLINT: filled before it is read.
  Writer out{storage};
  receipts_.take().encode(out);
  const Bytes bytes = out.written();
  unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
}

void ControlChannel::owe_receipt(transport::Connection* connection, StreamId stream) {
  receipts_.owe(stream);
  if (receipts_.has_full_message()) write(connection);
}

void ControlChannel::finish(transport::Connection* connection) {
  finishing_ = true;
  write(connection);
}

// --- reading -------------------------------------------------------------------------------------

ControlChannel::Received ControlChannel::receive(transport::Connection& connection) {
  for (;;) {
    const auto view = connection.peek(*stream_);
    if (!view || view->data.empty()) return {};
    connection.consume(*stream_, reader_.feed(view->data));
    if (reader_.error() != ErrorCode::none) {
      constexpr std::string_view kReason = "a control message that cannot be read";
      return Fault{.code = reader_.error(), .reason = kReason, .why = std::string(kReason)};
    }
    if (const auto message = reader_.next()) {
      if (!finishing_) return check(*message);
    } else if (reader_.turn_over()) {
      return TurnOver{};
    }
  }
}

// The introduction comes first, and once.
ControlChannel::Received ControlChannel::check(const ControlMessage& message) {
  const auto violation = [](std::string_view reason) {
    return Fault{.code = ErrorCode::role_violation, .reason = reason, .why = std::string(reason)};
  };
  const auto* introduction = std::get_if<Introduction>(&message);
  if (introduction == nullptr) {
    if (!peer_) return violation("the introduction does not come first");
    return message;
  }
  if (peer_) return violation("a second introduction");
  if (!introduction->is_ours()) {
    return Fault{.code = ErrorCode::unsupported_version,
                 .reason = "we speak version 1 of the peer protocol",
                 .why = "it speaks version " + std::to_string(introduction->major) +
                        " of the peer protocol"};
  }
  peer_ = *introduction;
  return message;
}

bool ControlChannel::admit_peers_request(Instant now) {
  if (++peers_requests_ > kMaxPeersRequests) return false;
  if (peers_requests_ > 1 && now < peers_answered_at_ + kPeersInterval) return false;
  peers_answered_at_ = now;
  return true;
}

}  // namespace qpeer::p2p
