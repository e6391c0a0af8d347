// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whose datagrams are lost when too many wait.
#include "qpeer/p2p/datagram_inbox.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <map>
#include <vector>

namespace qpeer::p2p {
namespace {

SocketAddress network(u8 number) { return SocketAddress::ipv4({192, 0, number, 0}, 0); }

class DatagramInboxTest : public testing::Test {
 protected:
  void push(u8 of_network, u8 peer, std::size_t count, u8 first = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      inbox.push(network(of_network),
                 {.from = PeerId{std::array<u8, 32>{peer}}, .data = {static_cast<u8>(first + i)}});
      ASSERT_TRUE(inbox.consistent());
    }
  }
  std::map<u8, std::size_t> take_all() {
    std::map<u8, std::size_t> out;
    while (const auto datagram = inbox.pop()) ++out[datagram->from.bytes()[0]];
    EXPECT_TRUE(inbox.consistent());
    return out;
  }
  static constexpr std::size_t kCapacity = DatagramInbox::kCapacity;
  DatagramInbox inbox;
};

TEST_F(DatagramInboxTest, OfOnePeerTheOldestGoes) {
  push(1, 1, kCapacity + 1);
  EXPECT_EQ(inbox.size(), kCapacity);
  EXPECT_EQ(inbox.pop()->data, std::vector<u8>{1});
}

TEST_F(DatagramInboxTest, AFloodTakesNoPlaceOfOthers) {
  push(1, 1, 100);
  push(2, 2, 10'000);
  EXPECT_EQ(take_all(), (std::map<u8, std::size_t>{{1, 100}, {2, kCapacity - 100}}));
}

TEST_F(DatagramInboxTest, AFloodOfManyPeersOfOneNetworkTakesNoPlaceOfOtherNetworks) {
  push(1, 1, 100);
  for (std::size_t round = 0; round < 100; ++round) {
    for (u8 peer = 2; peer < 102; ++peer) push(2, peer, 1);
  }
  EXPECT_EQ(take_all()[1], 100U);
}

TEST_F(DatagramInboxTest, OfANetworkThePeerWithTheMostPays) {
  push(1, 1, 50);
  push(1, 2, 1'000);
  EXPECT_EQ(take_all(), (std::map<u8, std::size_t>{{1, 50}, {2, kCapacity - 50}}));
}

}  // namespace
}  // namespace qpeer::p2p
