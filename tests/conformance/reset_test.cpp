// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Stateless resets, those that we send and those that end our connections. RFC 9000 §10.3.
#include <algorithm>
#include <set>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

/// What looks like a short header packet of `size` bytes with `token` at its end.
Octets reset_of(const StatelessResetToken& token, std::size_t size, u8 first_byte = 0x45) {
  Octets out(size, 0x05);  // In a long header: connection IDs of five bytes.
  out[0] = first_byte;
  copy(token, MutableBytes(out).last(token.size()));
  return out;
}

// [rfc9000-10.3.1-5] [rfc9000-10.3-9]: it ends the connection, in any header form, and then there is
// silence.
TEST(Resets, EndAConnectionAndThenThereIsSilence) {
  const StatelessResetToken token{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  for (const u8 first_byte : {u8{0x45}, u8{0xc5}}) {
    AdversaryConfig config;
    config.parameters = [&](wire::TransportParameters& p) { p.stateless_reset_token = token; };
    ConformanceFixture fixture(Side::client, config);
    fixture.begin();
    // Tokens that are not ours to believe: another one, and one that is cut.
    StatelessResetToken other = token;
    other[15] ^= 1;
    fixture.adversary.send_raw(reset_of(other, 40, first_byte));
    fixture.adversary.send_raw(reset_of(token, 20, first_byte));
    fixture.run();
    ASSERT_TRUE(fixture.alive(kOneRtt));
    fixture.victim.sends(50'000);
    fixture.run();
    fixture.adversary.send_raw(reset_of(token, 40, first_byte));
    fixture.run(1ms);
    ASSERT_TRUE(fixture.victim.session().closed());
    EXPECT_EQ(fixture.victim.session().close->kind, CloseReason::Kind::stateless_reset);
    fixture.run(15ms);  // What was on its way.
    const std::size_t heard = fixture.adversary.datagrams();
    for (int i = 0; i < 20; ++i) fixture.adversary.send(kOneRtt, kPing);
    fixture.run(20ms);
    EXPECT_EQ(fixture.adversary.datagrams(), heard);
  }
}

// [rfc9000-10.3.1-5]: a token counts only in a datagram from the peer's own address. A host that learned the
// token cannot end the connection from elsewhere, whether the datagram names one of our connection IDs
// or none.
TEST(Resets, FromAnotherAddressAreIgnored) {
  const StatelessResetToken token{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  for (const bool names_our_id : {false, true}) {
    AdversaryConfig config;
    config.parameters = [&](wire::TransportParameters& p) { p.stateless_reset_token = token; };
    ConformanceFixture fixture(Side::client, config);
    fixture.begin();
    const SocketAddress elsewhere = fixture.adversary.second_address();
    Octets reset = reset_of(token, 40);
    if (names_our_id) copy(fixture.adversary.victim_cid(), MutableBytes(reset).subspan(1, 8));
    fixture.adversary.send_raw(reset, elsewhere);
    fixture.run();
    EXPECT_TRUE(fixture.alive(kOneRtt)) << "names our ID: " << names_our_id;
    fixture.adversary.send_raw(reset);
    fixture.run(1ms);
    ASSERT_TRUE(fixture.victim.session().closed()) << "the same from where the peer is";
    EXPECT_EQ(fixture.victim.session().close->kind, CloseReason::Kind::stateless_reset);
  }
}

// [rfc9000-10.3-3] [rfc9000-10.3-6] [rfc9000-10.3.3-1]: resets of ours are smaller than their cause,
// and random but for the token, which [rfc9000-10.3.2-1] is that of the connection ID alone.
TEST(Resets, AreSmallAndLookLikeNothing) {
  ConformanceFixture fixture(Side::server, {.stage = Stage::initial});
  fixture.begin();
  std::set<Octets> tokens;
  for (const u8 mark : {u8{1}, u8{2}, u8{3}}) {
    std::vector<Octets> answers;
    for (const std::size_t size : {22U, 30U, 43U, 44U, 100U, 1'200U, 1'200U}) {
      Octets packet(size, mark);
      packet[0] = 0x40;
      const std::size_t heard = fixture.adversary.datagrams();
      fixture.adversary.send_raw(packet);
      fixture.run(20ms);
      ASSERT_EQ(fixture.adversary.datagrams(), heard + 1);
      answers.push_back(fixture.adversary.last_datagram());
      const Octets& answer = answers.back();
      EXPECT_LT(answer.size(), size);
      EXPECT_GE(answer.size(), 21U);
      EXPECT_EQ(answer[0] & 0xc0, 0x40);
      tokens.emplace(answer.end() - 16, answer.end());
    }
    const auto differ = [](const Octets& a, const Octets& b) {
      std::size_t count = 0;
      for (std::size_t i = 0; i + 16 < a.size(); ++i) count += a[i] != b[i];
      return count;
    };
    EXPECT_GT(differ(answers[5], answers[6]), 15U);
  }
  EXPECT_EQ(tokens.size(), 3U);
}

// [rfc9000-10.3.2-5]: no two connection IDs share a token; [rfc9000-10.3.2-2]: all have one length.
TEST(Resets, EachConnectionIdHasATokenOfItsOwn) {
  AdversaryConfig config;
  config.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 4; };
  ConformanceFixture fixture(Side::server, config);
  fixture.begin();
  std::set<Octets> tokens;
  std::set<Octets> ids;
  const auto note = [&](const ConnectionId& id, const StatelessResetToken& token) {
    EXPECT_EQ(id.size(), 8U);
    tokens.emplace(token.begin(), token.end());
    ids.emplace(id.bytes().begin(), id.bytes().end());
  };
  const auto& parameters = fixture.adversary.victim_parameters();
  ASSERT_TRUE(parameters && parameters->stateless_reset_token);
  note(*parameters->initial_source_connection_id, *parameters->stateless_reset_token);
  fixture.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
    const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
    if (one != nullptr) note(one->connection_id, one->stateless_reset_token);
  });
  EXPECT_EQ(ids.size(), 4U);
  EXPECT_EQ(tokens.size(), 4U);
}

}  // namespace
}  // namespace qpeer::sim
