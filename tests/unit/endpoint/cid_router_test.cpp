// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/cid_router.hpp"

#include <gtest/gtest.h>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::transport {
namespace {

TEST(CidRouter, FindsWhatWasAddedUntilItIsRemoved) {
  CidRouter router(crypto::system_random());
  const ConnectionId id(std::array<u8, 8>{1, 2, 3});
  EXPECT_TRUE(router.add(id, 7));
  EXPECT_FALSE(router.add(id, 8)) << "an ID leads to one connection";
  EXPECT_EQ(router.find(id.bytes()), 7U);
  EXPECT_EQ(router.find(id.bytes().first(7)), std::nullopt);
  router.remove(id, 8);
  EXPECT_EQ(router.find(id.bytes()), 7U) << "another's removal takes nothing away";
  router.remove(id, 7);
  EXPECT_EQ(router.find(id.bytes()), std::nullopt);
}

TEST(CidRouter, LongerThanAnyOfOursIsUnknown) {
  CidRouter router(crypto::system_random());
  const std::array<u8, 21> bytes{};
  router.add(ConnectionId(Bytes(bytes).first(20)), 1);
  EXPECT_EQ(router.find(bytes), std::nullopt);
}

TEST(CidRouter, ResetTokensHaveTheirOwnTable) {
  CidRouter router(crypto::system_random());
  const StatelessResetToken token{9};
  router.add_reset(token, 3);
  EXPECT_EQ(router.find_reset(token), 3U);
  EXPECT_EQ(router.find(token), std::nullopt);
  router.remove_reset(token, 3);
  EXPECT_EQ(router.find_reset(token), std::nullopt);
}

}  // namespace
}  // namespace qpeer::transport
