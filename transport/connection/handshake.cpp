// SPDX-License-Identifier: MIT OR BSD-3-Clause
// TLS messages in and out, keys as they come and go, transport parameters. RFC 9001 §4; RFC 9000 §7.
#include <algorithm>

#include "qpeer/transport/connection/connection_machine.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint64_t kCryptoFrame = static_cast<std::uint64_t>(wire::FrameType::crypto);

/// RFC 9000 §7.2 [rfc9000-7.2-1]: the least that a client may draw for its server.
constexpr std::size_t kFirstDcidSize = 8;

constexpr PacketNumberSpace kInitial = PacketNumberSpace::initial;
constexpr PacketNumberSpace kHandshake = PacketNumberSpace::handshake;

}  // namespace

void ConnectionMachine::start_handshake(Instant now) {
  install_initial_keys();
  std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
  tls_ = setup_.tls->new_session(setup_.side, setup_.server_name, encode_parameters(storage), *this,
                                 read_ticket());
  const Result started = tls_->start();
  if (!started) fail(now, started.error());
}

/// In the version that Version Negotiation led to. RFC 9368 §2.1 [rfc9368-2.1-5], §6 [rfc9368-6-2]:
/// a new first flight, with nothing left of the one before. Another ID for the server keeps apart
/// what answers this attempt and what answers the first, should that not have been refused at all.
void ConnectionMachine::start_anew(Instant now) {
  setup_.version = versions_.original();
  // RFC 9369 §5 [rfc9369-5-1]: a token was of the other version.
  token_.clear();
  quic_bit_.set_random(false);
  std::array<u8, kFirstDcidSize> id{};
  random_.fill_public(id);
  setup_.original_destination_connection_id = ConnectionId(id);
  setup_.initial_destination_connection_id = ConnectionId(id);
  remote_cids_.replace_initial(ConnectionId(id));
  if (early_data_.state == crypto::EarlyData::offered) reject_early_data(now);
  recovery_.reset_space(now, kInitial, *this);
  space(kInitial).crypto.clear();
  start_handshake(now);
}

Bytes ConnectionMachine::encode_parameters(MutableBytes storage) {
  Writer out(storage);
  local_parameters().encode(out);
  return out.written();
}

wire::TransportParameters ConnectionMachine::local_parameters() {
  wire::TransportParameters out;
  streams_.fill_parameters(out);
  out.max_idle_timeout_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(config_.max_idle_timeout).count());
  out.max_ack_delay_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(config_.max_ack_delay).count());
  out.active_connection_id_limit = config_.active_connection_id_limit;
  out.disable_active_migration = config_.disable_active_migration;
  out.max_datagram_frame_size = config_.max_datagram_frame_size;
  out.address_discovery = config_.address_discovery;
  const auto reserved_version = [this] {
    return Version{0x0a0a0a0aU |
                   (static_cast<std::uint32_t>(random_.uniform(0x10000)) * 0x10001U & 0xf0f0f0f0U)};
  };
  // RFC 9369 §4 [rfc9369-4-2]; RFC 9368 §3 [rfc9368-3-1].
  out.version_information =
      versions_.information(config_.grease.versions ? reserved_version() : Version::negotiation);
  out.grease_quic_bit = config_.grease.quic_bit;
  if (config_.grease.transport_parameters) out.grease = 31 * random_.uniform(1U << 30) + 27;
  // RFC 9000 §7.3 [rfc9000-7.3-1]: the IDs used so far, authenticated by the handshake.
  out.initial_source_connection_id = local_cids_.initial();
  if (setup_.side == Side::server) {
    out.original_destination_connection_id = setup_.original_destination_connection_id;
    if (setup_.retried) {
      out.retry_source_connection_id = setup_.initial_destination_connection_id;
    }
    out.stateless_reset_token = issuer_.reset_token(local_cids_.initial());
    if (config_.preferred_ipv4.is_ipv4() || config_.preferred_ipv6.is_ipv6()) {
      const ConnectionId id = local_cids_.issue_preferred();
      out.preferred_address = {.ipv4 = config_.preferred_ipv4,
                               .ipv6 = config_.preferred_ipv6,
                               .connection_id = id,
                               .stateless_reset_token = issuer_.reset_token(id)};
    }
  }
  return out;
}

/// Of the Initials of a version, from the ID that they were first sent to. RFC 9001 §5.2.
crypto::PacketKeys ConnectionMachine::initial_keys(Version version, Side sender) const {
  const ConnectionId& id =
      retry_source_connection_id_.value_or(setup_.initial_destination_connection_id);
  const auto secrets = keys_.initial_secrets(version, id.bytes());
  return keys_.packet_keys(version, crypto::CipherSuite::aes_128_gcm_sha256,
                           sender == Side::client ? secrets.client : secrets.server);
}

void ConnectionMachine::install_initial_keys() {
  Space& initial = space(kInitial);
  initial.send = initial_keys(setup_.version, setup_.side);
  initial.receive = initial_keys(setup_.version, other(setup_.side));
  switched_initial_receive_ = {};  // Of another ID, if there were any.
}

void ConnectionMachine::on_tls_data(EncryptionLevel level, Bytes data) {
  space(space_of(level)).crypto.send(data);
}

void ConnectionMachine::on_tls_secret(EncryptionLevel level, crypto::Direction direction,
                                      crypto::CipherSuite suite, Bytes secret) {
  const bool sending = direction == crypto::Direction::send;
  if (level == EncryptionLevel::handshake) {
    Space& handshake = space(kHandshake);
    (sending ? handshake.send : handshake.receive) =
        keys_.packet_keys(version(), suite, crypto::Secret(secret));
    if (sending && setup_.side == Side::client) recovery_.on_handshake_keys();
  } else if (level == EncryptionLevel::zero_rtt) {
    on_early_secret(direction, suite, secret);
  } else if (level == EncryptionLevel::one_rtt) {
    cipher_suite_ = suite;
    if (sending) {
      // RFC 9001 §4.9.3 [rfc9001-4.9.3-1]; RFC 9000 §17.2.3 [rfc9000-17.2.3-3].
      if (setup_.side == Side::client) early_data_.keys = {};
      key_phases_.install_send(version(), suite, secret);
    } else {
      key_phases_.install_receive(version(), suite, secret);
    }
  }
}

Result ConnectionMachine::on_tls_transport_parameters(Bytes parameters) {
  const auto decoded = wire::TransportParameters::decode(parameters, other(setup_.side));
  if (!decoded) return std::unexpected(decoded.error());
  if (Result checked = check_connection_ids(*decoded); !checked) return checked;
  if (Result agreed = agree_on_version(*decoded); !agreed) return agreed;
  peer_parameters_ = *decoded;
  // RFC 9287 §3.1 [rfc9287-3.1-4], [rfc9287-3.1-5], [rfc9287-3.1-6]: known from here on, and of this
  // connection alone.
  quic_bit_.set_random(config_.grease.quic_bit && decoded->grease_quic_bit);
  // RFC 9000 §7.4.1 [rfc9000-7.4.1-10]: until early data is settled, the remembered limits hold.
  if (setup_.side == Side::server || early_data_.state != crypto::EarlyData::offered) {
    apply_peer_limits();
  }
  observed_addresses_.set_peer(decoded->address_discovery);
  recovery_.set_peer_max_ack_delay(std::chrono::milliseconds(decoded->max_ack_delay_ms));
  paths_.set_peer_parameters(*decoded);
  if (decoded->preferred_address) {
    remote_cids_.add_preferred(decoded->preferred_address->connection_id,
                               decoded->preferred_address->stateless_reset_token);
  }
  if (decoded->stateless_reset_token) {
    remote_cids_.set_initial_reset_token(*decoded->stateless_reset_token);
  }
  // RFC 9000 §10.1: the smaller of both time-outs holds. One of a thousand years is as good.
  constexpr std::uint64_t kLongest = 1ULL << 40;
  lifetime_.set_peer_idle_timeout(
      std::chrono::milliseconds(std::min(decoded->max_idle_timeout_ms, kLongest)));
  lifetime_.restart_idle_timer(now_, recovery_.pto());
  return {};
}

/// RFC 9368 §4 [rfc9368-4-3]. A server that moves the client to another version sends all that is
/// left of the handshake in it. RFC 9369 §4.1 [rfc9369-4.1-4], [rfc9369-4.1-5], [rfc9369-4.1-7]: the
/// client's Initials may still come in the original one.
Result ConnectionMachine::agree_on_version(const wire::TransportParameters& parameters) {
  const Result agreed = versions_.on_information(parameters.version_information);
  if (!agreed || setup_.side == Side::client || version() == setup_.version) return agreed;
  std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
  tls_->set_transport_parameters(encode_parameters(storage));
  space(kInitial).send = initial_keys(version(), Side::server);
  switched_initial_receive_ = initial_keys(version(), Side::client);
  return {};
}

// RFC 9000 §7.3 [rfc9000-7.3-4]: nobody changed the IDs under way.
Result ConnectionMachine::check_connection_ids(const wire::TransportParameters& parameters) const {
  const auto error = [](std::string_view reason) {
    return qpeer::fail(TransportErrorCode::transport_parameter_error, reason, kCryptoFrame);
  };
  if (parameters.initial_source_connection_id != setup_.remote_connection_id) {
    return error("initial_source_connection_id does not match");
  }
  if (setup_.side == Side::server) return {};
  // RFC 9000 §18.2 [rfc9000-18.2-5], [rfc9000-18.2-7].
  if (parameters.preferred_address && setup_.remote_connection_id.empty()) {
    return error("preferred_address without connection IDs");
  }
  if (parameters.original_destination_connection_id != setup_.original_destination_connection_id) {
    return error("original_destination_connection_id does not match");
  }
  if (parameters.retry_source_connection_id != retry_source_connection_id_) {
    return error("retry_source_connection_id does not match");
  }
  return {};
}

/// Gives TLS what it can read now, level by level as it moves on. RFC 9001 §4.1.3.
Result ConnectionMachine::feed_tls(Instant now) {
  for (;;) {
    const EncryptionLevel level = tls_->read_level();
    CryptoStream& crypto = space(space_of(level)).crypto;
    const Bytes data = crypto.peek();
    if (data.empty()) break;
    const Result result = tls_->on_data(level, data);
    if (!result) return result;
    crypto.consume(data.size());
  }
  // RFC 9001 §4.1.3 [rfc9001-4.1.3-1], [rfc9001-4.1.3-3]: nothing may be left over, or follow, at a
  // level that TLS has left.
  for (const EncryptionLevel old : {EncryptionLevel::initial, EncryptionLevel::handshake}) {
    const CryptoStream& crypto = space(space_of(old)).crypto;
    if (old < tls_->read_level() && (!crypto.peek().empty() || crypto.has_gap())) {
      return qpeer::fail(TransportErrorCode::protocol_violation, "handshake data after its keys",
                         kCryptoFrame);
    }
  }
  if (Result settled = settle_early_data(now); !settled) return settled;
  if (tls_->is_complete() && !handshake_complete_) on_handshake_complete(now);
  return {};
}

void ConnectionMachine::on_handshake_complete(Instant now) {
  handshake_complete_ = true;
  stats_.handshake_time = now - created_at_;
  events_.push_back({.kind = ConnectionEvent::Kind::connected});
  local_cids_.set_peer_limit(peer_parameters_.active_connection_id_limit);
  // [draft-ietf-quic-address-discovery-5-2]: in the first packets that may carry it.
  observed_addresses_.on_remote_address(now, path().remote);
  lifetime_.on_handshake_complete(now, recovery_.pto());
  if (setup_.side == Side::server) {
    // RFC 9001 §4.1.2 [rfc9001-4.1.2-1]: for a server, complete is confirmed.
    send_handshake_done_ = true;
    confirm_handshake(now);
  }
}

void ConnectionMachine::confirm_handshake(Instant now) {
  if (handshake_confirmed_) return;
  handshake_confirmed_ = true;
  key_phases_.on_handshake_confirmed();
  recovery_.on_handshake_confirmed(now);
  recovery_.on_address_validated_by_peer(now);
  discard_keys(now, kInitial);
  discard_keys(now, kHandshake);  // RFC 9001 §4.9.2 [rfc9001-4.9.2-1].
  paths_.on_handshake_confirmed(now);
  events_.push_back({.kind = ConnectionEvent::Kind::confirmed});
  give_new_tokens(now);
}

// RFC 9000 §8.1.3: for the address that was proved here.
void ConnectionMachine::give_new_tokens(Instant now) {
  if (setup_.side != Side::server || setup_.new_tokens == nullptr) return;
  for (std::size_t i = 0; i < config_.new_tokens; ++i) {
    std::array<u8, NewTokens::kMaxSize> token{};
    const std::size_t size = setup_.new_tokens->new_token(now, path().remote, version(), token);
    if (!new_tokens_.add(Bytes(token).first(size))) break;
  }
}

// RFC 9001 §4.9: keys go, and with them all that would have been sent again.
void ConnectionMachine::discard_keys(Instant now, PacketNumberSpace which) {
  Space& old = space(which);
  if (old.discarded) return;
  old.discarded = true;
  old.send = {};
  old.receive = {};
  if (which == kInitial) switched_initial_receive_ = {};
  recovery_.discard_space(now, which, *this);
  old.crypto.clear();
}

}  // namespace qpeer::transport
