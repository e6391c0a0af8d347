// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Sessions, tickets and early data between two TLS sessions. RFC 8446 §2.2, §2.3, §4.2.10, §8.
#include "qpeer/crypto/resumption.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "qpeer/crypto/openssl/hkdf.hpp"
#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

constexpr EncryptionLevel kEarly = EncryptionLevel::zero_rtt;

/// A client and a server that know each other, and what the client was given.
struct Acquaintance {
  explicit Acquaintance(TlsConfig client_config = early_config(),
                        TlsConfig server_config = early_config())
      : client(context_of(std::move(client_config))), server(context_of(std::move(server_config))) {
    TlsPair pair(client, server);
    pair.run();
    EXPECT_TRUE(pair.complete());
    EXPECT_EQ(pair.client.sessions.size(), 2U);
    if (!pair.client.sessions.empty()) session = pair.client.sessions.front();
  }

  static TlsConfig early_config() {
    TlsConfig config = basic_config();
    config.tickets.early_data = true;
    return config;
  }
  [[nodiscard]] TlsPair again(std::string_view name = "server.test") const {
    return TlsPair(client, server, name, {.session = session, .early_data = true});
  }

  /// Both of a mutual handshake's sides, but the client shows nothing: whoever knows the layout of
  /// its sessions can write one.
  static Acquaintance anonymous() {
    TlsConfig client_config = early_config();
    client_config.credentials.reset();
    TlsConfig server_config = early_config();
    server_config.mutual = false;
    return Acquaintance(client_config, server_config);
  }

  std::shared_ptr<TlsContext> client;
  std::shared_ptr<TlsContext> server;
  std::vector<u8> session;
};

/// A session of a client without credentials: 1 format | 32 bound to | 32 tag | DER of OpenSSL's.
constexpr std::size_t kTagAt = 1 + 32;
constexpr std::size_t kDerAt = kTagAt + 32;

/// Makes the tag right again after a change.
void seal(std::vector<u8>& session) {
  const Bytes all(session);
  const Secret tag = hmac(Hash::sha256, {}, {all.first(kTagAt), all.subspan(kDerAt)});
  copy(tag.bytes(), MutableBytes(session).subspan(kTagAt, 32));
}

/// Replaces bytes that are there once by as many others.
void replace(std::vector<u8>& session, Bytes before, Bytes after) {
  const auto found = std::ranges::search(session, before);
  ASSERT_EQ(found.size(), after.size());
  std::ranges::copy(after, found.begin());
}

// [rfc9001-4.6.1-1]: the client takes a ticket for early data only as [rfc9001-4.6.1-2] wants it.
TEST(Resumption, YieldsEarlySecretsThatAgree) {
  const Acquaintance known;
  for (const std::size_t piece : {100'000UL, 1UL}) {
    TlsPair pair = known.again();
    pair.run(piece);
    ASSERT_TRUE(pair.complete());
    const auto* sent = pair.client.secret(kEarly, Direction::send);
    const auto* received = pair.server.secret(kEarly, Direction::receive);
    ASSERT_TRUE(sent != nullptr && received != nullptr);
    EXPECT_EQ(sent->secret, received->secret);
    EXPECT_EQ(sent->suite, received->suite);
    EXPECT_EQ(pair.client.session->early_data(), EarlyData::accepted);
    EXPECT_EQ(pair.server.session->early_data(), EarlyData::accepted);
    EXPECT_TRUE(pair.client.session->is_resumed());
    EXPECT_TRUE(pair.server.session->is_resumed());
    EXPECT_EQ(pair.client.session->peer_certificate().der,
              pair.server.session->peer_certificate().der);  // Both use basic_config()'s.
    EXPECT_FALSE(pair.client.session->peer_certificate().der.empty());
    EXPECT_EQ(pair.client.sessions.size(), 1U);
    EXPECT_EQ(pair.client.parameter_calls, 1);
  }
}

// As many servers do: the session then does not say under which name it was made.
TEST(Resumption, TakesSessionsOfServersThatDoNotAcknowledgeTheName) {
  Acquaintance known = Acquaintance::anonymous();
  // DER: a SEQUENCE with a length of two bytes, in it the name under tag 6.
  constexpr std::size_t kLengthAt = kDerAt + 2;
  const std::string_view name = "\xa6\x0d\x04\x0bserver.test";
  auto& session = known.session;
  const auto found = std::ranges::search(session, as_bytes(name));
  ASSERT_EQ(found.size(), name.size());
  ASSERT_EQ(session[kLengthAt - 1], 0x82);
  session.erase(found.begin(), found.end());
  const std::size_t length = session.size() - kLengthAt - 2;
  session[kLengthAt] = static_cast<u8>(length >> 8);
  session[kLengthAt + 1] = static_cast<u8>(length);
  seal(session);
  TlsPair pair = known.again();
  pair.run();
  ASSERT_TRUE(pair.complete()) << pair.client_code();
  EXPECT_EQ(pair.client.session->early_data(), EarlyData::accepted);
}

// RFC 8446 §4.6.1: seven days at the most, whatever the server said and for how long it meant it.
TEST(Resumption, KeepsNoSessionForMoreThanAWeek) {
  constexpr std::int64_t kDay = 86'400;
  const auto number = [](u8 tag, std::int64_t value, u8 size) {
    std::vector<u8> out{tag, static_cast<u8>(2 + size), 0x02, size};
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) {
      out.push_back(static_cast<u8>(value >> shift));
    }
    return out;
  };
  for (const bool old : {false, true}) {
    Acquaintance known = Acquaintance::anonymous();
    const std::int64_t now =
        std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())
            .time_since_epoch()
            .count();
    // It says nine days; its time is under tag 1, its lifetime under tag 9.
    replace(known.session, number(0xa9, kDay, 3), number(0xa9, 9 * kDay, 3));
    const auto time = std::ranges::search(known.session, std::vector<u8>{0xa1, 6, 2, 4});
    ASSERT_EQ(time.size(), 4U);
    const auto made = number(0xa1, now - (old ? 7 * kDay + 60 : 7 * kDay - 60), 4);
    std::ranges::copy(made, time.begin());
    seal(known.session);
    TlsPair pair = known.again();
    pair.run();
    EXPECT_TRUE(pair.complete());
    EXPECT_EQ(pair.client.secret(kEarly, Direction::send) == nullptr, old);
  }
}

// A ticket brings the certificate that it was given for: with another identity it would speak for
// the one before.
TEST(Resumption, ASessionIsNotResumedWithAnotherKey) {
  static const auto kOther = generate_credentials(KeyType::ed25519, "other.test");
  const Acquaintance known;
  TlsConfig other = Acquaintance::early_config();
  other.credentials = kOther;
  TlsPair pair(context_of(other), known.server, "server.test",
               {.session = known.session, .early_data = true});
  pair.run();
  ASSERT_TRUE(pair.complete());
  EXPECT_FALSE(pair.server.session->is_resumed());
  const auto shown = check_credentials(kOther);
  ASSERT_TRUE(shown.has_value());
  EXPECT_EQ(pair.server.session->peer_certificate().spki_sha256, *shown);
}

// Hostile input: who can write to the file of a client that has a key, but does not have the key, is
// not believed to be whoever the session names.
TEST(Resumption, TakesOnlyWhatThisClientWrote) {
  const Acquaintance known;
  for (std::size_t at = 0; at < known.session.size(); ++at) {
    auto changed = known.session;
    changed[at] ^= 0x01;
    TlsPeer client(known.client, Side::client, "server.test", "parameters",
                   {.session = changed, .early_data = true});
    ASSERT_TRUE(client.session->start().has_value());
    EXPECT_EQ(client.secret(kEarly, Direction::send), nullptr) << at;
  }
  // A session of the same trust and the same name, as the attacker's own client has one.
  Acquaintance planted = Acquaintance::anonymous();
  auto forged = known.session;
  forged.resize(kDerAt);
  const Bytes der = Bytes(planted.session).subspan(kDerAt);
  forged.insert(forged.end(), der.begin(), der.end());
  seal(forged);
  TlsPair pair(known.client, known.server, "server.test", {.session = forged, .early_data = true});
  pair.run();
  EXPECT_TRUE(pair.complete());
  EXPECT_FALSE(pair.client.session->is_resumed());
}

// What makes a session good for a handshake, but not for early data; the handshake goes on.
TEST(Resumption, RejectsEarlyDataWhereTheServerMust) {
  struct Case {
    const char* what;
    std::function<void(TlsConfig&)> change;  ///< Of the server that the client comes back to.
    TicketUse answer = TicketUse::resume_with_early_data;
    bool resumes = true;
  };
  const Case cases[] = {
      {.what = "no opt-in", .change = [](TlsConfig& c) { c.tickets.early_data = false; }},
      {.what = "the connection says no", .change = {}, .answer = TicketUse::resume},
      {.what = "the ticket is refused",
       .change = {},
       .answer = TicketUse::refuse,
       .resumes = false},
      // The same hash, hence a session that can be resumed, under another cipher.
      {.what = "another cipher suite",
       .change = [](TlsConfig& c) { c.cipher_suites = {CipherSuite::chacha20_poly1305_sha256}; }},
      {.what = "another protocol", .change = [](TlsConfig& c) { c.alpn = {"other"}; }},
      {.what = "a restart", .change = [](TlsConfig& c) { c.tickets.replay_register.reset(); }},
      {.what = "other keys",
       .change = [](TlsConfig& c) { c.tickets.key.emplace().fill(9); },
       .resumes = false},
      {.what = "another group, hence HelloRetryRequest",
       .change = [](TlsConfig& c) { c.groups = "P-384"; }},
      {.what = "another trust",
       .change = [](TlsConfig& c) { c.authorities_pem = "others"; },
       .resumes = false},
      // RFC 8446 §8: full, so nobody can tell.
      {.what = "a register without room",
       .change =
           [](TlsConfig& c) {
             for (std::uint64_t i = 0; i < 200; ++i) {
               std::array<u8, 8> unique{};
               Writer(unique).u64(i);
               (void)c.tickets.replay_register->first_use(unique, std::int64_t{1} << 40);
             }
           }},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    TlsConfig config = Acquaintance::early_config();
    config.tickets.key.emplace().fill(1);
    config.tickets.replay_register = std::make_shared<ReplayRegister>(16);
    TlsConfig client = Acquaintance::early_config();
    client.alpn.emplace_back("other");
    Acquaintance known(client, config);
    if (each.change) each.change(config);
    known.server = context_of(config);
    for (const std::size_t piece : {100'000UL, 1UL}) {
      TlsPair pair = known.again();
      pair.server.ticket_answer = each.answer;
      pair.run(piece);
      ASSERT_TRUE(pair.complete()) << pair.client_code() << " " << pair.server_code();
      EXPECT_NE(pair.client.secret(kEarly, Direction::send), nullptr);
      EXPECT_EQ(pair.server.secret(kEarly, Direction::receive), nullptr);
      EXPECT_EQ(pair.client.session->early_data(), EarlyData::rejected);
      EXPECT_EQ(pair.server.session->early_data(), EarlyData::none);
      EXPECT_EQ(pair.client.session->is_resumed(), each.resumes);
      EXPECT_EQ(pair.server.session->is_resumed(), each.resumes);
      EXPECT_FALSE(pair.server.session->peer_certificate().der.empty());
    }
  }
}

// A session serves for the name, the trust and the suites that it was made under, or not at all.
TEST(Resumption, IgnoresSessionsOfAnotherConfiguration) {
  const Acquaintance known;
  const auto resumes = [&](const std::function<void(TlsConfig&)>& change,
                           std::string_view name = "server.test") {
    TlsConfig config = Acquaintance::early_config();
    if (change) change(config);
    TlsPair pair(context_of(config), known.server, name,
                 {.session = known.session, .early_data = true});
    pair.run();
    EXPECT_TRUE(pair.complete());
    EXPECT_EQ(pair.client.secret(kEarly, Direction::send) != nullptr,
              pair.client.session->is_resumed());
    return pair.client.session->is_resumed();
  };
  EXPECT_TRUE(resumes(nullptr));
  EXPECT_FALSE(resumes(nullptr, "other.test"));
  EXPECT_FALSE(resumes([](TlsConfig& c) { c.mutual = false; }));
  EXPECT_FALSE(resumes([](TlsConfig& c) { c.authorities_pem = "others"; }));
  EXPECT_FALSE(
      resumes([](TlsConfig& c) { c.cipher_suites = {CipherSuite::chacha20_poly1305_sha256}; }));
}

// [rfc9001-9.2-1]: the same ClientHello twice.
TEST(Resumption, TakesEarlyDataOnce) {
  const Acquaintance known;
  std::vector<Flight> hello;
  TlsPair pair = known.again();
  pair.change = [&](const TlsPeer& from, Flight& flight) {
    if (&from == &pair.client && flight.level == EncryptionLevel::initial) hello.push_back(flight);
  };
  pair.run();
  ASSERT_EQ(pair.server.session->early_data(), EarlyData::accepted);
  TlsPeer copy(known.server, Side::server, "");
  for (const Flight& flight : hello) {
    ASSERT_TRUE(copy.session->on_data(flight.level, flight.bytes).has_value());
  }
  EXPECT_TRUE(copy.session->is_resumed());
  EXPECT_EQ(copy.session->early_data(), EarlyData::none);
}

TEST(Resumption, ServerWithoutTicketsGivesNone) {
  TlsConfig config = basic_config();
  config.tickets.count = 0;
  TlsPair pair(basic_config(), config);
  pair.run();
  EXPECT_TRUE(pair.complete());
  EXPECT_TRUE(pair.client.sessions.empty());
}

TEST(Resumption, TicketsExpire) {
  TlsConfig config = Acquaintance::early_config();
  config.tickets.lifetime = std::chrono::seconds(1);
  const Acquaintance known(Acquaintance::early_config(), config);
  // A lifetime of one second, cut to whole ones, may already be over: it never fails.
  TlsPair pair = known.again();
  pair.run();
  EXPECT_TRUE(pair.complete());
}

TEST(ReplayRegister, AcceptsEachOncePerWindow) {
  ReplayRegister used(1'000);
  EXPECT_TRUE(used.first_use(as_bytes("a"), 100));
  EXPECT_TRUE(used.first_use(as_bytes("b"), 100));
  EXPECT_FALSE(used.first_use(as_bytes("a"), 100));
  EXPECT_FALSE(used.first_use(as_bytes("a"), 100 + ReplayRegister::kWindow.count() - 1));
  EXPECT_TRUE(used.first_use(as_bytes("a"), 100 + ReplayRegister::kWindow.count()));
}

// Past the edge: it never grows, and in doubt says no.
TEST(ReplayRegister, RefusesWithoutRoomAndRecovers) {
  ReplayRegister used(64);
  std::size_t accepted = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    std::array<u8, 8> unique{};
    Writer(unique).u64(i);
    if (used.first_use(unique, 5)) ++accepted;
  }
  EXPECT_LE(accepted, 64U);
  EXPECT_GT(accepted, 32U);
  EXPECT_TRUE(used.first_use(as_bytes("later"), 5 + ReplayRegister::kWindow.count()));
}

}  // namespace
}  // namespace qpeer::crypto
