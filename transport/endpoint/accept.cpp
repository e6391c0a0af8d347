// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams that belong to no connection: a new client, a version that we do not speak, a peer
// without state, or noise. RFC 9000 §5.2.2, §6.1, §8.1.2, §10.3, §14.1.
#include <algorithm>

#include "qpeer/transport/endpoint/implementation.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"
#include "qpeer/transport/wire/stateless.hpp"

namespace qpeer::transport {

void Endpoint::Implementation::on_unknown(Instant now, ReceivedDatagram& datagram,
                                          const wire::InvariantHeader& header,
                                          ReceivedBy receiver) {
  const Bytes payload = datagram.payload;
  const auto token = wire::reset_token_of(payload);
  if (token && on_stateless_reset(now, datagram.path, *token)) return;
  if (names && receiver == ReceivedBy::us) {
    if (const auto member = other_member(header, token)) return hand_over(*member, datagram);
  }
  if (!header.long_form) return on_unknown_short(now, datagram, header);
  if (!config.server_tls || shut_down) return drop(DropReason::unknown_connection);
  // RFC 9000 §14.1 [rfc9000-14.1-4], §5.2.2 [rfc9000-5.2.2-3]: small datagrams get no answer, so
  // that none of ours is larger than what asked for it.
  if (payload.size() < wire::kMinInitialDatagramSize) return drop(DropReason::too_small);
  if (header.version == 0) return drop(DropReason::unexpected_packet);
  const VersionOrder& spoken = config.connection.versions;
  if (std::ranges::find(spoken, Version{header.version}) == spoken.end()) {
    if (answers.negotiate_version(now, datagram.path, header, config.connection)) {
      ++stats.version_negotiations_sent;
    }
    return drop(DropReason::unsupported_version);
  }
  const auto initial = wire::decode_header(payload, kCidSize, config.connection.grease.quic_bit);
  if (!initial) return drop(initial.error());
  if (initial->type != wire::PacketType::initial) return drop(DropReason::unknown_connection);
  if (initial->destination_connection_id.size() < kMinInitialDcidSize) {
    return drop(DropReason::malformed_header);
  }
  on_initial(now, datagram, *initial, receiver);
}

/// Whether it ends one of our connections. RFC 9000 §10.3 [rfc9000-10.3-9], §10.3.1
/// [rfc9000-10.3.1-5]: in any header form, but only from where that peer is.
bool Endpoint::Implementation::on_stateless_reset(Instant now, const Path& path,
                                                  const StatelessResetToken& token) {
  const auto slot = router.find_reset(token);
  if (!slot || !entries[*slot]->connection->knows_remote(path.remote)) return false;
  entries[*slot]->connection->on_stateless_reset(now);
  touch(*entries[*slot]);
  return true;
}

void Endpoint::Implementation::on_unknown_short(Instant now, const ReceivedDatagram& datagram,
                                                const wire::InvariantHeader& header) {
  drop(DropReason::unknown_connection);
  const ConnectionId id(header.destination_connection_id);
  if (answers.reset(now, datagram.path, datagram.payload.size(), reset_tokens.token(id))) {
    ++stats.stateless_resets_sent;
  }
}

/// Whether one more client of this network fits. Clients leave places for other networks, and for the
/// connections that we dial.
bool Endpoint::Implementation::has_room_for_client(HandshakeCounts::Prefix prefix) const {
  const std::size_t kept = config.max_connections / EndpointConfig::kShareOfDialled;
  return open_entries < config.max_connections &&
         accepted.total() < config.max_connections - kept &&
         accepted.of(prefix) < config.max_connections_per_prefix;
}

void Endpoint::Implementation::on_initial(Instant now, ReceivedDatagram& datagram,
                                          const wire::ProtectedHeader& header,
                                          ReceivedBy receiver) {
  ConnectionSetup setup{.side = Side::server,
                        .version = header.version,
                        .path = datagram.path,
                        .original_destination_connection_id = header.destination_connection_id,
                        .initial_destination_connection_id = header.destination_connection_id,
                        .remote_connection_id = header.source_connection_id,
                        .tls = config.server_tls,
                        .server_name = {}};
  if (!check_address(now, datagram.path, header, setup)) return;
  const auto prefix = HandshakeCounts::prefix_of(datagram.path.remote);
  if (handshakes.total() >= config.max_handshakes ||
      handshakes.of(prefix) >= config.max_handshakes_per_prefix || !has_room_for_client(prefix)) {
    // RFC 9000 §5.2.2 [rfc9000-5.2.2-5].
    answers.refuse(now, datagram.path, header,
                   {TransportErrorCode::connection_refused, "too many connections"});
    reject(Rejection::full);
    return drop(DropReason::connection_limit);
  }
  // A forgery that looks like an Initial must not cost the state of a connection.
  if (!is_authentic(header, Bytes(datagram.payload).first(header.size))) {
    return drop(DropReason::undecryptable);
  }
  if (names && !claim(header.destination_connection_id, datagram, receiver)) return;
  spend_token(now, header.token, setup);
  Entry& entry = add_entry();
  entry.is_claimed = names.has_value();
  entry.initial_destination = header.destination_connection_id;
  router.add(entry.initial_destination, entry.slot);
  start(entry, now, config.connection, std::move(setup));
  ++stats.accepted;
  entry.connection->on_datagram(now, datagram);
}

/// RFC 9000 §8.1.2, §8.1.3: reads the token, or asks for one with a Retry. False when the client gets
/// no connection for this datagram: it was answered or dropped.
bool Endpoint::Implementation::check_address(Instant now, const Path& path,
                                             const wire::ProtectedHeader& header,
                                             ConnectionSetup& setup) {
  // RFC 9000 §8.1.3 [rfc9000-8.1.3-14], [rfc9000-8.1.3-15]: with a token that is not ours, or not valid,
  // a client is treated as one without a token.
  const auto kind = crypto::AddressTokens::kind_of(header.token);
  if (kind == crypto::TokenKind::retry) return check_retry_token(now, path, header, setup);
  if (kind == crypto::TokenKind::new_token && is_good_new_token(now, path, header)) {
    setup.address_validated = true;
    return true;
  }
  // RFC 9000 §21.6 [rfc9000-21.6-1]: of a network with many unfinished handshakes a Retry is asked, also
  // when there are few in all.
  const bool loaded = handshakes.total() >= config.retry_above_handshakes ||
                      handshakes.of(HandshakeCounts::prefix_of(path.remote)) >=
                          config.retry_above_handshakes_per_prefix;
  if (config.retry == RetryPolicy::never || (config.retry == RetryPolicy::under_load && !loaded)) {
    return true;
  }
  if (answers.retry(now, path, header, address_tokens, new_id())) {
    ++stats.retries_sent;
  } else {
    drop(DropReason::rate_limited);
  }
  return false;
}

/// RFC 9000 §8.1.2 [rfc9000-8.1.2-2]: a client accepts one Retry only, so that one with a bad Retry token
/// can never connect: it gets a CONNECTION_CLOSE rather than wait in vain.
bool Endpoint::Implementation::check_retry_token(Instant now, const Path& path,
                                                 const wire::ProtectedHeader& header,
                                                 ConnectionSetup& setup) {
  const auto token = address_tokens.open_retry(now, path.remote, header.token);
  // RFC 9369 §4.1 [rfc9369-4.1-3], §5 [rfc9369-5-2]: a token serves the version that its Retry had.
  const bool good = token && token->version == header.version &&
                    token->retry_source_connection_id == header.destination_connection_id;
  const auto use = good ? used_retry_tokens.look(now, crypto::AddressTokens::id_of(header.token))
                        : UsedTokens::Use::again;
  if (use == UsedTokens::Use::again) {
    answers.refuse(now, path, header,
                   {TransportErrorCode::invalid_token, "Retry token is not valid here"});
    drop(DropReason::invalid_token);
    return false;
  }
  setup.original_destination_connection_id = token->original_destination_connection_id;
  // Where uses cannot be remembered the anti-amplification limit stays.
  setup.address_validated = use == UsedTokens::Use::first;
  setup.retried = true;
  return true;
}

bool Endpoint::Implementation::is_good_new_token(Instant now, const Path& path,
                                                 const wire::ProtectedHeader& header) {
  const auto version = address_tokens.open_new_token(now, path.remote, header.token);
  // RFC 9369 §5 [rfc9369-5-2]; RFC 9000 §8.1.4 [rfc9000-8.1.4-8].
  if (!version || *version != header.version) return false;
  const std::uint64_t id = crypto::AddressTokens::id_of(header.token);
  if (config.shared_port) return config.shared_port->port->is_unused_token(now, id);
  return used_new_tokens.look(now, id) == UsedTokens::Use::first;
}

/// The client is accepted, so its token is used: when it is shown again it proves nothing.
/// RFC 9000 §8.1.4 [rfc9000-8.1.4-6].
void Endpoint::Implementation::spend_token(Instant now, Bytes token, ConnectionSetup& setup) {
  if (!setup.address_validated) return;
  const std::uint64_t id = crypto::AddressTokens::id_of(token);
  if (setup.retried) {
    // Its connection ID names this endpoint, so that no other endpoint of the port accepts the token.
    used_retry_tokens.use(now, id);
    return;
  }
  if (config.shared_port) {
    // Another endpoint may have used it since is_good_new_token().
    setup.address_validated = config.shared_port->port->use_token(now, id);
    if (!setup.address_validated) return;
  } else {
    used_new_tokens.use(now, id);
  }
  ++stats.tokens_accepted;
}

/// Opens a copy of the Initial with the keys that its connection ID gives.
bool Endpoint::Implementation::is_authentic(const wire::ProtectedHeader& header, Bytes packet) {
  std::array<u8, 1 << 14> scratch;
  if (packet.size() > scratch.size()) return false;
  const MutableBytes copied = MutableBytes(scratch).first(packet.size());
  copy(packet, copied);
  const auto secrets =
      keys.initial_secrets(header.version, header.destination_connection_id.bytes());
  const auto client =
      keys.packet_keys(header.version, crypto::CipherSuite::aes_128_gcm_sha256, secrets.client);
  const auto mask =
      client.header_protection->mask(wire::header_sample(copied, header.packet_number_offset));
  const auto plain = wire::unprotect_header(copied, header.packet_number_offset, mask);
  const PacketNumber number =
      wire::decode_packet_number(std::nullopt, plain.truncated, plain.packet_number_length);
  return client.aead->open(number, copied.first(plain.header_size),
                           copied.subspan(plain.header_size));
}

}  // namespace qpeer::transport
