// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A Handshake with all that it needs, and a peer that is played by the test.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/fakes.hpp"
#include "qpeer/transport/connection/handshake.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace qpeer::transport::test {

using crypto::EarlyData;
using wire::PacketType;
using Level = EncryptionLevel;

inline constexpr Instant kNow{5s};
inline constexpr Duration kPto = 100ms;
inline const ConnectionId kClientId = id_of(1);
inline const ConnectionId kServerId = id_of(2);
inline const ConnectionId kFirstId = id_of(3);  ///< That the client drew for the server.

/// Records the calls of the handshake.
struct HandshakeRecord final : HandshakeObserver {
  void fill_parameters(wire::TransportParameters& out) override { out.initial_max_data = 77; }
  void on_peer_limits(const wire::TransportParameters& limits, bool remembered) override {
    max_data = limits.initial_max_data;
    limits_remembered = remembered;
  }
  void on_peer_parameters(Instant now, const wire::TransportParameters&) override {
    parameters_at.push_back(now);
  }
  void on_remote_cid(const ConnectionId& id) override { remote_cid = id; }
  void on_new_keys(EncryptionLevel level, Side sender) override {
    keys.emplace_back(level, sender);
  }
  void on_handshake_keys() override { handshake_keys = true; }
  void on_space_reset(Instant, PacketNumberSpace space) override { reset.push_back(space); }
  void on_space_discarded(Instant, PacketNumberSpace space) override { discarded.push_back(space); }
  void on_early_data_accepted() override { early.push_back(EarlyData::accepted); }
  void on_early_data_rejected(Instant) override { early.push_back(EarlyData::rejected); }
  void on_session_ticket(std::vector<u8> ticket) override { tickets.push_back(std::move(ticket)); }
  void on_handshake_complete(Instant) override { ++completed; }
  void on_handshake_confirmed(Instant) override { ++confirmed; }

  std::uint64_t max_data = 0;
  bool limits_remembered = false, handshake_keys = false;
  std::vector<Instant> parameters_at;
  std::vector<std::pair<EncryptionLevel, Side>> keys;
  std::optional<ConnectionId> remote_cid;
  std::vector<PacketNumberSpace> reset, discarded;
  std::vector<EarlyData> early;
  std::vector<std::vector<u8>> tickets;
  int completed = 0, confirmed = 0;
};

/// Of a client that was given a ticket by a connection before.
inline ConnectionSetup with_ticket(EarlyDataPolicy policy) {
  SessionTicket ticket;
  ticket.parameters.initial_max_data = 500;
  ticket.session = {7, 7};
  ConnectionSetup setup;
  setup.session_ticket = ticket;
  setup.early_data = policy;
  return setup;
}

struct HandshakeFixture {
  explicit HandshakeFixture(Side side, ConnectionSetup extra = {})
      : handshake(config, prepared(side, std::move(extra), tls),
                  side == Side::client ? kClientId : kServerId, crypto::openssl_keys(), random,
                  spaces, key_phases, observer) {
    EXPECT_TRUE(handshake.start());
    check();
  }
  static ConnectionSetup prepared(Side side, ConnectionSetup setup,
                                  std::shared_ptr<ScriptedContext> tls) {
    setup.side = side;
    setup.original_destination_connection_id = kFirstId;
    if (side == Side::server) {
      setup.initial_destination_connection_id = kFirstId;
      setup.remote_connection_id = kClientId;
    }
    setup.tls = std::move(tls);
    return setup;
  }

  void check() const { ASSERT_TRUE(handshake.consistent()); }
  [[nodiscard]] ScriptedTls& session() const { return *tls->session; }

  /// What the peer's transport parameters would be.
  [[nodiscard]] wire::TransportParameters peer_parameters() const {
    wire::TransportParameters out{.initial_max_data = 1000};
    const bool client = handshake.side() == Side::client;
    out.initial_source_connection_id = client ? kServerId : kClientId;
    if (client) out.original_destination_connection_id = kFirstId;
    return out;
  }
  static Result receive_parameters(ScriptedTls& tls, const wire::TransportParameters& parameters) {
    std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
    Writer out(storage);
    parameters.encode(out);
    return tls.handler.on_tls_transport_parameters(out.written());
  }

  /// Some bytes of CRYPTO come at `level`, upon which TLS does `step`.
  Result crypto(Level level, std::function<Result()> step) {
    std::uint64_t& offset = offsets.at(static_cast<std::size_t>(level));
    session().step = std::move(step);
    const std::array<u8, 4> data{};
    const Result result = handshake.on_frame(kNow, level, {.offset = offset, .data = data});
    offset += data.size();
    return result;
  }
  [[nodiscard]] wire::ProtectedHeader header(PacketType type) const {
    const bool client = handshake.side() == Side::client;
    return {.type = type,
            .version = handshake.version(),
            .destination_connection_id = client ? kClientId : kServerId,
            .source_connection_id = client ? kServerId : kClientId};
  }
  /// All of it; a client lacks HANDSHAKE_DONE then.
  void run() {
    handshake.on_packet_authenticated(kNow, header(PacketType::initial), kPto);
    EXPECT_TRUE(crypto(Level::initial, [this] {
      const Result taken = receive_parameters(session(), peer_parameters());
      session().keys(Level::handshake);
      session().level = Level::handshake;
      return taken;
    }));
    check();
    EXPECT_TRUE(crypto(Level::handshake, [this] {
      session().keys(Level::one_rtt);
      session().level = Level::one_rtt;
      session().complete = true;
      return Result{};
    }));
    check();
  }

  std::shared_ptr<ScriptedContext> tls = std::make_shared<ScriptedContext>();
  ConnectionConfig config{};
  CountingRandom random;
  NumberSpaces spaces{25ms, 65536};
  KeyPhases key_phases{crypto::openssl_keys()};
  HandshakeRecord observer;
  std::array<std::uint64_t, kEncryptionLevels> offsets{};
  Handshake handshake;
};

inline TransportErrorCode code_of(const Result& result) {
  return result ? TransportErrorCode::no_error : result.error().code;
}

inline DropReason drop_of(const Handshake::Acceptance& acceptance) {
  EXPECT_FALSE(acceptance);
  return acceptance ? DropReason::count_ : std::get<DropReason>(acceptance.error());
}

}  // namespace qpeer::transport::test
