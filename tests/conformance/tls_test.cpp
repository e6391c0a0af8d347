// SPDX-License-Identifier: MIT OR BSD-3-Clause
// OpenSSL's TLS against messages that are wrong: each alert becomes the error code that RFC 9001 §4.8
// makes of it, and names CRYPTO as the frame type. And what it says itself after the handshake.
#include <functional>
#include <memory>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

VICTIMS(Tls);

std::shared_ptr<crypto::TlsContext> context(bool with_credentials = true,
                                            std::string_view alpn = "sim") {
  crypto::TlsConfig config;
  if (with_credentials) {
    config.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "peer.example");
  }
  config.alpn = {std::string(alpn)};
  auto made = crypto::make_tls_context(std::move(config));
  EXPECT_TRUE(made.has_value());
  return made ? *made : nullptr;
}

PeerConfig real_victim() {
  PeerConfig ours = small_limits();
  ours.real_client_tls = ours.real_server_tls = context();
  return ours;
}

Octets crypto_frame(const Octets& message, std::uint64_t offset = 0) {
  return join({varints({0x06, offset, message.size()}), message});
}

/// What it holds back of a level, in packets, with its last byte changed.
void send_spoiled(ConformanceFixture& fixture, EncryptionLevel level) {
  Octets flight = fixture.adversary.held(level);
  ASSERT_FALSE(flight.empty());
  flight.back() ^= 1;
  for (std::size_t at = 0; at < flight.size(); at += 1'000) {
    const auto begin = flight.begin() + static_cast<std::ptrdiff_t>(at);
    const Octets piece(begin, begin + static_cast<std::ptrdiff_t>(
                                          std::min<std::size_t>(1'000, flight.size() - at)));
    fixture.adversary.send(level, crypto_frame(piece, at));
  }
  fixture.run();
}

// [rfc9001-4.8-1]: the code tells the alert, whatever level it happened at.
TEST_P(Tls, EachAlertIsAnErrorCode) {
  struct Case {
    std::string_view what;
    u8 alert;
    Stage stage;
    std::function<void(ConformanceFixture&)> act;
    std::shared_ptr<crypto::TlsContext> theirs{};
  };
  const u8 hello = GetParam() == Side::server ? 1 : 2;
  std::vector<Case> cases{
      {"a message of no known type: unexpected_message", 10, Stage::initial,
       [](ConformanceFixture& s) { s.send(kInitial, crypto_frame({254, 0, 0, 4, 0, 0, 0, 0})); }},
      {"a message of 16 MiB: illegal_parameter", 47, Stage::initial,
       [&](ConformanceFixture& s) {
         s.send(kInitial, crypto_frame({hello, 0xff, 0xff, 0xff, 3, 3, 0, 0}));
       }},
      {"a hello that ends too early: decode_error", 50, Stage::initial,
       [&](ConformanceFixture& s) {
         s.send(kInitial, crypto_frame({hello, 0, 0, 4, 3, 3, 0, 0}));
       }},
      {"a Finished that is not true: decrypt_error", 51, Stage::handshake,
       [](ConformanceFixture& s) { send_spoiled(s, kHandshake); }},
      {"a KeyUpdate: unexpected_message", 10, Stage::connected,  // [rfc9001-6-3]
       [](ConformanceFixture& s) {
         s.adversary.send_post_handshake({24, 0, 0, 1, 0});
         s.run();
       }},
  };
  if (GetParam() == Side::server) {
    cases.push_back({"no certificate: certificate_required", 116, Stage::connected,
                     [](ConformanceFixture&) {}, context(false)});
    cases.push_back({"another protocol: no_application_protocol", 120, Stage::connected,
                     [](ConformanceFixture&) {}, context(true, "another")});
  }
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    ConformanceFixture fixture(
        GetParam(), {.stage = one.stage, .real_tls = one.theirs ? one.theirs : context()},
        real_victim());
    fixture.begin();
    one.act(fixture);
    fixture.expect(kInitial, closes(alert(one.alert), 0x06));
  }
}

// [rfc9001-6-2] [rfc9001-4.4-4]: a server sends tickets and nothing else, and a client nothing at
// all, not even when keys are updated.
TEST_P(Tls, SaysNothingButTicketsAfterTheHandshake) {
  ConformanceFixture fixture(GetParam(), {.real_tls = context()}, real_victim());
  fixture.begin();
  fixture.run(1s);
  ASSERT_TRUE(fixture.alive(kOneRtt));
  EXPECT_TRUE(fixture.victim.connection().initiate_key_update());
  fixture.victim.sends(1'000);
  fixture.run(1s);
  fixture.adversary.update_keys();
  EXPECT_TRUE(fixture.alive(kOneRtt));
  EXPECT_GE(fixture.victim.session().stats().key_updates, 1U);
  Octets said;
  fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    const auto* const one = std::get_if<wire::CryptoFrame>(&frame);
    if (one == nullptr || packet.level != kOneRtt) return;
    EXPECT_EQ(one->offset, said.size());
    said.insert(said.end(), one->data.begin(), one->data.end());
  });
  EXPECT_EQ(said.empty(), GetParam() == Side::client);
  for (Reader in{said}; !in.empty();) {
    EXPECT_EQ(in.byte(), 4) << "NewSessionTicket, RFC 8446 §4";
    in.bytes(static_cast<std::size_t>(in.big_endian(3)));
    ASSERT_TRUE(in.ok());
  }
}

}  // namespace
}  // namespace qpeer::sim
