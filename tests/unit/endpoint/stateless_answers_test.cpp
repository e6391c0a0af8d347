// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/stateless_answers.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/stateless.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport {
namespace {

constexpr Instant kNow{1s};
const Path kPath{SocketAddress::loopback4(1), SocketAddress::loopback4(2)};

class StatelessAnswersTest : public testing::Test {
 protected:
  MutableBytes next() {
    TransmitBuffer out{storage_, 1};
    const auto transmit = answers.poll_transmit(out);
    if (!transmit) return {};
    EXPECT_EQ(transmit->path, kPath);
    return MutableBytes(storage_).first(transmit->size);
  }

  StatelessAnswers answers{crypto::openssl_keys(), crypto::system_random(), 1000};

 private:
  std::vector<u8> storage_ = std::vector<u8>(1500);
};

// [rfc9000-6.1-1]
TEST_F(StatelessAnswersTest, VersionNegotiationMirrorsEvenTheLongestIds) {
  const std::vector<u8> dcid(255, 1);
  const std::vector<u8> scid(255, 2);
  // [rfc8999-6-3], [rfc8999-6-4], [rfc9000-17.2.1-4], [rfc9000-17.2.1-5], [rfc9000-17.2.1-6]
  ASSERT_TRUE(answers.negotiate_version(
      kNow, kPath,
      {.long_form = true, .destination_connection_id = dcid, .source_connection_id = scid}, {}));
  const auto packet = wire::decode_version_negotiation(next());
  ASSERT_TRUE(packet);
  EXPECT_TRUE(equal(packet->destination_connection_id, scid));
  EXPECT_TRUE(equal(packet->source_connection_id, dcid));
  EXPECT_TRUE(packet->supported_versions.contains(Version::v1));
  EXPECT_TRUE(packet->supported_versions.contains(Version::v2));
}

// [rfc9000-10.3-3], [rfc9000-10.3-6], [rfc9000-10.3-8], [rfc9000-10.3.3-1]
TEST_F(StatelessAnswersTest, ResetIsSmallerThanItsCauseAndEndsInTheToken) {
  const StatelessResetToken token{1, 2, 3};
  EXPECT_FALSE(answers.reset(kNow, kPath, 21, token)) << "no room for a smaller one";
  for (const std::size_t received : {22U, 30U, 43U, 44U, 1200U}) {
    ASSERT_TRUE(answers.reset(kNow, kPath, received, token));
    const Bytes packet = next();
    EXPECT_LT(packet.size(), received);
    EXPECT_EQ(packet.size(), received > 43 ? 43U : 21U)
        << "one that looks like a reset gets the least";
    EXPECT_EQ(packet[0] & 0xc0, 0x40);
    EXPECT_EQ(wire::reset_token_of(packet), token);
  }
}

TEST_F(StatelessAnswersTest, QueueAndRateAreBounded) {
  std::size_t queued = 0;
  while (answers.reset(kNow, kPath, 100, {})) ++queued;
  EXPECT_EQ(queued, StatelessAnswers::kMaxPending);
  while (!next().empty()) continue;
  std::size_t allowed = queued;
  while (answers.reset(kNow, kPath, 100, {}) && !next().empty()) ++allowed;
  EXPECT_EQ(allowed, 100U) << "a tenth of a second's worth at once";
  EXPECT_TRUE(answers.reset(kNow + 1ms, kPath, 100, {})) << "more as time goes";
}

TEST_F(StatelessAnswersTest, RetryCarriesATokenOfTheTwoIds) {
  crypto::AddressTokens tokens(crypto::system_random(), {});
  const ConnectionId original(std::array<u8, 8>{1});
  const ConnectionId client(std::array<u8, 8>{2});
  const ConnectionId ours(std::array<u8, 8>{3});
  ASSERT_TRUE(answers.retry(kNow, kPath,
                            {.version = Version::v1,
                             .destination_connection_id = original,
                             .source_connection_id = client},
                            tokens, ours));
  const auto packet = wire::decode_retry(next());
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->destination_connection_id, client);
  EXPECT_EQ(packet->source_connection_id, ours);
  const auto token = tokens.open_retry(kNow, kPath.remote, packet->token);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->original_destination_connection_id, original);
  EXPECT_EQ(token->retry_source_connection_id, ours);
}

}  // namespace
}  // namespace qpeer::transport
