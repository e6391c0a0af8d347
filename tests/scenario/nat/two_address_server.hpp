// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A STUN server with two addresses and two ports, which answers from the one that it is asked for.
// RFC 5780 §6.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "qpeer/p2p/nat/stun_message.hpp"
#include "qpeer/tests/sim/network.hpp"

namespace qpeer::sim {

/// A Machine.
class TwoAddressServer {
 public:
  enum class Manner : u8 {
    proper,
    refuses_changes,  ///< Names another address, and does not know CHANGE-REQUEST.
    ignores_changes,  ///< Answers from where it was asked, whatever it is asked for.
  };

  TwoAddressServer(const SocketAddress& first, const SocketAddress& second)
      : first_(first), second_(second), named_(second) {}

  void attach_to(Network& network) {
    Host& host = network.attach(*this, [](const p2p::StunMessage&) {}, first_);
    network.add_address(host, first_.with_port(second_.port()));
    network.add_address(host, second_.with_port(first_.port()));
    network.add_address(host, second_);
  }

  Manner manner = Manner::proper;
  /// What it says that its other address is.
  void names(const SocketAddress& other) { named_ = other; }

  void on_datagram(Instant /*now*/, ReceivedDatagram datagram) {
    const auto request = p2p::StunMessage::decode(datagram.payload);
    if (!request || request->message_class != p2p::StunClass::request) return;
    p2p::StunMessage answer{.message_class = p2p::StunClass::success,
                            .transaction_id = request->transaction_id,
                            .mapped_address = datagram.path.remote,
                            .other_address = named_};
    SocketAddress from = datagram.path.local;
    const u8 change = change_in(datagram.payload);
    if (change != 0 && manner == Manner::refuses_changes) {
      answer = {.message_class = p2p::StunClass::error,
                .transaction_id = request->transaction_id,
                .error_code = p2p::kStunUnknownAttribute,
                .unknown_attributes = request->not_understood};
    } else if (manner == Manner::proper) {
      const std::uint16_t port = (change & 2) == 0              ? from.port()
                                 : from.port() == first_.port() ? second_.port()
                                                                : first_.port();
      const bool other_host = ((change & 4) != 0) != from.same_host(second_);
      from = (other_host ? second_ : first_).with_port(port);
    }
    answers_.emplace_back(Path{.local = from, .remote = datagram.path.remote}, answer);
  }
  std::optional<Transmit> poll_transmit(Instant /*now*/, TransmitBuffer& out) {
    if (answers_.empty()) return std::nullopt;
    const auto [path, message] = answers_.front();
    answers_.pop_front();
    Writer writer{out.storage};
    message.encode(writer);
    return Transmit{.path = path, .size = writer.size(), .segment_size = writer.size()};
  }
  [[nodiscard]] static Instant next_deadline() { return kNever; }
  void on_deadline(Instant /*now*/) {}
  static std::optional<p2p::StunMessage> poll_event() { return std::nullopt; }

 private:
  /// The bits of CHANGE-REQUEST, which stands behind the header in what our client sends.
  static u8 change_in(Bytes request) {
    Reader in{request.subspan(p2p::kStunHeaderSize)};
    return in.u16() == 3 && in.u16() == 4 ? static_cast<u8>(in.u32()) : u8{0};
  }

  SocketAddress first_;
  SocketAddress second_;
  SocketAddress named_;
  std::deque<std::pair<Path, p2p::StunMessage>> answers_;
};

}  // namespace qpeer::sim
