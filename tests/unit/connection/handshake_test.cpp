// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Handshake by itself, with a TLS session that does what a test tells it. RFC 9001 §4; RFC 9000 §7.
#include "qpeer/transport/connection/handshake.hpp"

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport {
namespace {

using crypto::Direction;
using crypto::EarlyData;
using wire::PacketType;
using Level = EncryptionLevel;

constexpr Instant kNow{5s};
constexpr Duration kPto = 100ms;
constexpr auto kSuite = crypto::CipherSuite::aes_128_gcm_sha256;
constexpr std::array<u8, 32> kSecret{1, 2, 3};

ConnectionId id_of(u8 value) { return ConnectionId(std::array<u8, 8>{value}); }
const ConnectionId kClientId = id_of(1);
const ConnectionId kServerId = id_of(2);
const ConnectionId kFirstId = id_of(3);  ///< That the client drew for the server.

/// Takes whatever comes, and then does `step`.
struct ScriptedTls final : crypto::TlsSession {
  explicit ScriptedTls(crypto::TlsHandler& handler) : handler(handler) {}
  Result start() override { return {}; }
  void set_transport_parameters(Bytes) override { ++parameter_changes; }
  Result on_data(Level, Bytes) override { return step ? step() : Result{}; }
  [[nodiscard]] bool is_complete() const override { return complete; }
  [[nodiscard]] Level read_level() const override { return level; }
  [[nodiscard]] EarlyData early_data() const override { return early; }
  [[nodiscard]] std::string_view alpn() const override { return "test"; }
  [[nodiscard]] std::string_view server_name() const override { return {}; }
  [[nodiscard]] crypto::PeerCertificate peer_certificate() const override { return {}; }
  [[nodiscard]] std::string group() const override { return {}; }

  void keys(Level at) {
    for (const Direction direction : {Direction::send, Direction::receive}) {
      handler.on_tls_secret(at, direction, kSuite, kSecret);
    }
  }

  crypto::TlsHandler& handler;
  std::function<Result()> step;
  Level level = Level::initial;
  bool complete = false;
  EarlyData early = EarlyData::none;
  int parameter_changes = 0;
};

struct ScriptedContext final : crypto::TlsContext {
  std::unique_ptr<crypto::TlsSession> new_session(Side, std::string_view, Bytes parameters,
                                                  crypto::TlsHandler& handler,
                                                  const crypto::Resumption& resumption) override {
    ++sessions;
    sent_parameters.assign(parameters.begin(), parameters.end());
    offered_session.assign(resumption.session.begin(), resumption.session.end());
    auto made = std::make_unique<ScriptedTls>(handler);
    session = made.get();
    if (resumption.early_data) {
      handler.on_tls_secret(Level::zero_rtt, Direction::send, kSuite, kSecret);
    }
    return made;
  }

  ScriptedTls* session = nullptr;
  int sessions = 0;
  std::vector<u8> sent_parameters;
  std::vector<u8> offered_session;
};

class Counting final : public Random {
 public:
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& each : out) each = next_++;
  }

 private:
  u8 next_ = 100;
};

struct Observer final : HandshakeObserver {
  void fill_parameters(wire::TransportParameters& out) override { out.initial_max_data = 77; }
  void on_peer_limits(const wire::TransportParameters& limits, bool remembered) override {
    max_data = limits.initial_max_data;
    limits_remembered = remembered;
  }
  void on_peer_parameters(Instant now, const wire::TransportParameters&) override {
    parameters_at.push_back(now);
  }
  void on_remote_cid(const ConnectionId& id) override { remote_cid = id; }
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
  std::optional<ConnectionId> remote_cid;
  std::vector<PacketNumberSpace> reset, discarded;
  std::vector<EarlyData> early;
  std::vector<std::vector<u8>> tickets;
  int completed = 0, confirmed = 0;
};

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
  Counting random;
  NumberSpaces spaces{25ms, 65536};
  KeyPhases key_phases{crypto::openssl_keys()};
  Observer observer;
  std::array<std::uint64_t, kEncryptionLevels> offsets{};
  Handshake handshake;
};

TransportErrorCode code_of(const Result& result) {
  return result ? TransportErrorCode::no_error : result.error().code;
}

DropReason drop_of(const Handshake::Acceptance& acceptance) {
  EXPECT_FALSE(acceptance);
  return acceptance ? DropReason::count_ : std::get<DropReason>(acceptance.error());
}

// [rfc9001-4.1.2-1], [rfc9001-4.9.2-1]: a client waits for HANDSHAKE_DONE.
TEST(Handshake, OfAClientIsConfirmedByItsServer) {
  HandshakeFixture client(Side::client);
  EXPECT_TRUE(client.handshake.can_send(Level::initial));
  EXPECT_FALSE(client.handshake.can_send(Level::handshake));
  EXPECT_FALSE(client.handshake.allows_streams());
  client.run();
  EXPECT_TRUE(client.observer.handshake_keys);
  EXPECT_EQ(client.observer.completed, 1);
  EXPECT_EQ(client.observer.confirmed, 0);
  EXPECT_TRUE(client.handshake.allows_streams());
  EXPECT_TRUE(client.handshake.can_receive(Level::one_rtt));
  EXPECT_FALSE(client.handshake.done().has_frames()) << "only servers say so";
  client.handshake.confirm(kNow);
  client.handshake.confirm(kNow);
  client.check();
  EXPECT_EQ(client.observer.confirmed, 1);
  EXPECT_EQ(client.observer.discarded.size(), 2U);
  EXPECT_FALSE(client.handshake.can_send(Level::initial));
  EXPECT_FALSE(client.handshake.can_receive(Level::handshake));
}

TEST(Handshake, OfAServerIsConfirmedOnceItIsComplete) {
  HandshakeFixture server(Side::server);
  server.run();
  EXPECT_TRUE(server.handshake.is_confirmed());
  EXPECT_EQ(server.observer.confirmed, 1);
  EXPECT_TRUE(server.handshake.done().has_frames());
}

TEST(HandshakeDone, IsSentUntilItIsAcknowledged) {
  HandshakeDone done;
  EXPECT_FALSE(done.has_frames());
  done.send();
  std::vector<u8> storage(20);
  PacketWriter out(storage, PacketType::one_rtt);
  done.write_frames(out);
  EXPECT_FALSE(done.has_frames());
  done.on_fate({}, Fate::lost);
  EXPECT_TRUE(done.has_frames());
  PacketWriter again(storage, PacketType::one_rtt);
  done.write_frames(again);
  done.on_fate({}, Fate::acked);
  done.on_fate({}, Fate::lost);
  EXPECT_FALSE(done.has_frames()) << "the client has it";
}

TEST(Handshake, PassesThePeersParametersOnWithTheTimeOfTheCall) {
  HandshakeFixture client(Side::client);
  client.run();
  EXPECT_EQ(client.observer.parameters_at, std::vector<Instant>{kNow});
  EXPECT_EQ(client.observer.max_data, 1000U);
  EXPECT_EQ(client.handshake.peer_parameters().initial_max_data, 1000U);
  const auto ours = wire::TransportParameters::decode(client.tls->sent_parameters, Side::client);
  ASSERT_TRUE(ours);
  EXPECT_EQ(ours->initial_max_data, 77U) << "the observer fills its part in";
  EXPECT_EQ(ours->initial_source_connection_id, kClientId);
}

// [rfc9000-7.3-4].
TEST(Handshake, ConnectionIdsMustBeThoseOfThePackets) {
  const auto outcome = [](Side side, auto&& change) {
    HandshakeFixture fixture(side);
    fixture.handshake.on_packet_authenticated(kNow, fixture.header(PacketType::initial), kPto);
    wire::TransportParameters parameters = fixture.peer_parameters();
    change(parameters);
    return code_of(fixture.crypto(Level::initial, [&] {
      return HandshakeFixture::receive_parameters(fixture.session(), parameters);
    }));
  };
  constexpr auto kError = TransportErrorCode::transport_parameter_error;
  for (const Side side : {Side::client, Side::server}) {
    EXPECT_EQ(outcome(side, [](auto&) {}), TransportErrorCode::no_error);
    EXPECT_EQ(outcome(side, [](auto& p) { p.initial_source_connection_id = id_of(9); }), kError);
  }
  EXPECT_EQ(outcome(Side::client, [](auto& p) { p.original_destination_connection_id = id_of(9); }),
            kError);
  EXPECT_EQ(outcome(Side::client, [](auto& p) { p.retry_source_connection_id = id_of(9); }),
            kError);
}

// [rfc9001-4.1.3-1]: nothing may follow at a level that TLS has left.
TEST(Handshake, DataAfterItsKeysIsAnError) {
  HandshakeFixture client(Side::client);
  client.run();
  const std::array<u8, 4> data{};
  const Result late = client.handshake.on_frame(kNow, Level::initial, {.offset = 4, .data = data});
  EXPECT_EQ(code_of(late), TransportErrorCode::protocol_violation);
  client.handshake.confirm(kNow);
  EXPECT_TRUE(client.handshake.on_frame(kNow, Level::initial, {.offset = 8, .data = data}))
      << "its keys are gone: the packet had others";
}

// --- packets -------------------------------------------------------------------------------------

TEST(Handshake, TakesLongHeaderPacketsOfItsPeerOnly) {
  HandshakeFixture server(Side::server);
  wire::ProtectedHeader initial = server.header(PacketType::initial);
  EXPECT_EQ(server.handshake.refuses(initial, 1200), std::nullopt);
  EXPECT_EQ(server.handshake.refuses(initial, 1199), DropReason::too_small);
  EXPECT_EQ(server.handshake.refuses(server.header(PacketType::handshake), 100), std::nullopt);
  initial.source_connection_id = id_of(9);
  EXPECT_EQ(server.handshake.refuses(initial, 1200), DropReason::unexpected_packet);
  initial.version = Version{0x1234};
  EXPECT_EQ(server.handshake.refuses(initial, 1200), DropReason::unsupported_version);

  HandshakeFixture client(Side::client);
  wire::ProtectedHeader answer = client.header(PacketType::initial);
  const std::array<u8, 2> token{};
  answer.token = token;
  EXPECT_EQ(client.handshake.refuses(answer, 1200), DropReason::unexpected_packet);
  answer.token = {};
  EXPECT_EQ(client.handshake.refuses(answer, 100), std::nullopt);
  client.handshake.on_packet_authenticated(kNow, answer, kPto);
  EXPECT_EQ(client.observer.remote_cid, kServerId);
  answer.source_connection_id = id_of(9);
  EXPECT_EQ(client.handshake.refuses(answer, 100), DropReason::unexpected_packet);
}

TEST(Handshake, KnowsForWhichLevelsKeysMayStillCome) {
  HandshakeFixture client(Side::client);
  EXPECT_TRUE(client.handshake.awaits_keys(Level::handshake));
  EXPECT_TRUE(client.handshake.awaits_keys(Level::one_rtt));
  EXPECT_FALSE(client.handshake.awaits_keys(Level::zero_rtt)) << "only servers get those";
  client.run();
  EXPECT_FALSE(client.handshake.awaits_keys(Level::one_rtt));
  HandshakeFixture server(Side::server);
  EXPECT_TRUE(server.handshake.awaits_keys(Level::zero_rtt));
  EXPECT_FALSE(server.handshake.awaits_keys(Level::one_rtt)) << "nobody has seen our handshake";
  server.run();
  EXPECT_FALSE(server.handshake.awaits_keys(Level::zero_rtt));
}

std::vector<u8> retry_packet(Bytes token, const ConnectionId& source = id_of(8)) {
  std::vector<u8> packet(100 + token.size());
  Writer out(packet);
  wire::encode_retry(out, Version::v1, kClientId.bytes(), source.bytes(), token);
  const auto tag =
      crypto::openssl_keys().retry_integrity_tag(Version::v1, kFirstId.bytes(), out.written());
  out.bytes(tag);
  packet.resize(out.size());
  return packet;
}

// [rfc9000-17.2.5.2-1], [rfc9000-17.2.5.2-2], [rfc9000-8.1.3-2], [rfc9000-17.2.3-1].
TEST(Handshake, ARetryIsTakenOnce) {
  HandshakeFixture client(Side::client);
  const std::array<u8, 5> token{1, 2, 3, 4, 5};
  const auto packet = retry_packet(token);
  const auto header = client.header(PacketType::retry);
  auto forged = packet;
  forged.back() ^= 1;
  EXPECT_EQ(drop_of(client.handshake.on_retry(kNow, header, forged)), DropReason::undecryptable);
  ASSERT_TRUE(client.handshake.on_retry(kNow, header, packet));
  client.check();
  EXPECT_EQ(client.observer.remote_cid, id_of(8));
  EXPECT_EQ(client.observer.reset, std::vector{PacketNumberSpace::initial});
  const auto initial = client.handshake.long_header(Level::initial, id_of(8));
  EXPECT_TRUE(equal(initial.token, token));
  EXPECT_EQ(drop_of(client.handshake.on_retry(kNow, header, packet)),
            DropReason::unexpected_packet);

  HandshakeFixture late(Side::client);
  late.handshake.on_packet_authenticated(kNow, late.header(PacketType::initial), kPto);
  EXPECT_EQ(drop_of(late.handshake.on_retry(kNow, header, packet)), DropReason::unexpected_packet);
  HandshakeFixture server(Side::server);
  EXPECT_EQ(drop_of(server.handshake.on_retry(kNow, header, packet)),
            DropReason::unexpected_packet);
}

TEST(Handshake, ATokenThatLeavesNoRoomEndsTheConnection) {
  HandshakeFixture client(Side::client);
  const std::vector<u8> token(1150);
  const auto acceptance =
      client.handshake.on_retry(kNow, client.header(PacketType::retry), retry_packet(token));
  ASSERT_FALSE(acceptance);
  const auto* reason = std::get_if<CloseReason>(&acceptance.error());
  ASSERT_NE(reason, nullptr);
  EXPECT_EQ(reason->code, static_cast<std::uint64_t>(TransportErrorCode::invalid_token));
}

std::vector<u8> negotiation_packet(std::vector<Version> versions) {
  std::vector<u8> packet(100);
  Writer out(packet);
  wire::encode_version_negotiation(out, 0, kClientId.bytes(), kFirstId.bytes(), versions);
  packet.resize(out.size());
  return packet;
}

// [rfc9000-6.2-3], [rfc9368-2.1-5], [rfc9369-5-1].
TEST(Handshake, VersionNegotiationBeginsAnew) {
  ConnectionSetup setup;
  setup.token = {1, 2};
  HandshakeFixture client(Side::client, setup);
  EXPECT_EQ(drop_of(client.handshake.on_version_negotiation(
                kNow, negotiation_packet({Version::v1, Version::v2}))),
            DropReason::unexpected_packet)
      << "it has the version that was chosen";
  ASSERT_TRUE(client.handshake.on_version_negotiation(kNow, negotiation_packet({Version::v2})));
  client.check();
  EXPECT_EQ(client.tls->sessions, 2);
  EXPECT_EQ(client.handshake.version(), Version::v2);
  EXPECT_NE(client.observer.remote_cid, kFirstId) << "another first connection ID";
  EXPECT_TRUE(client.handshake.long_header(Level::initial, kServerId).token.empty());
  EXPECT_EQ(
      drop_of(client.handshake.on_version_negotiation(kNow, negotiation_packet({Version::v1}))),
      DropReason::unexpected_packet)
      << "once";

  HandshakeFixture lonely(Side::client);
  const auto none =
      lonely.handshake.on_version_negotiation(kNow, negotiation_packet({Version{0x0a0a0a0a}}));
  ASSERT_FALSE(none);
  const auto* reason = std::get_if<CloseReason>(&none.error());
  ASSERT_NE(reason, nullptr);
  EXPECT_EQ(reason->kind, CloseReason::Kind::version_negotiation);
}

// --- early data ----------------------------------------------------------------------------------

ConnectionSetup with_ticket(EarlyDataPolicy policy) {
  SessionTicket ticket;
  ticket.parameters.initial_max_data = 500;
  ticket.session = {7, 7};
  ConnectionSetup setup;
  setup.session_ticket = ticket;
  setup.early_data = policy;
  return setup;
}

TEST(Handshake, EarlyDataIsSentUnderTheRememberedLimits) {
  HandshakeFixture client(Side::client, with_ticket(EarlyDataPolicy::resend));
  EXPECT_EQ(client.tls->offered_session, (std::vector<u8>{7, 7}));
  EXPECT_EQ(client.handshake.early_data(), EarlyData::offered);
  EXPECT_TRUE(client.handshake.can_send(Level::zero_rtt));
  EXPECT_TRUE(client.handshake.allows_streams());
  EXPECT_EQ(client.observer.max_data, 500U);
  EXPECT_TRUE(client.observer.limits_remembered);
  client.session().early = EarlyData::accepted;
  client.run();
  EXPECT_EQ(client.handshake.early_data(), EarlyData::accepted);
  EXPECT_EQ(client.observer.early, std::vector{EarlyData::accepted});
  EXPECT_EQ(client.observer.max_data, 1000U);
  EXPECT_FALSE(client.observer.limits_remembered);
  EXPECT_FALSE(client.handshake.can_send(Level::zero_rtt)) << "1-RTT keys replace them";
}

// [rfc9000-7.4.1-5].
TEST(Handshake, EarlyDataIsNotAcceptedUnderLowerLimits) {
  HandshakeFixture client(Side::client, with_ticket(EarlyDataPolicy::resend));
  client.handshake.on_packet_authenticated(kNow, client.header(PacketType::initial), kPto);
  client.session().early = EarlyData::accepted;
  const Result result = client.crypto(Level::initial, [&] {
    wire::TransportParameters lower = client.peer_parameters();
    lower.initial_max_data = 499;
    return HandshakeFixture::receive_parameters(client.session(), lower);
  });
  EXPECT_EQ(code_of(result), TransportErrorCode::protocol_violation);
}

// [rfc9001-4.6.2-2], [rfc9001-4.6.2-3].
TEST(Handshake, RejectedEarlyDataWasNeverSent) {
  for (const auto policy : {EarlyDataPolicy::resend, EarlyDataPolicy::report}) {
    HandshakeFixture client(Side::client, with_ticket(policy));
    client.spaces.application().next_packet_number = 5;
    client.session().early = EarlyData::rejected;
    client.handshake.on_packet_authenticated(kNow, client.header(PacketType::initial), kPto);
    EXPECT_TRUE(client.crypto(Level::initial, [&] {
      return HandshakeFixture::receive_parameters(client.session(), client.peer_parameters());
    }));
    client.check();
    EXPECT_EQ(client.observer.early, std::vector{EarlyData::rejected});
    EXPECT_FALSE(client.handshake.can_send(Level::zero_rtt));
    EXPECT_EQ(client.handshake.allows_streams(), policy == EarlyDataPolicy::resend);
    EXPECT_TRUE(client.handshake.acknowledges_rejected({.largest_acknowledged = 4}));
    EXPECT_FALSE(client.handshake.acknowledges_rejected({.largest_acknowledged = 5}));
  }
}

// [rfc9001-4.9.3-4].
TEST(Handshake, AServersEarlyKeysLastThreePtosMore) {
  HandshakeFixture server(Side::server);
  server.session().handler.on_tls_secret(Level::zero_rtt, Direction::receive, kSuite, kSecret);
  EXPECT_EQ(server.observer.early, std::vector{EarlyData::accepted});
  EXPECT_TRUE(server.handshake.can_receive(Level::zero_rtt));
  EXPECT_EQ(server.handshake.deadline(), kNever);
  server.run();
  server.handshake.on_packet_authenticated(kNow, {.type = PacketType::one_rtt}, kPto);
  server.handshake.on_packet_authenticated(kNow + 1s, {.type = PacketType::one_rtt}, kPto);
  server.check();
  EXPECT_EQ(server.handshake.deadline(), kNow + 3 * kPto);
  server.handshake.on_deadline(kNow + 3 * kPto - 1ns);
  EXPECT_TRUE(server.handshake.can_receive(Level::zero_rtt));
  server.handshake.on_deadline(kNow + 3 * kPto);
  server.check();
  EXPECT_FALSE(server.handshake.can_receive(Level::zero_rtt));
  EXPECT_EQ(server.handshake.deadline(), kNever);
}

// [rfc9369-5-2], [rfc9000-7.4.1-9].
TEST(Handshake, TicketsServeOneVersionAndNoLowerLimits) {
  HandshakeFixture server(Side::server);
  crypto::TlsHandler& handler = server.session().handler;
  const std::vector<u8> ticket = handler.tls_ticket_data();
  EXPECT_EQ(handler.on_tls_ticket(ticket), crypto::TicketUse::resume_with_early_data);
  EXPECT_EQ(handler.on_tls_ticket({}), crypto::TicketUse::refuse);
  ConnectionSetup later;
  later.version = Version::v2;
  HandshakeFixture other(Side::server, later);
  EXPECT_EQ(other.session().handler.on_tls_ticket(ticket), crypto::TicketUse::refuse);

  HandshakeFixture client(Side::client);
  client.run();
  const std::array<u8, 3> session{4, 5, 6};
  client.session().handler.on_tls_session(session);
  ASSERT_EQ(client.observer.tickets.size(), 1U);
  const auto kept = SessionTicket::decode(client.observer.tickets[0]);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->session, (std::vector<u8>{4, 5, 6}));
  EXPECT_EQ(kept->parameters.initial_max_data, 1000U);
}

}  // namespace
}  // namespace qpeer::transport
