// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a handshake changes in the other parts of its connection. RFC 9000 §7; RFC 9001 §4.
#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include "qpeer/transport/connection/connection_machine.hpp"

namespace qpeer::transport {

void ConnectionMachine::fill_parameters(wire::TransportParameters& out) {
  streams_.fill_parameters(out);
  if (side() == Side::server) fill_server_parameters(out);
  log::emit(log_.get(), [&] {
    const ConnectionSetup& setup = handshake_.setup();
    return log::ParametersSet{.initiator = log::Initiator::local,
                              .parameters = &out,
                              .resumed = setup.session_ticket.has_value(),
                              .early_data_enabled = setup.early_data != EarlyDataPolicy::none};
  });
}

void ConnectionMachine::fill_server_parameters(wire::TransportParameters& out) {
  out.stateless_reset_token = issuer_.reset_token(local_cids_.initial());
  if (config_.preferred_ipv4.is_ipv4() || config_.preferred_ipv6.is_ipv6()) {
    const ConnectionId id = local_cids_.issue_preferred();
    out.preferred_address = {.ipv4 = config_.preferred_ipv4,
                             .ipv6 = config_.preferred_ipv6,
                             .connection_id = id,
                             .stateless_reset_token = issuer_.reset_token(id)};
  }
}

void ConnectionMachine::on_peer_limits(const wire::TransportParameters& limits, bool remembered) {
  streams_.set_peer_parameters(limits);
  datagrams_.set_peer_max_frame_size(limits.max_datagram_frame_size);
  if (remembered) paths_.limit_datagram_size(limits);
}

void ConnectionMachine::on_peer_parameters(Instant now,
                                           const wire::TransportParameters& parameters) {
  log::emit(log_.get(), [&] {
    return log::ParametersSet{.initiator = log::Initiator::remote,
                              .parameters = &parameters,
                              .resumed = is_resumed(),
                              .early_data_enabled = early_data() == crypto::EarlyData::accepted};
  });
  observed_addresses_.set_peer(parameters.address_discovery);
  const std::chrono::milliseconds max_ack_delay(parameters.max_ack_delay_ms);
  recovery_.set_peer_max_ack_delay(max_ack_delay);
  std::optional<Duration> min_ack_delay;
  if (parameters.min_ack_delay_us) {
    min_ack_delay = std::chrono::microseconds(*parameters.min_ack_delay_us);
  }
  ack_frequency_.set_peer(min_ack_delay, max_ack_delay);
  paths_.set_peer_parameters(parameters);
  if (parameters.preferred_address) {
    remote_cids_.add_preferred(parameters.preferred_address->connection_id,
                               parameters.preferred_address->stateless_reset_token);
  }
  if (parameters.stateless_reset_token) {
    remote_cids_.set_initial_reset_token(*parameters.stateless_reset_token);
  }
  // RFC 9000 §10.1: the smaller of both time-outs holds. One of a thousand years is as good.
  constexpr std::uint64_t kLongest = 1ULL << 40;
  lifetime_.set_peer_idle_timeout(
      std::chrono::milliseconds(std::min(parameters.max_idle_timeout_ms, kLongest)));
  lifetime_.restart_idle_timer(now, recovery_.pto());
}

void ConnectionMachine::on_remote_cid(const ConnectionId& id) { remote_cids_.replace_initial(id); }

void ConnectionMachine::on_new_keys(EncryptionLevel level, Side sender) {
  if (log_ == nullptr) return;
  log::KeyUpdated event{.key_type = {.level = level, .sender = sender}};
  if (level == EncryptionLevel::one_rtt) event.key_phase = 0;
  log_->emit(event);
  if (level == EncryptionLevel::handshake) log_state(log::ConnectionState::handshake_started);
}

void ConnectionMachine::on_handshake_keys() { recovery_.on_handshake_keys(); }

void ConnectionMachine::on_space_reset(Instant now, PacketNumberSpace space) {
  recovery_.reset_space(now, space, *this);
}

void ConnectionMachine::on_space_discarded(Instant now, PacketNumberSpace space) {
  const EncryptionLevel level =
      space == PacketNumberSpace::initial ? EncryptionLevel::initial : EncryptionLevel::handshake;
  for (const Side sender : {Side::client, Side::server}) {
    log::emit(log_.get(),
              [&] { return log::KeyDiscarded{.key_type = {.level = level, .sender = sender}}; });
  }
  recovery_.discard_space(now, space, *this);
}

void ConnectionMachine::on_early_data_accepted() {
  events_.emplace_back(EarlyDataDecided{.accepted = true});
}

void ConnectionMachine::on_early_data_rejected(Instant now) {
  recovery_.reset_space(now, PacketNumberSpace::application, *this);
  if (handshake_.setup().early_data == EarlyDataPolicy::report) streams_.abandon();
  events_.emplace_back(EarlyDataDecided{.accepted = false});
}

void ConnectionMachine::on_session_ticket(std::vector<u8> ticket) {
  // Events that are not polled must not pile up, however many tickets the server sends.
  constexpr std::ptrdiff_t kMaxPendingTickets = 8;
  const auto pending = std::ranges::count_if(events_, [](const ConnectionEvent& each) {
    return std::holds_alternative<TicketReceived>(each);
  });
  if (!lifetime_.is_open() || pending >= kMaxPendingTickets) return;
  events_.emplace_back(TicketReceived{.session_ticket = std::move(ticket)});
}

void ConnectionMachine::on_handshake_complete(Instant now) {
  stats_.handshake_time = now - created_at_;
  if (log_ != nullptr) log_handshake_complete();
  events_.emplace_back(Connected{});
  local_cids_.set_peer_limit(peer_parameters().active_connection_id_limit);
  // [draft-ietf-quic-address-discovery-5-2]: in the first packets that may carry it.
  observed_addresses_.on_remote_address(now, path().remote);
  lifetime_.on_handshake_complete(now, recovery_.pto());
}

void ConnectionMachine::on_handshake_confirmed(Instant now) {
  log_state(log::ConnectionState::handshake_confirmed);
  recovery_.on_handshake_confirmed(now);
  recovery_.on_address_validated_by_peer(now);
  paths_.on_handshake_confirmed(now);
  events_.emplace_back(Confirmed{});
  give_new_tokens(now);
}

// RFC 9000 §8.1.3: for the address that was proved here.
void ConnectionMachine::give_new_tokens(Instant now) {
  NewTokenSource* const source = handshake_.setup().new_tokens;
  if (side() != Side::server || source == nullptr) return;
  for (std::size_t i = 0; i < config_.new_tokens; ++i) {
    std::array<u8, NewTokens::kMaxSize> token{};
    const std::size_t size = source->new_token(now, path().remote, version(), token);
    if (!new_tokens_.add(Bytes(token).first(size))) break;
  }
}

/// Does what a Retry or Version Negotiation packet led to.
void ConnectionMachine::on_acceptance(Instant now, const Handshake::Acceptance& acceptance) {
  if (acceptance) return;
  if (const auto* reason = std::get_if<DropReason>(&acceptance.error())) return drop(*reason);
  if (const auto* error = std::get_if<TransportError>(&acceptance.error())) {
    return fail(now, *error);
  }
  if (lifetime_.end_silently(std::get<CloseReason>(acceptance.error()))) emit_closed();
}

}  // namespace qpeer::transport
