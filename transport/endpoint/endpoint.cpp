// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/endpoint.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "qpeer/transport/endpoint/implementation.hpp"
#include "qpeer/transport/wire/stateless.hpp"

namespace qpeer::transport {
namespace {

ConnectionId random_id(Random& random, std::size_t size) {
  std::array<u8, ConnectionId::kMaxSize> octets{};
  random.fill_public(MutableBytes(octets).first(size));
  return ConnectionId(Bytes(octets).first(size));
}

crypto::ResetTokens::Key reset_key(const EndpointConfig& config, Random& random) {
  crypto::ResetTokens::Key key = config.reset_key;
  if (key == crypto::ResetTokens::Key{}) random.fill_private(key);
  return key;
}

bool speaks(const ConnectionConfig& config, Version version) {
  return std::ranges::find(config.versions, version) != config.versions.end();
}

}  // namespace

std::string_view to_string(ConnectError error) {
  switch (error) {
    case ConnectError::bad_address:
      return "the address cannot be connected to";
    case ConnectError::connection_limit:
      return "too many connections";
    case ConnectError::bad_configuration:
      return "no TLS context, or no version, was given";
    case ConnectError::shut_down:
      return "the endpoint is shut down";
    case ConnectError::zero_length_in_use:
      return "another connection has no connection ID";
  }
  return "unknown";
}

// --- connections ---------------------------------------------------------------------------------

Endpoint::Implementation::Implementation(EndpointConfig configuration, crypto::KeyFactory& factory,
                                         Random& source)
    : config(std::move(configuration)),
      keys(factory),
      random(source),
      reset_tokens(reset_key(config, source)),
      address_tokens(source, {.key = config.token_key,
                              .retry_lifetime = config.retry_token_lifetime,
                              .new_token_lifetime = config.new_token_lifetime,
                              .clock_offset = config.clock_offset}),
      used_retry_tokens(config.retry_token_lifetime, config.used_token_memory / 2),
      used_new_tokens(config.new_token_lifetime, config.used_token_memory / 2),
      router(source),
      answers(factory, source, config.stateless_answers_per_second),
      receive_credit(config.receive_credit, config.max_connections),
      send_buffers(config.send_buffers, config.max_connections),
      datagrams(config.datagrams, 2 * config.max_connections),
      free_chunks{.most = config.free_stream_memory} {
  if (config.shared_port) names.emplace(factory, *config.shared_port);
}

ConnectionId Endpoint::Implementation::new_id() {
  return names ? names->make(random) : random_id(random, kCidSize);
}

ConnectionId Endpoint::Implementation::Entry::issue() {
  for (;;) {
    const ConnectionId id = owner.new_id();
    if (owner.router.add(id, slot)) return id;
  }
}

Endpoint::Implementation::Entry& Endpoint::Implementation::add_entry() {
  if (free_slots.empty()) {
    free_slots.push_back(static_cast<Slot>(entries.size()));
    entries.emplace_back();
    generations.push_back(1);
  }
  const Slot slot = free_slots.back();
  free_slots.pop_back();
  entries[slot] = std::make_unique<Entry>(*this, slot);
  ++open_entries;
  return *entries[slot];
}

void Endpoint::Implementation::start(Entry& entry, Instant now, const ConnectionConfig& options,
                                     ConnectionSetup setup) {
  setup.drops = &stats.dropped;
  setup.clock_offset = config.clock_offset;
  entry.incoming = setup.side == Side::server;
  entry.prefix = HandshakeCounts::prefix_of(setup.path.remote);
  setup.pools = {.receive_credit = {&receive_credit, entry.prefix, entry.slot},
                 .send_buffers = {&send_buffers, entry.prefix, entry.slot},
                 .datagrams = {&datagrams, entry.prefix, entry.slot},
                 .free_chunks = &free_chunks};
  if (entry.incoming) {
    handshakes.add(entry.prefix);
    accepted.add(entry.prefix);
    setup.new_tokens = &entry;
  } else {
    ++attempts;
  }
  entry.connection.emplace(now, options, std::move(setup), keys, random, entry);
  touch(entry);
}

void Endpoint::Implementation::touch(Entry& entry) {
  if (!std::exchange(entry.awaits_transmit, true)) to_transmit.push_back(entry.slot);
  if (!std::exchange(entry.awaits_events, true)) to_report.push_back(entry.slot);
}

void Endpoint::Implementation::end_handshake(Entry& entry) {
  if (!std::exchange(entry.in_handshake, false)) return;
  if (entry.incoming) {
    handshakes.remove(entry.prefix);
  } else {
    --attempts;
  }
}

void Endpoint::Implementation::reap(Slot slot) {
  Entry& entry = *entries[slot];
  if (!entry.connection->is_drained() || !entry.closed_emitted || entry.awaits_transmit ||
      entry.awaits_events) {
    return;
  }
  end_handshake(entry);
  router.remove(entry.initial_destination, slot);
  release_claim(entry);
  deadlines.set(slot, kNever);
  if (entry.keeps_unread && entry.connection->has_unread()) {
    if (!std::exchange(entry.is_kept, true)) {
      entry.connection->release_ids();
      ++kept_entries;
    }
    return;
  }
  if (entry.is_kept) --kept_entries;
  if (entry.incoming) accepted.remove(entry.prefix);
  entries[slot].reset();
  if (last_transmit == slot) last_transmit.reset();
  ++generations[slot];
  free_slots.push_back(slot);
  --open_entries;
}

// Erases drained connections that are only in to_transmit, where they have nothing to send: the event
// Drained must not wait for a poll_transmit().
void Endpoint::Implementation::reap_drained() {
  while (!to_transmit.empty()) {
    const Slot slot = to_transmit.front();
    Entry& entry = *entries[slot];
    if (!entry.connection->is_drained() || !entry.closed_emitted || entry.awaits_events) return;
    to_transmit.pop_front();
    entry.awaits_transmit = false;
    reap(slot);
  }
}

ConnectionHandle Endpoint::Implementation::handle_of(Slot slot) const {
  return {std::uint64_t{generations[slot]} << 32 | slot};
}

/// The connection that a datagram is for. RFC 9000 §5.2.
std::optional<Endpoint::Implementation::Slot> Endpoint::Implementation::route(
    const wire::InvariantHeader& header, const SocketAddress& remote) const {
  const auto slot = router.find(header.destination_connection_id);
  if (slot || !zero_length) return slot;
  if (header.long_form && !header.destination_connection_id.empty()) return std::nullopt;
  return entries[*zero_length]->connection->knows_remote(remote) ? zero_length : std::nullopt;
}

// --- the machine ---------------------------------------------------------------------------------

Endpoint::Endpoint(EndpointConfig config, crypto::KeyFactory& keys, Random& random)
    : impl_(std::make_unique<Implementation>(std::move(config), keys, random)) {}

Endpoint::~Endpoint() = default;

std::expected<ConnectionHandle, ConnectError> Endpoint::connect(Instant now,
                                                                const SocketAddress& remote,
                                                                const ConnectOptions& options) {
  Implementation& impl = *impl_;
  if (impl.shut_down) return std::unexpected(ConnectError::shut_down);
  if (!remote.valid() || remote.port() == 0 || remote.is_wildcard()) {
    return std::unexpected(ConnectError::bad_address);
  }
  if (!options.tls || options.connection.version == Version::negotiation) {
    return std::unexpected(ConnectError::bad_configuration);
  }
  if (impl.open_entries >= impl.config.max_connections) {
    return std::unexpected(ConnectError::connection_limit);
  }
  // RFC 9000 §5.1 [rfc9000-5.1-3].
  if (options.connection.zero_length_connection_id && impl.zero_length) {
    return std::unexpected(ConnectError::zero_length_in_use);
  }
  Implementation::Entry& entry = impl.add_entry();
  entry.ends_at_closed_port = options.ends_at_closed_port;
  ConnectionSetup setup{.side = Side::client,
                        .version = options.connection.version,
                        .path = {.local = options.local, .remote = remote},
                        .original_destination_connection_id =
                            random_id(impl.random, Implementation::kMinInitialDcidSize),
                        .initial_destination_connection_id = {},
                        .remote_connection_id = {},
                        .tls = options.tls,
                        .server_name = options.server_name,
                        .session_ticket = SessionTicket::decode(options.session_ticket),
                        .early_data = options.early_data};
  // RFC 9369 §5 [rfc9369-5-1]: a ticket serves the version that it was given in, also where a server
  // had moved us to that one.
  if (setup.session_ticket && speaks(options.connection, setup.version) &&
      speaks(options.connection, setup.session_ticket->version)) {
    setup.version = setup.session_ticket->version;
  }
  if (auto stored = StoredToken::decode(options.address_token);
      stored && stored->applies_to(remote, options.server_name, setup.version)) {
    // RFC 9287 §3.1 [rfc9287-3.1-2], [rfc9287-3.1-3]. Compared in whole seconds: a time from a file may
    // be outside the range of a Duration.
    const auto unix_time =
        std::chrono::floor<std::chrono::seconds>(now.time_since_epoch() + impl.config.clock_offset);
    setup.token_greases_quic_bit =
        stored->grease_quic_bit && stored->received <= unix_time.count() &&
        stored->received > (unix_time - std::chrono::hours(24 * 7)).count();
    setup.token = std::move(stored->token);
  }
  impl.start(entry, now, options.connection, std::move(setup));
  return impl.handle_of(entry.slot);
}

Endpoint::Implementation::Entry* Endpoint::Implementation::entry_of(ConnectionHandle handle) const {
  const auto slot = static_cast<Slot>(handle.value);
  if (slot >= entries.size() || handle_of(slot) != handle) return nullptr;
  return entries[slot].get();
}

const Connection* Endpoint::find(ConnectionHandle handle) const {
  const Implementation::Entry* entry = impl_->entry_of(handle);
  return entry == nullptr ? nullptr : &*entry->connection;
}

Connection* Endpoint::edit(ConnectionHandle handle) {
  Implementation::Entry* const entry = impl_->entry_of(handle);
  if (entry == nullptr) return nullptr;
  impl_->touch(*entry);
  return &*entry->connection;
}

void Endpoint::keep_unread(ConnectionHandle handle) {
  if (Implementation::Entry* const entry = impl_->entry_of(handle)) entry->keeps_unread = true;
}

void Endpoint::release(ConnectionHandle handle) {
  Implementation::Entry* const entry = impl_->entry_of(handle);
  if (entry == nullptr) return;
  entry->keeps_unread = false;
  impl_->touch(*entry);
}

void Endpoint::Implementation::on_datagram(Instant now, ReceivedDatagram& datagram,
                                           ReceivedBy receiver) {
  const auto header = wire::InvariantHeader::decode(datagram.payload, kCidSize);
  if (!header) return drop(DropReason::malformed_header);
  if (const auto slot = route(*header, datagram.path.remote)) {
    ConnectionMachine& connection = *entries[*slot]->connection;
    // RFC 9000 §10.3.1 [rfc9000-10.3.1-2]: a datagram of which no packet is authentic may be a stateless
    // reset whose random bytes begin with an ID of ours. Its token is read before the bytes are
    // decrypted in place.
    const auto token = wire::reset_token_of(datagram.payload);
    const std::uint64_t opened_before = connection.packets_received();
    connection.on_datagram(now, datagram);
    touch(*entries[*slot]);
    if (token && connection.packets_received() == opened_before) {
      on_stateless_reset(now, datagram.path, *token);
    }
    return;
  }
  on_unknown(now, datagram, *header, receiver);
}

void Endpoint::on_datagram(Instant now, ReceivedDatagram datagram) {
  ++impl_->stats.datagrams_received;
  impl_->on_datagram(now, datagram, Implementation::ReceivedBy::us);
}

std::optional<Transmit> Endpoint::poll_transmit(Instant now, TransmitBuffer& out) {
  Implementation& impl = *impl_;
  if (auto answer = impl.answers.poll_transmit(out)) {
    impl.last_transmit.reset();
    return answer;
  }
  while (!impl.to_transmit.empty()) {
    const Implementation::Slot slot = impl.to_transmit.front();
    impl.to_transmit.pop_front();
    Implementation::Entry& entry = *impl.entries[slot];
    if (auto transmit = entry.connection->poll_transmit(now, out)) {
      impl.to_transmit.push_back(slot);  // Behind the others: each gets its turn.
      impl.last_transmit = slot;
      return transmit;
    }
    entry.awaits_transmit = false;
    impl.deadlines.set(slot, entry.connection->next_deadline());
    impl.reap(slot);
  }
  return std::nullopt;
}

Instant Endpoint::next_deadline() const { return impl_->deadlines.earliest(); }

void Endpoint::on_deadline(Instant now) {
  Implementation& impl = *impl_;
  while (impl.deadlines.earliest() <= now) {
    Implementation::Entry& entry = *impl.entries[impl.deadlines.top()];
    impl.deadlines.set(entry.slot, kNever);  // Renewed when it is polled.
    entry.connection->on_deadline(now);
    impl.touch(entry);
  }
}

std::optional<EndpointEvent> Endpoint::poll_event() {
  Implementation& impl = *impl_;
  impl.wake_writers();
  while (!impl.to_report.empty()) {
    const Implementation::Slot slot = impl.to_report.front();
    Implementation::Entry& entry = *impl.entries[slot];
    auto event = entry.closed_emitted ? std::nullopt : entry.connection->poll_event();
    if (!event) {
      impl.to_report.pop_front();
      entry.awaits_events = false;
      impl.reap(slot);
      continue;
    }
    if (std::holds_alternative<Connected>(*event)) {
      ++impl.stats.connected;
      impl.end_handshake(entry);
    }
    if (const auto* closed = std::get_if<Closed>(&*event)) {
      entry.closed_emitted = true;
      if (entry.incoming && entry.in_handshake &&
          closed->reason.kind != CloseReason::Kind::local_application) {
        impl.reject(rejection_of(closed->reason));
      }
      // A handshake that failed does not count against new clients while its connection drains.
      impl.end_handshake(entry);
    }
    return ConnectionActivity{
        .connection = impl.handle_of(slot), .incoming = entry.incoming, .event = *std::move(event)};
  }
  if (!impl.shut_down || impl.drained_emitted) return std::nullopt;
  impl.reap_drained();
  impl.drained_emitted = idle();
  if (!impl.drained_emitted) return std::nullopt;
  return Drained{};
}

void Endpoint::shut_down(Instant now, std::uint64_t error_code, std::string_view reason) {
  impl_->shut_down = true;
  for (const auto& entry : impl_->entries) {
    if (!entry) continue;
    entry->connection->close(now, error_code, reason);
    impl_->touch(*entry);
  }
}

bool Endpoint::idle() const { return impl_->open_entries == impl_->kept_entries; }

}  // namespace qpeer::transport
