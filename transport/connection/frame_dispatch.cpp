// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each received frame to its owner. RFC 9000 §12.4, §19. The frames' fates go the same ways back.
#include <algorithm>
#include <type_traits>
#include <variant>

#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/connection/logged_events.hpp"
#include "qpeer/transport/connection/open_packet.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport {
namespace {

using wire::FrameType;

template <class F, class... Some>
constexpr bool is_one_of = (std::is_same_v<F, Some> || ...);

/// The frames that belong to streams and flow control.
template <class F>
constexpr bool is_stream_frame =
    is_one_of<F, wire::StreamFrame, wire::ResetStreamFrame, wire::StopSendingFrame,
              wire::MaxDataFrame, wire::MaxStreamDataFrame, wire::MaxStreamsFrame,
              wire::DataBlockedFrame, wire::StreamDataBlockedFrame, wire::StreamsBlockedFrame>;

Result violation(std::string_view reason, FrameType type) {
  return qpeer::fail(TransportErrorCode::protocol_violation, reason,
                     static_cast<std::uint64_t>(type));
}

}  // namespace

Result ConnectionMachine::dispatch_frames(Instant now, const OpenPacket& packet,
                                          IncomingDatagram& incoming, DispatchResult& result) {
  Reader in(packet.payload);
  // RFC 9000 §12.4 [rfc9000-12.4-2]: a packet without frames is a fault.
  if (in.empty()) {
    return qpeer::fail(TransportErrorCode::protocol_violation, "packet without frames");
  }
  while (!in.empty()) {
    const Bytes rest = packet.payload.subspan(in.position());
    const FrameType type{in.peek()};
    result.ack_eliciting = result.ack_eliciting || wire::is_ack_eliciting(type);
    result.probing = result.probing && wire::is_probing(type);
    const auto frame = wire::decode_frame(in, packet.type);
    if (!frame) return std::unexpected(frame.error());
    // While closing, only the peer's own close still matters. RFC 9000 §10.2.1.
    if (!lifetime_.is_open() && !std::holds_alternative<wire::ConnectionCloseFrame>(*frame)) {
      continue;
    }
    const Result done =
        std::visit([&](const auto& each) { return on_frame(now, packet, each, result); }, *frame);
    if (!done) {
      // RFC 9000 §19.19: the type that the frame had, which its owner knows without its flags, and
      // TLS not at all.
      return qpeer::fail(done.error().code, done.error().reason, Reader(rest).varint());
    }
    if (lifetime_.is_draining()) break;
  }
  // A path that we do not know needs a connection ID, which the same packet may bring.
  for (const auto& challenge : result.challenges) {
    paths_.on_path_challenge(now, incoming, packet.destination_connection_id, challenge);
  }
  return {};
}

template <class F>
Result ConnectionMachine::on_frame(Instant now, const OpenPacket& packet, const F& frame,
                                   DispatchResult& dispatched) {
  [[maybe_unused]] const bool early = packet.type == wire::PacketType::zero_rtt;
  if constexpr (std::is_same_v<F, wire::StreamFrame>) {
    sources_.on_data_received();
    const Result result = streams_.on_frame(frame);
    if (early && result) {
      streams_.on_early_frame(frame.stream_id);
      handshake_.count_early_bytes(frame.data.size());
    }
    return result;
  } else if constexpr (is_stream_frame<F>) {
    return streams_.on_frame(frame);
  } else if constexpr (std::is_same_v<F, wire::AckFrame>) {
    return on_ack(now, packet.level, frame);
  } else if constexpr (std::is_same_v<F, wire::CryptoFrame>) {
    return handshake_.on_frame(now, packet.level, frame);
  } else if constexpr (std::is_same_v<F, wire::HandshakeDoneFrame>) {
    // RFC 9000 §19.20 [rfc9000-19.20-2].
    if (side() == Side::server) {
      return violation("HANDSHAKE_DONE from a client", FrameType::handshake_done);
    }
    handshake_.confirm(now);
  } else if constexpr (std::is_same_v<F, wire::NewTokenFrame>) {
    // RFC 9000 §19.7 [rfc9000-19.7-4].
    if (side() == Side::server) {
      return violation("NEW_TOKEN from a client", FrameType::new_token);
    }
    on_new_token(now, frame);
  } else if constexpr (std::is_same_v<F, wire::NewConnectionIdFrame>) {
    const Result result = remote_cids_.on_frame(frame);
    paths_.replace_retired_cids();
    return result;
  } else if constexpr (std::is_same_v<F, wire::RetireConnectionIdFrame>) {
    return local_cids_.on_retire(frame.sequence_number, packet.destination_connection_id);
  } else if constexpr (std::is_same_v<F, wire::PathChallengeFrame>) {
    dispatched.challenges.push_back(frame);
  } else if constexpr (std::is_same_v<F, wire::PathResponseFrame>) {
    paths_.on_path_response(now, frame);
  } else if constexpr (std::is_same_v<F, wire::ConnectionCloseFrame>) {
    if (lifetime_.enter_draining(now, close_reason_of(frame), recovery_.pto())) emit_closed();
  } else if constexpr (std::is_same_v<F, wire::DatagramFrame>) {
    sources_.on_data_received();
    return datagrams_.on_frame(frame, early);
  } else if constexpr (std::is_same_v<F, wire::ObservedAddressFrame>) {
    return observed_addresses_.on_frame(now, frame);
  } else if constexpr (std::is_same_v<F, wire::AckFrequencyFrame>) {
    return ack_frequency_.on_frame(frame, spaces_.application().acks);
  } else if constexpr (std::is_same_v<F, wire::ImmediateAckFrame>) {
    spaces_.application().acks.acknowledge_next_at_once();
  }
  return {};
}

Result ConnectionMachine::on_ack(Instant now, EncryptionLevel level, const wire::AckFrame& frame) {
  const PacketNumberSpace which = space_of(level);
  // RFC 9000 §13.2.5, §19.3: the exponent is the sender's, and says nothing before 1-RTT.
  const std::uint64_t bounded = std::min<std::uint64_t>(frame.ack_delay, 1U << 30);
  const Duration ack_delay =
      which == PacketNumberSpace::application
          ? std::chrono::microseconds(bounded << peer_parameters().ack_delay_exponent)
          : Duration{};
  // RFC 9001 §4.6.2 [rfc9001-4.6.2-2].
  if (which == PacketNumberSpace::application && handshake_.acknowledges_rejected(frame)) {
    return violation("ACK of rejected early data", FrameType::ack);
  }
  const std::uint64_t flight = recovery_.bytes_in_flight();
  const auto outcome = recovery_.on_ack(now, which, frame, ack_delay, *this);
  if (!outcome) return std::unexpected(outcome.error());
  if (which == PacketNumberSpace::application && outcome->newly_acknowledged) {
    key_phases_.on_acknowledged(frame.largest_acknowledged);
    paths_.detect_black_hole(now);
    if (is_confirmed()) request_acks(now, flight);
    if (outcome->ack_eliciting) sources_.on_acknowledged();
  }
  if (which == PacketNumberSpace::handshake && side() == Side::client) {
    recovery_.on_address_validated_by_peer(now);
  }
  return {};
}

/// How often the peer shall acknowledge, as things are now. draft-ietf-quic-ack-frequency §8.
void ConnectionMachine::request_acks(Instant now, std::uint64_t flight) {
  ack_frequency_.update({.now = now,
                         .flight = flight,
                         .packet_size = paths_.active().mtu.size(),
                         .smoothed_rtt = recovery_.rtt().smoothed(),
                         .packet_threshold = recovery_.packet_threshold(),
                         .packets_lost = recovery_.packets_lost()});
  recovery_.set_peer_max_ack_delay(ack_frequency_.max_ack_delay());
}

/// What the server wants to see next time goes to the application, with where it came from.
void ConnectionMachine::on_new_token(Instant now, const wire::NewTokenFrame& frame) {
  const bool usable = frame.token.size() <= StoredToken::kMaxToken;
  if (!usable || new_tokens_received_ >= config_.max_new_tokens) return;
  ++new_tokens_received_;
  const Duration unix_time = now.time_since_epoch() + handshake_.setup().clock_offset;
  const StoredToken stored{
      .version = version(),
      .grease_quic_bit = peer_parameters().grease_quic_bit,
      .received = std::chrono::duration_cast<std::chrono::seconds>(unix_time).count(),
      .server = handshake_.setup().path.remote,
      .server_name = handshake_.setup().server_name,
      .token = {frame.token.begin(), frame.token.end()}};
  events_.emplace_back(TokenReceived{.address_token = stored.encode()});
}

void ConnectionMachine::on_frame_fate(Instant now, PacketNumberSpace which, const SentFrame& frame,
                                      Fate fate) {
  if (fate == Fate::lost && log_ != nullptr && carries_data(frame)) {
    log_->emit(retransmission(frame));
  }
  switch (frame.owner) {
    case FrameOwner::ack_tracker:
      if (fate == Fate::acked) spaces_[which].acks.on_ack_acknowledged(frame.offset);
      break;
    case FrameOwner::crypto_stream:
      spaces_[which].crypto.on_fate(frame, fate);
      break;
    case FrameOwner::ping:
      for (auto pongs = pings_.on_fate(frame, fate); pongs != 0; --pongs) {
        events_.emplace_back(Pong{});
      }
      break;
    case FrameOwner::handshake:
      handshake_.done().on_fate(frame, fate);
      break;
    case FrameOwner::path_validator:
      break;  // RFC 9000 §13.3: sent once, or again as a new one.
    case FrameOwner::mtu_discovery:
      paths_.on_mtu_probe_fate(now, frame, fate);
      break;
    case FrameOwner::local_cids:
      local_cids_.on_fate(frame, fate);
      break;
    case FrameOwner::remote_cids:
      remote_cids_.on_fate(frame, fate);
      break;
    case FrameOwner::new_tokens:
      new_tokens_.on_fate(frame, fate);
      break;
    case FrameOwner::observed_addresses:
      observed_addresses_.on_fate(frame, fate);
      break;
    case FrameOwner::ack_frequency:
      ack_frequency_.on_fate(frame, fate);
      recovery_.set_peer_max_ack_delay(ack_frequency_.max_ack_delay());
      break;
    case FrameOwner::datagram_queue:
      datagrams_.on_fate(fate);
      break;
    case FrameOwner::stream_set:
      streams_.on_fate(frame, fate);
      break;
  }
}

}  // namespace qpeer::transport
