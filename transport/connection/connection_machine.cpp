// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/connection_machine.hpp"

#include <algorithm>

#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {

std::unique_ptr<CongestionController> make_controller(const ConnectionConfig& config,
                                                      std::uint16_t max_datagram_size) {
  if (config.congestion_controller) {
    if (auto controller = config.congestion_controller(max_datagram_size)) return controller;
  }
  return make_new_reno(max_datagram_size);
}

namespace {

/// Far beyond any use, and a sum of some is still a time.
constexpr Duration kLongest = std::chrono::hours(24 * 365 * 30);

/// Values that the RFC does not allow, or with which nothing moves, become the nearest that will do.
ConnectionConfig sanitized(ConnectionConfig config) {
  // No larger than what the Length field of our long headers can tell.
  config.max_datagram_size = std::clamp<std::uint16_t>(
      config.max_datagram_size, wire::kMinInitialDatagramSize, wire::kMaxPatchedLength);
  config.mtu_discovery.max_datagram_size = std::clamp<std::uint16_t>(
      config.mtu_discovery.max_datagram_size, wire::kMinInitialDatagramSize, kMaxTransmitSize);
  // RFC 8899 §5.1.1 [rfc8899-5.1.1-1].
  config.mtu_discovery.raise_interval =
      std::clamp<Duration>(config.mtu_discovery.raise_interval, 1s, kLongest);
  config.max_paths = std::clamp<std::size_t>(config.max_paths, 2, 16);
  for (Duration* each : {&config.max_idle_timeout, &config.keep_alive, &config.handshake_timeout}) {
    *each = std::clamp<Duration>(*each, 0s, kLongest);
  }
  config.active_connection_id_limit =
      std::clamp<std::uint64_t>(config.active_connection_id_limit, 2, 16);
  config.initial_rtt = std::clamp<Duration>(config.initial_rtt, 1ms, 60s);
  config.streams.send_buffer = std::max<std::size_t>(config.streams.send_buffer, 1);
  config.crypto_buffer = std::max<std::size_t>(config.crypto_buffer, 4096);
  config.max_datagram_frame_size =
      std::min<std::uint64_t>(config.max_datagram_frame_size, DatagramRing::kMaxSize);
  config.max_ack_delay = std::clamp<Duration>(config.max_ack_delay, 0ms, 16'383ms);
  return config;
}

}  // namespace

ConnectionMachine::ConnectionMachine(Instant now, const ConnectionConfig& config,
                                     ConnectionSetup setup, crypto::KeyFactory& keys,
                                     Random& random, CidIssuer& issuer)
    : config_(sanitized(config)),
      setup_(std::move(setup)),
      keys_(keys),
      random_(random),
      issuer_(issuer),
      created_at_(now),
      versions_(setup_.side, setup_.version,
                config_.preferred_version.value_or(Version::negotiation), config_.versions),
      spaces_{Space(Duration{}, std::min(config_.crypto_buffer, CryptoStream::kMaxInitial)),
              Space(Duration{}, config_.crypto_buffer),
              Space(config_.max_ack_delay, config_.crypto_buffer)},
      key_phases_(keys),
      recovery_(setup_.side,
                {.initial_rtt = config_.initial_rtt,
                 .max_datagram_size = config_.max_datagram_size,
                 .ecn = config_.ecn,
                 .pacing = config_.pacing},
                make_controller(config_, config_.max_datagram_size)),
      streams_(setup_.side, config_.streams),
      datagrams_(config_.max_datagram_frame_size, config_.datagrams),
      local_cids_(issuer, setup_.side == Side::client && config_.zero_length_connection_id),
      remote_cids_(issuer,
                   setup_.side == Side::client ? setup_.original_destination_connection_id
                                               : setup_.remote_connection_id,
                   config_.active_connection_id_limit),
      paths_(setup_.side, config_.max_paths,
             {setup_.path, 0, make_mtu(setup_.path.remote, config_.max_datagram_size)}),
      observed_addresses_(config_.address_discovery),
      skipped_packet_number_(random.uniform(256)),
      handshake_deadline_(config_.handshake_timeout > Duration{} ? now + config_.handshake_timeout
                                                                 : kNever),
      now_(now) {
  paths_.active().address_validated = setup_.side == Side::client || setup_.address_validated;
  if (setup_.side == Side::client) {
    setup_.initial_destination_connection_id = setup_.original_destination_connection_id;
    // RFC 9000 §8.1.3 [rfc9000-8.1.3-2], [rfc9000-8.1.3-9].
    token_ = std::move(setup_.token);
    quic_bit_.set_random(config_.grease.quic_bit && setup_.token_greases_quic_bit);
  }
  restart_idle_timer(now);
  start_handshake(now);
  update_amplification(now);
}

ConnectionMachine::~ConnectionMachine() = default;

std::optional<ConnectionEvent> ConnectionMachine::poll_event() {
  // What streams have to tell comes before the end that took them.
  const bool at_end = !events_.empty() && events_.front().kind == ConnectionEvent::Kind::closed;
  if (events_.empty() || at_end) {
    if (auto event = streams_.poll_event()) {
      return ConnectionEvent{.kind = ConnectionEvent::Kind::stream, .stream = *event};
    }
    if (datagrams_.poll_readable()) {
      return ConnectionEvent{.kind = ConnectionEvent::Kind::datagram};
    }
    if (const auto address = observed_addresses_.poll_event()) {
      return ConnectionEvent{.kind = ConnectionEvent::Kind::observed_address,
                             .observed_address = *address};
    }
    if (!at_end) return std::nullopt;
  }
  ConnectionEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::expected<StreamId, StreamError> ConnectionMachine::open_stream(bool bidirectional) {
  // What a client sends on it must not leave early.
  if (!usable() || (!handshake_complete_ && setup_.side == Side::client)) {
    return std::unexpected(StreamError::closed);
  }
  return streams_.open(bidirectional);
}

std::expected<StreamId, StreamError> ConnectionMachine::open_early_stream(bool bidirectional) {
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.open(bidirectional);
}

std::optional<StreamId> ConnectionMachine::accept_stream(bool bidirectional) {
  return streams_.accept(bidirectional);
}

std::expected<std::size_t, StreamError> ConnectionMachine::write(StreamId id, Bytes data) {
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.write(id, data);
}

std::expected<void, StreamError> ConnectionMachine::finish(StreamId id) {
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.finish(id);
}

std::expected<void, StreamError> ConnectionMachine::reset(StreamId id, std::uint64_t error_code) {
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.reset(id, error_code);
}

std::expected<void, StreamError> ConnectionMachine::stop_sending(StreamId id,
                                                                 std::uint64_t error_code) {
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.stop_sending(id, error_code);
}

// What arrived before the end can still be read.
std::expected<ReadView, StreamError> ConnectionMachine::peek(StreamId id) {
  auto view = streams_.peek(id);
  if (view && view->data.empty() && !view->fin && phase_ != Phase::open) {
    return std::unexpected(StreamError::closed);
  }
  return view;
}

void ConnectionMachine::consume(StreamId id, std::size_t size) { streams_.consume(id, size); }

std::uint64_t ConnectionMachine::reset_code(StreamId id) const { return streams_.reset_code(id); }

std::expected<void, DatagramError> ConnectionMachine::send_datagram(Bytes data) {
  if (!handshake_complete_ && setup_.side == Side::client) {
    return std::unexpected(DatagramError::closed);
  }
  return send_early_datagram(data);
}

std::expected<void, DatagramError> ConnectionMachine::send_early_datagram(Bytes data) {
  if (!usable()) return std::unexpected(DatagramError::closed);
  return datagrams_.send(data, packet_room());
}

std::optional<std::size_t> ConnectionMachine::max_datagram_payload() const {
  return usable() ? datagrams_.max_payload(packet_room()) : std::nullopt;
}

std::optional<Bytes> ConnectionMachine::next_datagram() { return datagrams_.next(); }

void ConnectionMachine::ping() {
  ping_requested_ = true;
  ++pings_;
}

bool ConnectionMachine::initiate_key_update() {
  return phase_ == Phase::open && key_phases_.initiate(application_space().next_packet_number);
}

crypto::PeerCertificate ConnectionMachine::peer_certificate() const {
  return tls_->peer_certificate();
}

std::string_view ConnectionMachine::alpn() const { return tls_->alpn(); }

std::string_view ConnectionMachine::server_name() const { return tls_->server_name(); }

std::string ConnectionMachine::key_exchange_group() const { return tls_->group(); }

ConnectionStats ConnectionMachine::stats() const {
  ConnectionStats out = stats_;
  out.packets_lost = recovery_.packets_lost();
  out.congestion_window = recovery_.congestion_window();
  out.key_updates = key_phases_.updates();
  out.early_bytes = early_data_.bytes;
  out.max_datagram_size = paths_.active().mtu.size();
  out.datagrams = datagrams_.stats();
  out.smoothed_rtt = recovery_.rtt().smoothed();
  out.min_rtt = recovery_.rtt().min();
  return out;
}

std::string_view to_string(PathError error) {
  switch (error) {
    case PathError::closed:
      return "the connection is not open";
    case PathError::not_client:
      return "only clients migrate";
    case PathError::not_confirmed:
      return "the handshake is not confirmed";
    case PathError::disabled:
      return "the peer does not take migration";
    case PathError::no_connection_id:
      return "there is no fresh connection ID";
    case PathError::too_many_paths:
      return "too many paths are in use";
    case PathError::bad_address:
      return "no such path can be";
    case PathError::no_answer:
      return "the peer does not answer there";
    case PathError::superseded:
      return "another path was asked for meanwhile";
  }
  return "unknown";
}

std::string to_string(const CloseReason& reason) {
  using Kind = CloseReason::Kind;
  std::string out;
  switch (reason.kind) {
    case Kind::local_application:
      out = "closed here, code " + std::to_string(reason.code);
      break;
    case Kind::peer_application:
      out = "closed by the peer, code " + std::to_string(reason.code);
      break;
    case Kind::local_transport:
    case Kind::peer_transport: {
      out = reason.kind == Kind::local_transport ? "" : "the peer reports ";
      out += to_string(TransportErrorCode{reason.code});
      // A TLS alert has a number worth telling. RFC 9001 §4.8.
      if ((reason.code & ~std::uint64_t{0xff}) == 0x100) {
        out += " (alert " + std::to_string(reason.code & 0xff) + ")";
      }
      break;
    }
    case Kind::idle_timeout:
      out = "idle timeout";
      break;
    case Kind::handshake_timeout:
      out = "handshake timeout";
      break;
    case Kind::stateless_reset:
      out = "stateless reset";
      break;
    case Kind::version_negotiation:
      out = "no common version";
      break;
  }
  if (reason.reason.empty()) return out;
  out += ": ";
  for (const char c : reason.reason) out += c >= ' ' && c < 0x7f ? c : '?';
  return out;
}

}  // namespace qpeer::transport
