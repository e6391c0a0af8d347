// SPDX-License-Identifier: MIT OR BSD-3-Clause
// TLS messages in and out, keys as they come and go, transport parameters. RFC 9001 §4; RFC 9000 §7.
#include "qpeer/transport/connection/handshake.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "qpeer/transport/connection/ack_frequency.hpp"
#include "qpeer/transport/connection/packet_level.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint64_t kCryptoFrame = static_cast<std::uint64_t>(wire::FrameType::crypto);

constexpr PacketNumberSpace kInitial = PacketNumberSpace::initial;
constexpr PacketNumberSpace kHandshake = PacketNumberSpace::handshake;

/// How much later than its deadline the timer of a delayed ACK is expected to fire.
constexpr Duration kAlarmDelay = 1ms;
/// RFC 9000 §18.2: 2^14 ms and more are invalid.
constexpr Duration kMaxAckDelay = 16'383ms;

std::uint64_t milliseconds(Duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

Handshake::Handshake(const ConnectionConfig& config, ConnectionSetup setup,
                     const ConnectionId& local_cid, crypto::KeyFactory& keys, Random& random,
                     NumberSpaces& spaces, KeyPhases& key_phases, HandshakeObserver& observer)
    : config_(config),
      setup_(std::move(setup)),
      local_cid_(local_cid),
      keys_(keys),
      random_(random),
      spaces_(spaces),
      key_phases_(key_phases),
      observer_(observer),
      versions_(setup_.side, setup_.version,
                config.preferred_version.value_or(Version::negotiation), config.versions) {
  if (setup_.side == Side::server) {
    setup_.token.clear();
    return;
  }
  setup_.initial_destination_connection_id = setup_.original_destination_connection_id;
  // RFC 9000 §8.1.3 [rfc9000-8.1.3-2], [rfc9000-8.1.3-9]: setup_.token goes into the Initials.
  quic_bit_.set_random(config_.grease.quic_bit && setup_.token_greases_quic_bit);
}

Handshake::~Handshake() = default;

Result Handshake::start() {
  install_initial_keys();
  std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
  tls_ = setup_.tls->new_session(setup_.side, setup_.server_name, encode_parameters(storage), *this,
                                 read_ticket());
  return tls_->start();
}

// --- transport parameters --------------------------------------------------------------------------

Bytes Handshake::encode_parameters(MutableBytes storage) {
  Writer out(storage);
  local_parameters().encode(out);
  return out.written();
}

wire::TransportParameters Handshake::local_parameters() {
  wire::TransportParameters out;
  out.max_idle_timeout_ms = milliseconds(config_.max_idle_timeout);
  // RFC 9000 §18.2 [rfc9000-18.2-2]: an alarm may fire late.
  out.max_ack_delay_ms = milliseconds(std::min(config_.max_ack_delay + kAlarmDelay, kMaxAckDelay));
  // [draft-ietf-quic-ack-frequency-3-1]: the timer alone is as late as that.
  out.min_ack_delay_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(AckFrequency::kMinAckDelay).count());
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
  out.initial_source_connection_id = local_cid_;
  if (setup_.side == Side::server) {
    out.original_destination_connection_id = setup_.original_destination_connection_id;
    if (setup_.retried) {
      out.retry_source_connection_id = setup_.initial_destination_connection_id;
    }
  }
  observer_.fill_parameters(out);
  return out;
}

Result Handshake::on_tls_transport_parameters(Bytes parameters) {
  const auto decoded = wire::TransportParameters::decode(parameters, other(setup_.side));
  if (!decoded) return std::unexpected(decoded.error());
  if (Result checked = check_connection_ids(*decoded); !checked) return checked;
  if (Result agreed = agree_on_version(*decoded); !agreed) return agreed;
  peer_parameters_ = *decoded;
  has_new_peer_parameters_ = true;
  // RFC 9287 §3.1 [rfc9287-3.1-4], [rfc9287-3.1-5], [rfc9287-3.1-6]: known from here on, and of this
  // connection alone.
  quic_bit_.set_random(config_.grease.quic_bit && decoded->grease_quic_bit);
  // RFC 9000 §7.4.1 [rfc9000-7.4.1-10]: until early data is settled, the remembered limits hold.
  if (setup_.side == Side::server || early_.state != crypto::EarlyData::offered) {
    observer_.on_peer_limits(peer_parameters_, false);
  }
  return {};
}

/// RFC 9368 §4 [rfc9368-4-3]. A server that moves the client to another version sends all that is
/// left of the handshake in it. RFC 9369 §4.1 [rfc9369-4.1-4], [rfc9369-4.1-5], [rfc9369-4.1-7]: the
/// client's Initials may still come in the original one.
Result Handshake::agree_on_version(const wire::TransportParameters& parameters) {
  const Result agreed = versions_.on_information(parameters.version_information);
  if (!agreed || setup_.side == Side::client || version() == setup_.version) return agreed;
  std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
  tls_->set_transport_parameters(encode_parameters(storage));
  spaces_[kInitial].send = initial_keys(version(), Side::server);
  switched_initial_receive_ = initial_keys(version(), Side::client);
  return {};
}

// RFC 9000 §7.3 [rfc9000-7.3-4]: nobody changed the IDs under way.
Result Handshake::check_connection_ids(const wire::TransportParameters& parameters) const {
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

// --- TLS -----------------------------------------------------------------------------------------

void Handshake::on_tls_data(EncryptionLevel level, Bytes data) {
  spaces_[space_of(level)].crypto.send(data);
}

Result Handshake::on_frame(Instant now, EncryptionLevel level, const wire::CryptoFrame& frame) {
  NumberSpace& space = spaces_[space_of(level)];
  if (space.discarded) return {};  // A frame before this one completed the handshake.
  versions_.settle();  // RFC 9369 §4.1 [rfc9369-4.1-5]: the server says it in its own version.
  const Result buffered = space.crypto.on_frame(frame);
  return buffered ? feed_tls(now) : buffered;
}

/// Gives TLS what it can read now, level by level as it moves on. RFC 9001 §4.1.3.
Result Handshake::feed_tls(Instant now) {
  for (;;) {
    const EncryptionLevel level = tls_->read_level();
    CryptoStream& crypto = spaces_[space_of(level)].crypto;
    const Bytes data = crypto.peek();
    if (data.empty()) break;
    const Result result = tls_->on_data(level, data);
    if (std::exchange(has_new_peer_parameters_, false)) {
      observer_.on_peer_parameters(now, peer_parameters_);
    }
    if (!result) return result;
    crypto.consume(data.size());
  }
  // RFC 9001 §4.1.3 [rfc9001-4.1.3-1], [rfc9001-4.1.3-3]: nothing may be left over, or follow, at a
  // level that TLS has left.
  for (const EncryptionLevel old : {EncryptionLevel::initial, EncryptionLevel::handshake}) {
    const CryptoStream& crypto = spaces_[space_of(old)].crypto;
    if (old < tls_->read_level() && (!crypto.peek().empty() || crypto.has_gap())) {
      return qpeer::fail(TransportErrorCode::protocol_violation, "handshake data after its keys",
                         kCryptoFrame);
    }
  }
  if (Result settled = settle_early_data(now); !settled) return settled;
  if (tls_->is_complete() && !complete_) complete(now);
  return {};
}

void Handshake::complete(Instant now) {
  complete_ = true;
  observer_.on_handshake_complete(now);
  if (setup_.side == Side::client) return;
  // RFC 9001 §4.1.2 [rfc9001-4.1.2-1]: for a server, complete is confirmed.
  done_.send();
  confirm(now);
}

void Handshake::confirm(Instant now) {
  if (confirmed_) return;
  confirmed_ = true;
  key_phases_.on_handshake_confirmed();
  discard_keys(now, kInitial);
  discard_keys(now, kHandshake);  // RFC 9001 §4.9.2 [rfc9001-4.9.2-1].
  observer_.on_handshake_confirmed(now);
}

// --- keys ----------------------------------------------------------------------------------------

/// Of the Initials of a version, from the ID that they were first sent to. RFC 9001 §5.2.
crypto::PacketKeys Handshake::initial_keys(Version version, Side sender) const {
  const ConnectionId& id =
      retry_source_connection_id_.value_or(setup_.initial_destination_connection_id);
  const auto secrets = keys_.initial_secrets(version, id.bytes());
  return keys_.packet_keys(version, crypto::CipherSuite::aes_128_gcm_sha256,
                           sender == Side::client ? secrets.client : secrets.server);
}

void Handshake::install_initial_keys() {
  NumberSpace& initial = spaces_[kInitial];
  initial.send = initial_keys(setup_.version, setup_.side);
  initial.receive = initial_keys(setup_.version, other(setup_.side));
  switched_initial_receive_ = {};  // Of another ID, if there were any.
  observer_.on_new_keys(EncryptionLevel::initial, setup_.side);
  observer_.on_new_keys(EncryptionLevel::initial, other(setup_.side));
}

void Handshake::on_tls_secret(EncryptionLevel level, crypto::Direction direction,
                              crypto::CipherSuite suite, Bytes secret) {
  const bool sending = direction == crypto::Direction::send;
  observer_.on_new_keys(level, sending ? setup_.side : other(setup_.side));
  if (level == EncryptionLevel::handshake) {
    NumberSpace& handshake = spaces_[kHandshake];
    (sending ? handshake.send : handshake.receive) =
        keys_.packet_keys(version(), suite, crypto::Secret(secret));
    if (sending) observer_.on_handshake_keys();
  } else if (level == EncryptionLevel::zero_rtt) {
    on_early_secret(direction, suite, secret);
  } else if (level == EncryptionLevel::one_rtt) {
    if (sending) {
      // RFC 9001 §4.9.3 [rfc9001-4.9.3-1]; RFC 9000 §17.2.3 [rfc9000-17.2.3-3].
      if (setup_.side == Side::client) early_.keys = {};
      key_phases_.install_send(version(), suite, secret);
    } else {
      key_phases_.install_receive(version(), suite, secret);
    }
  }
}

bool Handshake::can_receive(EncryptionLevel level) const {
  // RFC 9001 §5.7 [rfc9001-5.7-1], [rfc9001-5.7-2], [rfc9001-5.7-5]: no 1-RTT packet is read before
  // the handshake is complete.
  if (level == EncryptionLevel::one_rtt) return key_phases_.can_receive() && complete_;
  if (level == EncryptionLevel::zero_rtt) {
    return setup_.side == Side::server && static_cast<bool>(early_.keys);
  }
  return static_cast<bool>(spaces_[space_of(level)].receive);
}

bool Handshake::awaits_keys(EncryptionLevel level) const {
  if (level == EncryptionLevel::zero_rtt) {
    // Their keys come with the ClientHello, if at all. RFC 9001 §4.6.2 [rfc9001-4.6.2-1].
    return setup_.side == Side::server && !complete_ && !can_receive(EncryptionLevel::handshake);
  }
  const bool too_late =
      level == EncryptionLevel::one_rtt ? complete_ : spaces_[space_of(level)].discarded;
  // RFC 9000 §5.2.2 [rfc9000-5.2.2-7]: before the server's answer a client has no keys for these.
  return !too_late && (setup_.side == Side::client || can_receive(EncryptionLevel::handshake));
}

const crypto::PacketKeys& Handshake::send_keys(EncryptionLevel level) const {
  return level == EncryptionLevel::zero_rtt ? early_.keys : spaces_[space_of(level)].send;
}

/// The keys of a long header packet's level and version.
crypto::PacketKeys& Handshake::receive_keys(const wire::ProtectedHeader& header) {
  if (header.type == wire::PacketType::zero_rtt) return early_.keys;
  const bool other_version =
      header.type == wire::PacketType::initial && header.version != setup_.version;
  if (!other_version) return spaces_[space_of(level_of(header.type))].receive;
  if (!switched_initial_receive_) {
    switched_initial_receive_ = initial_keys(header.version, other(setup_.side));
  }
  return switched_initial_receive_;
}

// RFC 9001 §4.9: keys go, and with them all that would have been sent again.
void Handshake::discard_keys(Instant now, PacketNumberSpace which) {
  NumberSpace& old = spaces_[which];
  if (old.discarded) return;
  old.discarded = true;
  old.send = {};
  old.receive = {};
  if (which == kInitial) switched_initial_receive_ = {};
  observer_.on_space_discarded(now, which);
  old.crypto.clear();
}

bool Handshake::consistent() const {
  const bool has_data_keys = key_phases_.can_send() && key_phases_.can_receive();
  return spaces_.consistent() && (!confirmed_ || complete_) && (!complete_ || has_data_keys) &&
         (!confirmed_ || (spaces_[kInitial].discarded && spaces_[kHandshake].discarded)) &&
         (early_.keys_end == kNever || early_.keys) && !has_new_peer_parameters_ &&
         (setup_.side == Side::client || !retry_source_connection_id_);
}

}  // namespace qpeer::transport
