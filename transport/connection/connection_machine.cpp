// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/connection_machine.hpp"

#include <algorithm>
#include <tuple>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/connection/logged_events.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {

ConnectionMachine::ConnectionMachine(Instant now, const ConnectionConfig& config,
                                     ConnectionSetup setup, crypto::KeyFactory& keys,
                                     Random& random, CidIssuer& issuer)
    : config_(seeded(sanitized(config), random)),
      issuer_(issuer),
      created_at_(now),
      called_at_(now),
      log_(log::make_event_log(config_.observer, source_of(setup, now), called_at_)),
      spaces_(config_.max_ack_delay, config_.crypto_buffer),
      key_phases_(keys),
      recovery_(setup.side,
                {.initial_rtt = config_.initial_rtt,
                 .max_datagram_size = config_.max_datagram_size,
                 .ecn = config_.ecn,
                 .pacing = config_.pacing},
                make_controller(config_, config_.max_datagram_size)),
      lifetime_(now,
                {.max_idle_timeout = config_.max_idle_timeout,
                 .keep_alive = config_.keep_alive,
                 .handshake_timeout = config_.handshake_timeout},
                recovery_.pto()),
      streams_(setup.side, config_.streams, setup.pools),
      datagrams_(config_.max_datagram_frame_size, config_.datagrams, setup.pools.datagrams),
      local_cids_(issuer, setup.side == Side::client && config_.zero_length_connection_id),
      remote_cids_(issuer,
                   setup.side == Side::client ? setup.original_destination_connection_id
                                              : setup.remote_connection_id,
                   config_.active_connection_id_limit),
      observed_addresses_(config_.address_discovery),
      paths_(setup.side, config_, setup.path, recovery_, remote_cids_, *this),
      handshake_(config_, std::move(setup), local_cids_.initial(), keys, random, spaces_,
                 key_phases_, *this),
      sources_({.lifetime = lifetime_,
                .handshake = handshake_,
                .spaces = spaces_,
                .recovery = recovery_,
                .paths = paths_,
                .pings = pings_,
                .ack_frequency = ack_frequency_,
                .observed_addresses = observed_addresses_,
                .new_tokens = new_tokens_,
                .local_cids = local_cids_,
                .remote_cids = remote_cids_,
                .streams = streams_,
                .datagrams = datagrams_},
               random),
      assembler_({.sources = sources_,
                  .handshake = handshake_,
                  .key_phases = key_phases_,
                  .spaces = spaces_,
                  .recovery = recovery_,
                  .lifetime = lifetime_,
                  .log = log_.get()},
                 local_cids_.initial().size(), random) {
  const InvariantLatch::Scope scope(latch_);
  start_log();
  paths_.active().address_validated =
      side() == Side::client || handshake_.setup().address_validated;
  if (const Result started = handshake_.start(); !started) fail(now, started.error());
  paths_.update_amplification(now);
  fail_if_broken(now);
}

ConnectionMachine::~ConnectionMachine() = default;

// --- sending -------------------------------------------------------------------------------------

std::optional<Transmit> ConnectionMachine::poll_transmit(Instant now, TransmitBuffer& out) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  fail_if_broken(now);  // In a call of the application.
  auto train = build_train(now, out);
  // What was built while an invariant did not hold does not leave; the close does.
  if (fail_if_broken(now)) train = build_train(now, out);
  if (fail_if_broken(now)) return std::nullopt;
  assert_consistent();
  return train;
}

std::optional<Transmit> ConnectionMachine::build_train(Instant now, TransmitBuffer& out) {
  if (lifetime_.is_silent()) return std::nullopt;
  if (lifetime_.is_closing() && !lifetime_.has_close_to_send()) return std::nullopt;
  if (key_phases_.wants_update()) key_phases_.initiate(spaces_.application().next_packet_number);
  if (auto probe = transmit_probe(now, out)) return probe;
  NetworkPath& path = paths_.active();
  const std::size_t full_size = paths_.datagram_size();
  streams_.on_path_figures(now, {.round_trip = recovery_.rtt().smoothed(),
                                 .min_rtt = recovery_.rtt().min(),
                                 .bytes_in_flight = recovery_.peak_in_flight()});
  PacketAssembler::Train train(recovery_.ecn_mark());
  std::size_t total = 0;
  std::size_t segment_size = 0;
  const std::size_t max_segments = std::min(out.max_segments, kMaxTransmitSegments);
  for (std::size_t segments = 0; segments < max_segments; ++segments) {
    // RFC 9001 §6.6 [rfc9001-6.6-4], [rfc9001-6.6-5]: no update came in time, so the connection ends
    // while that can be said; [rfc9001-6.6-2]: and no packet more under a worn-out key.
    if (key_phases_.nearly_exhausted()) {
      fail(now, {TransportErrorCode::aead_limit_reached, "the keys are worn out"});
    }
    if (key_phases_.exhausted()) break;
    give_probes_data(now);
    std::size_t limit = segment_size == 0 ? full_size : segment_size;
    limit = static_cast<std::size_t>(std::min<std::uint64_t>(limit, path.allowance()));
    // RFC 9000 §8.1 [rfc9000-8.1-2]: what cannot carry a padded Initial waits for more credit.
    if (limit < paths_.least_allowance() && segment_size == 0) break;
    if (limit < segment_size || out.storage.size() - total < limit) break;
    if (segments != 0 && recovery_.probes(PacketNumberSpace::application) != 0) {
      limit = std::min(limit, paths_.second_probe_size());
    }
    const std::size_t size = assembler_.add_datagram(now, remote_cids_.current(),
                                                     out.storage.subspan(total, limit), train);
    if (size == 0) break;
    // RFC 9000 §8.1 [rfc9000-8.1-2]: no more than three times what came from there.
    QPEER_INVARIANT(size <= path.allowance(), return std::nullopt);
    total += size;
    stats_.bytes_sent += size;
    path.on_sent(size);
    if (segment_size == 0) segment_size = size;
    if (size < segment_size || size < full_size || !lifetime_.is_open()) break;
    if (is_confirmed() && !train.is_padded()) path.mtu.on_full_datagram();
  }
  assembler_.protect_headers(train);
  lifetime_.on_close_sent();
  paths_.update_amplification(now);
  if (total == 0) return std::nullopt;
  log::emit(log_.get(), [&] {
    return log::UdpDatagramsSent{.size = total, .segment_size = segment_size, .ecn = train.ecn()};
  });
  // RFC 9002 §7.8 [rfc9002-7.8-2]: not while the pacer holds something back.
  recovery_.set_application_limited(is_connected() && !sources_.has_application_frames(now));
  return Transmit{
      .path = path.address, .ecn = train.ecn(), .size = total, .segment_size = segment_size};
}

/// A probe carries what is new, or what was sent longest ago where nothing is. RFC 9002 §6.2.4
/// [rfc9002-6.2.4-5].
void ConnectionMachine::give_probes_data(Instant now) {
  for (const PacketNumberSpace space : kAllPacketNumberSpaces) {
    if (recovery_.probes(space) == 0) continue;
    const bool application = space == PacketNumberSpace::application;
    if (spaces_[space].crypto.has_frames()) continue;
    if (application && sources_.has_application_frames(now)) continue;
    std::ignore = recovery_.replace_oldest(now, space, *this);
  }
}

/// A datagram that probes a path or its size, should one be due.
std::optional<Transmit> ConnectionMachine::transmit_probe(Instant now, TransmitBuffer& out) {
  if (!lifetime_.is_open() || !is_confirmed() || key_phases_.nearly_exhausted()) {
    return std::nullopt;
  }
  const auto probe = paths_.next_probe(now, out.storage.size());
  if (!probe) return std::nullopt;
  const ConnectionId* const destination = remote_cids_.find(probe->path->remote_cid);
  if (destination == nullptr) return std::nullopt;
  PacketAssembler::Train train(probe->is_mtu_probe ? recovery_.ecn_mark() : Ecn::not_ect);
  const MutableBytes storage = out.storage.first(probe->size);
  if (!assembler_.add_probe(now, *destination, *probe, storage, train)) return std::nullopt;
  assembler_.protect_headers(train);
  probe->path->on_sent(storage.size());
  stats_.bytes_sent += storage.size();
  log::emit(log_.get(), [&] {
    return log::UdpDatagramsSent{
        .size = storage.size(), .segment_size = storage.size(), .ecn = train.ecn()};
  });
  return Transmit{.path = probe->path->address,
                  .ecn = train.ecn(),
                  .size = storage.size(),
                  .segment_size = storage.size()};
}

// --- time ----------------------------------------------------------------------------------------

Instant ConnectionMachine::next_deadline() const {
  const Instant end = lifetime_.deadline(streams_.may_be_blocked());
  if (!lifetime_.is_open()) return end;
  Instant next = std::min({recovery_.deadline(), end, key_phases_.deadline(), handshake_.deadline(),
                           observed_addresses_.deadline(), paths_.deadline(called_at_)});
  // RFC 9000 §8.1 [rfc9000-8.1-2]: what may not leave sets no timer. Credit comes with a datagram, and
  // then we are polled.
  constexpr std::uint64_t kAnyAck = 128;
  const bool may_acknowledge =
      paths_.active().allowance() >= std::max(kAnyAck, paths_.least_allowance());
  for (const NumberSpace& each : spaces_) {
    if (may_acknowledge && !each.discarded) next = std::min(next, each.acks.deadline());
  }
  if (sources_.has_frames(called_at_)) {
    next = std::min(next, recovery_.pacing_deadline(called_at_));
  }
  return next;
}

void ConnectionMachine::on_deadline(Instant now) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  const Lifetime::Due due = lifetime_.on_deadline(now, recovery_.pto());
  if (due.closed) emit_closed();
  if (!lifetime_.is_open()) {
    if (lifetime_.is_drained()) log_state(log::ConnectionState::closed);
    return;
  }
  if (due.keep_alive) pings_.send();
  // RFC 9000 §4.1 [rfc9000-4.1-5]: who waits for a slow reader is not gone.
  if (due.blocked && !recovery_.ack_eliciting_in_flight()) streams_.repeat_blocked();
  if (now >= recovery_.deadline()) {
    recovery_.on_deadline(now, *this);
    if (recovery_.pto_count() != 0) handshake_.on_pto();
    replace_spent_cids();
    paths_.detect_black_hole(now);
  }
  paths_.on_deadline(now);
  key_phases_.on_deadline(now);
  handshake_.on_deadline(now);
  observed_addresses_.on_deadline(now);
  fail_if_broken(now);
  assert_consistent();
}

void ConnectionMachine::on_network_changed(Instant now) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (lifetime_.is_open()) recovery_.on_network_changed(now);
}

/// A client has moved, and its server does not answer: it may have no connection ID of ours left for
/// the new path, and what it sends over the old one is lost. New IDs arrive all the same.
void ConnectionMachine::replace_spent_cids() {
  constexpr unsigned kPtosBeforeRotation = 2;
  constexpr unsigned kPtosBeforeAnother = 4;
  if (side() != Side::client || stats_.path_changes == 0) return;
  if (recovery_.pto_count() == kPtosBeforeRotation) local_cids_.rotate();
  if (recovery_.pto_count() == kPtosBeforeAnother) local_cids_.rotate_again();
}

bool ConnectionMachine::consistent() const {
  if (!(spaces_.consistent() && lifetime_.consistent() && pings_.consistent() &&
        paths_.consistent() && handshake_.consistent() && sources_.consistent() &&
        assembler_.consistent() && recovery_.consistent() && key_phases_.consistent() &&
        datagrams_.consistent() && local_cids_.consistent() && new_tokens_.consistent() &&
        ack_frequency_.consistent() && observed_addresses_.consistent() &&
        undecryptable_packets_.consistent())) {
    return false;
  }
  // What broke a rule of these was taken in half when the connection ended for it.
  return !lifetime_.is_open() || (streams_.consistent() && remote_cids_.consistent());
}

void ConnectionMachine::assert_consistent() {
  if constexpr (kAssertions) {
    const std::size_t items = streams_.open_streams() + recovery_.tracked_packets();
    if (checks_++ % (1 + items / 32) == 0) QPEER_ASSERT(consistent());
  }
}

// --- ends ----------------------------------------------------------------------------------------

void ConnectionMachine::close(Instant now, std::uint64_t error_code, std::string_view reason) {
  called_at_ = now;
  if (lifetime_.enter_closing(now, application_close(error_code, reason), recovery_.pto())) {
    emit_closed();
  }
}

void ConnectionMachine::fail(Instant now, const TransportError& error) {
  const CloseReason reason{.kind = CloseReason::Kind::local_transport,
                           .code = static_cast<std::uint64_t>(error.code),
                           .frame_type = error.frame_type,
                           .reason = std::string(error.reason)};
  if (lifetime_.enter_closing(now, reason, recovery_.pto())) emit_closed();
}

bool ConnectionMachine::fail_if_broken(Instant now) {
  const char* const text = latch_.take();
  if (text == nullptr) [[likely]]
    return false;
  // The text of the condition: it has no value of ours or of the peer's in it.
  fail(now, {TransportErrorCode::internal_error, text});
  return true;
}

void ConnectionMachine::on_stateless_reset(Instant now) {
  called_at_ = now;
  const CloseReason reason{.kind = CloseReason::Kind::stateless_reset,
                           .reason = "the peer has no state for this connection"};
  if (lifetime_.enter_draining(now, reason, recovery_.pto())) emit_closed();
}

/// The connection has just ended.
void ConnectionMachine::emit_closed() {
  for (std::size_t i = 0; i < undecryptable_packets_.size(); ++i)
    drop(DropReason::keys_unavailable);
  undecryptable_packets_.clear();
  streams_.close();
  datagrams_.close();
  log_state(lifetime_.is_closing()    ? log::ConnectionState::closing
            : lifetime_.is_draining() ? log::ConnectionState::draining
                                      : log::ConnectionState::closed);
  log::emit(log_.get(), [&] { return closed_event(*lifetime_.close_reason()); });
  events_.emplace_back(Closed{.reason = *lifetime_.close_reason()});
}

// --- paths ---------------------------------------------------------------------------------------

void ConnectionMachine::on_path_result(const Path& path, bool validated) {
  events_.emplace_back(
      PathActivity{.kind = validated ? PathActivity::Kind::validated : PathActivity::Kind::failed,
                   .path = path});
}

void ConnectionMachine::on_path_changed(Instant now, const Path& path) {
  ++stats_.path_changes;
  log::emit(log_.get(),
            [&] { return log::TupleAssigned{.tuple_id = stats_.path_changes, .path = path}; });
  // The peer follows a packet that is more than a probe.
  if (side() == Side::client) pings_.send();
  observed_addresses_.on_remote_address(now, path.remote);
  if (path.local.valid()) on_local_address_learned(path);
}

/// The event waits until both addresses are known.
void ConnectionMachine::on_local_address_learned(const Path& path) {
  events_.emplace_back(PathActivity{.kind = PathActivity::Kind::changed, .path = path});
}

void ConnectionMachine::on_new_address_validated(Instant now) { give_new_tokens(now); }

std::expected<void, PathError> ConnectionMachine::probe_path(Instant now,
                                                             const SocketAddress& local) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (!lifetime_.is_open()) return std::unexpected(PathError::closed);
  return paths_.begin(now, local, NetworkPath::Intent::probe);
}

std::expected<void, PathError> ConnectionMachine::migrate(Instant now, const SocketAddress& local) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (!lifetime_.is_open()) return std::unexpected(PathError::closed);
  return paths_.begin(now, local, NetworkPath::Intent::migrate);
}

void ConnectionMachine::on_datagram_too_large(Instant now, const Path& path, std::size_t size) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (!lifetime_.is_open() || !paths_.on_datagram_too_large(now, path, size)) return;
  recovery_.on_refused(now);
}

void ConnectionMachine::abandon(Instant now, const CloseReason& reason) {
  called_at_ = now;
  if (lifetime_.is_open() && lifetime_.end_silently(reason)) emit_closed();
}

void ConnectionMachine::on_local_address_gone(Instant now, const Path& path) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (!lifetime_.is_open() || side() == Side::server) return;
  if (!is_confirmed()) {
    // RFC 9000 §9 [rfc9000-9-1].
    if (path == paths_.active().address)
      abandon(now, application_close(0, "the local address is gone"));
    return;
  }
  if (paths_.on_local_address_gone(now, path)) recovery_.on_refused(now);
}

void ConnectionMachine::on_source_changed(Instant now, const SocketAddress& source) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (!lifetime_.is_open() || !is_confirmed()) return;
  if (paths_.on_source_changed(now, source)) recovery_.on_refused(now);
}

void ConnectionMachine::release_ids() {
  local_cids_.release();
  remote_cids_.release_tokens();
}

bool ConnectionMachine::rotate_connection_ids() {
  const InvariantLatch::Scope scope(latch_);
  return usable() && local_cids_.rotate();
}

}  // namespace qpeer::transport
