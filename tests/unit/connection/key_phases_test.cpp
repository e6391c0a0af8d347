// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/key_phases.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

using crypto::CipherSuite;

constexpr CipherSuite kSuite = CipherSuite::aes_128_gcm_sha256;
constexpr Instant kLater{10s};

/// Two ends that share secrets, as after a handshake.
class KeyPhasesTest : public testing::Test {
 protected:
  struct Packet {
    PacketNumber number;
    bool phase;
    std::vector<u8> bytes;
  };

  void SetUp() override {
    const std::vector<u8> to_server(32, 1);
    const std::vector<u8> to_client(32, 2);
    client.install_send(Version::v1, kSuite, to_server);
    client.install_receive(Version::v1, kSuite, to_client);
    server.install_send(Version::v1, kSuite, to_client);
    server.install_receive(Version::v1, kSuite, to_server);
    client.on_handshake_confirmed();
    server.on_handshake_confirmed();
  }

  static Packet seal(KeyPhases& from, PacketNumber number) {
    Packet packet{number, from.phase(), std::vector<u8>(20 + crypto::kTagSize, 7)};
    from.seal(number, {}, packet.bytes);
    return packet;
  }
  static KeyPhases::Opened open(KeyPhases& to, Packet packet, PacketNumber next_send = 100) {
    return to.open(packet.number, packet.phase, {}, packet.bytes, next_send, kLater);
  }

  KeyPhases client{crypto::openssl_keys()};
  KeyPhases server{crypto::openssl_keys()};
};

// [rfc9001-6.1-1], [rfc9001-6.1-2]
TEST_F(KeyPhasesTest, UpdateWaitsForConfirmationAndAcknowledgement) {
  KeyPhases fresh(crypto::openssl_keys());
  fresh.install_send(Version::v1, kSuite, std::vector<u8>(32, 1));
  fresh.install_receive(Version::v1, kSuite, std::vector<u8>(32, 2));
  fresh.on_acknowledged(0);
  EXPECT_FALSE(fresh.initiate(1)) << "not confirmed";
  EXPECT_FALSE(client.initiate(1)) << "nothing acknowledged";
  client.on_acknowledged(0);
  EXPECT_TRUE(client.initiate(10));
  client.on_acknowledged(9);  // Of the old phase.
  EXPECT_FALSE(client.initiate(11));
}

// [rfc9001-6.2-1], [rfc9001-6.2-2]
TEST_F(KeyPhasesTest, PeerFollowsBeforeItSendsAgain) {
  client.on_acknowledged(0);
  ASSERT_TRUE(client.initiate(5));
  EXPECT_EQ(open(server, seal(client, 5)), KeyPhases::Opened::yes);
  EXPECT_EQ(server.phase(), client.phase());
  EXPECT_EQ(open(client, seal(server, 100)), KeyPhases::Opened::yes);
  EXPECT_EQ(client.updates(), 1U);
  EXPECT_EQ(server.updates(), 1U);
}

// [rfc9001-6.1-3], [rfc9001-6.5-4], [rfc9001-6.5-5]
// [rfc9001-6.1-4]
TEST_F(KeyPhasesTest, OldKeysOpenStragglersForAWhile) {
  const Packet early = seal(client, 3);
  const Packet straggler = seal(client, 4);
  client.on_acknowledged(0);
  ASSERT_TRUE(client.initiate(5));
  EXPECT_EQ(open(server, seal(client, 5)), KeyPhases::Opened::yes);
  EXPECT_EQ(open(server, early), KeyPhases::Opened::yes);
  EXPECT_EQ(server.deadline(), kLater);
  server.on_deadline(kLater);
  EXPECT_EQ(open(server, straggler), KeyPhases::Opened::no);
  EXPECT_EQ(server.deadline(), kNever);
}

// [rfc9001-9.5-3]; [rfc9001-6.5-3]: the next update waits for three PTOs, as the old keys do.
TEST_F(KeyPhasesTest, UpdatesFollowEachOther) {
  PacketNumber number = 0;
  for (int round = 1; round <= 5; ++round) {
    EXPECT_EQ(open(server, seal(client, number)), KeyPhases::Opened::yes);
    client.on_acknowledged(number);
    ASSERT_TRUE(client.initiate(++number)) << round;
    EXPECT_EQ(open(server, seal(client, number)), KeyPhases::Opened::yes);
    EXPECT_EQ(open(client, seal(server, number)), KeyPhases::Opened::yes);
    client.on_acknowledged(number);
    EXPECT_FALSE(client.initiate(number + 1)) << "the old keys are still there";
    client.on_deadline(kLater);
    server.on_deadline(kLater);
    ++number;
  }
  EXPECT_EQ(server.updates(), 5U);
}

// [rfc9001-6.4-1]
TEST_F(KeyPhasesTest, NewerKeysOnAnOlderNumberAreAFault) {
  EXPECT_EQ(open(server, seal(client, 50)), KeyPhases::Opened::yes);
  client.on_acknowledged(50);
  ASSERT_TRUE(client.initiate(51));
  EXPECT_EQ(open(server, seal(client, 60)), KeyPhases::Opened::yes);
  server.on_deadline(kLater);
  client.on_acknowledged(60);
  EXPECT_EQ(open(client, seal(server, 100)), KeyPhases::Opened::yes);
  client.on_deadline(kLater);
  ASSERT_TRUE(client.initiate(61));
  EXPECT_EQ(open(server, seal(client, 40)), KeyPhases::Opened::key_update_error);
}

// [rfc9001-6.3-4]
TEST_F(KeyPhasesTest, ForgedPhaseBitChangesNothing) {
  Packet forged = seal(client, 1);
  forged.phase = !forged.phase;
  EXPECT_EQ(open(server, forged), KeyPhases::Opened::no);
  EXPECT_EQ(server.updates(), 0U);
  EXPECT_EQ(open(server, seal(client, 2)), KeyPhases::Opened::yes);
}

}  // namespace
}  // namespace qpeer::transport
