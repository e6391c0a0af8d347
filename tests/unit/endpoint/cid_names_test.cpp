// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/cid_names.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <set>
#include <vector>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::transport {
namespace {

CidNames names_of(std::size_t index, std::size_t count, u8 key = 1) {
  return {crypto::openssl_keys(), {.port = {}, .index = index, .count = count, .id_key = {key}}};
}

TEST(CidNames, EachIdNamesTheEndpointThatMadeIt) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, SharedPortMember::kMaxCount}) {
    const CidNames reader = names_of(0, count);
    for (std::size_t index = 0; index < count; ++index) {
      const CidNames names = names_of(index, count);
      EXPECT_EQ(names.self(), index);
      for (int i = 0; i < 10; ++i) {
        const ConnectionId id = names.make(crypto::system_random());
        EXPECT_EQ(id.size(), CidNames::kSize);
        EXPECT_EQ(reader.member_of(id.bytes()), index);
      }
    }
  }
}

TEST(CidNames, AnIdOfAnotherKeyOrLengthNamesNoEndpoint) {
  const CidNames names = names_of(0, 2);
  const CidNames others = names_of(0, 2, 2);
  int by_chance = 0;
  for (int i = 0; i < 1'000; ++i) {
    by_chance += names.member_of(others.make(crypto::system_random()).bytes()) ? 1 : 0;
  }
  EXPECT_LE(by_chance, 2);  // Of 1,000, each with a probability of 1 / 32,768.
  const ConnectionId id = names.make(crypto::system_random());
  std::array<u8, 20> longer{};
  copy(id.bytes(), longer);
  for (std::size_t size = 0; size <= longer.size(); ++size) {
    EXPECT_EQ(names.member_of(Bytes(longer).first(size)).has_value(), size == CidNames::kSize);
  }
}

// RFC 9000 §5.1 [rfc9000-5.1-1]: without the key nobody sees that two IDs are of one endpoint. Each bit is set in
// half of them, and the last two bytes, which hold the name, are as many different ones as chance makes.
TEST(CidNames, LookRandomToOthers) {
  const CidNames names = names_of(1, 4);
  constexpr int kIds = 4'000;
  std::array<int, 8 * CidNames::kSize> set_bits{};
  std::set<std::uint16_t> tails;
  for (int i = 0; i < kIds; ++i) {
    const ConnectionId id = names.make(crypto::system_random());
    for (std::size_t bit = 0; bit < set_bits.size(); ++bit) {
      set_bits[bit] += id.bytes()[bit / 8] >> bit % 8 & 1;
    }
    tails.insert(Reader(id.bytes().subspan(6)).u16());
  }
  for (const int count : set_bits) EXPECT_NEAR(count, kIds / 2, 250);  // Eight deviations.
  EXPECT_GT(tails.size(), 3'700U);                                     // 3,880 are expected.
}

}  // namespace
}  // namespace qpeer::transport
