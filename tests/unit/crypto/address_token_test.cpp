// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tokens open for whom they were made, in time, and whole. RFC 9000 §8.1.
#include "qpeer/crypto/address_token.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "qpeer/tests/unit/crypto/hex.hpp"

namespace qpeer::crypto {
namespace {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& byte : out) byte = static_cast<u8>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

class AddressTokensTest : public testing::Test {
 protected:
  std::vector<u8> seal(Instant now) {
    std::vector<u8> out(AddressTokens::kMaxSize);
    out.resize(tokens.seal_retry(now, client, token, out));
    return out;
  }
  std::vector<u8> seal_new(Instant now) {
    std::vector<u8> out(AddressTokens::kMaxSize);
    out.resize(tokens.seal_new_token(now, client, token.version, out));
    return out;
  }
  TokenError error_of(Instant now, const SocketAddress& from, Bytes bytes) {
    const auto opened = tokens.open_retry(now, from, bytes);
    EXPECT_FALSE(opened);
    return opened ? TokenError{0xff} : opened.error();
  }

  SeededRandom random{1};
  AddressTokens tokens{random, {.retry_lifetime = 15s}};
  SocketAddress client = SocketAddress::ipv4({192, 0, 2, 1}, 4433);
  RetryToken token{.original_destination_connection_id = ConnectionId{from_hex("8394c8f03e515708")},
                   .retry_source_connection_id = ConnectionId{std::vector<u8>(20, 9)},
                   .version = Version::v2};
  Instant start{1000s};
};

TEST_F(AddressTokensTest, OpensWhatItSealed) {
  const auto sealed = seal(start);
  ASSERT_GT(sealed.size(), 0U);
  const auto opened = tokens.open_retry(start + 14s, client, sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->original_destination_connection_id, token.original_destination_connection_id);
  EXPECT_EQ(opened->retry_source_connection_id, token.retry_source_connection_id);
  EXPECT_EQ(opened->version, Version::v2);
}

TEST_F(AddressTokensTest, OpensOverIpv6AndWithEmptyIds) {
  client = SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 1);
  token = {};
  const auto sealed = seal(start);
  const auto opened = tokens.open_retry(start, client, sealed);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->original_destination_connection_id.empty());
}

TEST_F(AddressTokensTest, AnyFlippedBitIsNotOurs) {
  const auto sealed = seal(start);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto forged = sealed;
    forged[bit / 8] ^= static_cast<u8>(1U << (bit % 8));
    EXPECT_EQ(error_of(start, client, forged), TokenError::not_ours) << "bit " << bit;
    // An expired or misplaced forgery tells nothing more.
    EXPECT_EQ(error_of(start + 14s, client.with_port(1), forged), TokenError::not_ours);
  }
}

TEST_F(AddressTokensTest, AnyOtherSizeIsNotOurs) {
  auto sealed = seal(start);
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(error_of(start, client, Bytes(sealed).first(size)), TokenError::not_ours);
  }
  sealed.push_back(0);
  EXPECT_EQ(error_of(start, client, sealed), TokenError::not_ours);
  EXPECT_EQ(error_of(start, client, std::vector<u8>(5000, 1)), TokenError::not_ours);
}

// [rfc9000-8.1.3-5], [rfc9000-8.1.4-7]
TEST_F(AddressTokensTest, ExpiresAtItsTime) {
  const auto sealed = seal(start);
  EXPECT_TRUE(tokens.open_retry(start + 15s - 1ns, client, sealed));
  EXPECT_EQ(error_of(start + 15s, client, sealed), TokenError::expired);
  EXPECT_EQ(error_of(start + 15s, client.with_port(1), sealed), TokenError::expired);
}

// [rfc9000-8.1.4-3]
TEST_F(AddressTokensTest, IsOfOneAddressAndPort) {
  const auto sealed = seal(start);
  EXPECT_EQ(error_of(start, client.with_port(4434), sealed), TokenError::wrong_address);
  const auto host = SocketAddress::ipv4({192, 0, 2, 2}, 4433);
  EXPECT_EQ(error_of(start, host, sealed), TokenError::wrong_address);
}

// At any moment, whatever was sealed within its lifetime opens, and nothing older does.
TEST_F(AddressTokensTest, OutlivesTheRotationOfItsKey) {
  std::vector<std::pair<Instant, std::vector<u8>>> all;
  for (Instant now = start; now < start + 60s; now += 700ms) {
    all.emplace_back(now, seal(now));
    for (const auto& [made, sealed] : all) {
      EXPECT_EQ(tokens.open_retry(now, client, sealed).has_value(), now - made < 15s);
    }
  }
}

TEST_F(AddressTokensTest, ForgetsKeysAfterTwoRotations) {
  const auto sealed = seal(start);
  EXPECT_EQ(error_of(start + 16s, client, sealed), TokenError::expired);
  EXPECT_EQ(error_of(start + 31s, client, sealed), TokenError::not_ours);
  EXPECT_EQ(error_of(start + 256 * 15s, client, sealed), TokenError::not_ours);  // The same octet.
}

// [rfc9000-8.1.4-1], [rfc9000-8.1.4-2]
TEST_F(AddressTokensTest, IsNotThatOfAnotherInstance) {
  const auto sealed = seal(start);
  SeededRandom other_random{2};
  AddressTokens other{other_random, {}};
  EXPECT_EQ(other.open_retry(start, client, sealed).error(), TokenError::not_ours);
}

TEST_F(AddressTokensTest, ProcessesThatShareAKeyShareTokens) {
  const AddressTokens::Key key{1, 2, 3};
  SeededRandom other_random{2};
  // One began an hour ago, the other just now: only what they add to it is the same time.
  AddressTokens one{random, {.key = key, .clock_offset = 10'000s}};
  AddressTokens other{other_random, {.key = key, .clock_offset = 13'600s}};
  std::vector<u8> sealed(AddressTokens::kMaxSize);
  sealed.resize(one.seal_new_token(Instant{3'600s}, client, Version::v1, sealed));
  EXPECT_TRUE(other.open_new_token(Instant{0s}, client, sealed));
  EXPECT_TRUE(other.open_new_token(Instant{-5s}, client, sealed)) << "a clock that is behind";
  EXPECT_EQ(other.open_new_token(Instant{24h}, client, sealed).error(), TokenError::expired);
}

// [rfc9000-8.1.3-7]
// [rfc9000-8.1.3-6]
TEST_F(AddressTokensTest, NeverSealsTheSameTwice) {
  std::set<std::string> seen;
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 500; ++i) {
    for (const auto& sealed : {seal(start), seal_new(start)}) {
      EXPECT_TRUE(seen.insert(to_hex(sealed)).second);
      EXPECT_TRUE(ids.insert(AddressTokens::id_of(sealed)).second);
    }
  }
}

TEST_F(AddressTokensTest, WritesNothingIntoTooSmallASpace) {
  std::vector<u8> small(40);
  EXPECT_EQ(tokens.seal_retry(start, client, token, small), 0U);
  EXPECT_EQ(tokens.seal_new_token(start, client, Version::v1, small), 0U);
}

// [rfc9000-8.1.1-1]: each opens as what it is, whatever its bytes say.
TEST_F(AddressTokensTest, TheTwoKindsAreNeverTakenForEachOther) {
  auto retry = seal(start);
  auto fresh = seal_new(start);
  EXPECT_EQ(AddressTokens::kind_of(retry), TokenKind::retry);
  EXPECT_EQ(AddressTokens::kind_of(fresh), TokenKind::new_token);
  EXPECT_FALSE(AddressTokens::kind_of({}));
  EXPECT_EQ(tokens.open_new_token(start, client, retry).error(), TokenError::not_ours);
  EXPECT_EQ(error_of(start, client, fresh), TokenError::not_ours);
  retry[0] = fresh[0];
  fresh.resize(retry.size());
  fresh[0] = static_cast<u8>(TokenKind::retry);
  EXPECT_EQ(tokens.open_new_token(start, client, retry).error(), TokenError::not_ours);
  EXPECT_EQ(error_of(start, client, fresh), TokenError::not_ours);
}

// [rfc9000-8.1.4-4]: bound to the IP address; the port may be another one.
TEST_F(AddressTokensTest, NewTokensAreOfOneAddressAndLastADay) {
  const auto sealed = seal_new(start);
  EXPECT_EQ(tokens.open_new_token(start, client, sealed), Version::v2);
  EXPECT_EQ(tokens.open_new_token(start + 24h - 1ns, client.with_port(9), sealed), Version::v2);
  EXPECT_EQ(tokens.open_new_token(start + 24h, client, sealed).error(), TokenError::expired);
  const auto host = SocketAddress::ipv4({192, 0, 2, 2}, 4433);
  EXPECT_EQ(tokens.open_new_token(start, host, sealed).error(), TokenError::wrong_address);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto forged = sealed;
    forged[bit / 8] ^= static_cast<u8>(1U << (bit % 8));
    EXPECT_FALSE(tokens.open_new_token(start, client, forged)) << "bit " << bit;
  }
}

// RFC 9000 §10.3.2 [rfc9000-10.3.2-1], [rfc9000-10.3.2-5]: the same after a restart, another for each
// ID and each key.
TEST(ResetTokens, DependOnKeyAndIdOnly) {
  const ResetTokens tokens{{1, 2, 3}};
  const ConnectionId id{from_hex("0102030405060708")};
  EXPECT_EQ(tokens.token(id), ResetTokens({1, 2, 3}).token(id));
  EXPECT_NE(tokens.token(id), ResetTokens({1, 2, 4}).token(id));
  EXPECT_NE(tokens.token(id), tokens.token(ConnectionId{from_hex("0102030405060709")}));
  EXPECT_NE(tokens.token(id), tokens.token(ConnectionId{from_hex("01020304050607")}));
}

}  // namespace
}  // namespace qpeer::crypto
