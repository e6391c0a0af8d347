// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which key exchange group a server takes, and when it costs a round trip. RFC 8446 §4.1.4, §4.2.8.
#include <gtest/gtest.h>

#include <string>

#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

/// What came of a handshake between a client with these groups ('*': it sends a share) and a server.
struct Outcome {
  std::string group;
  int client_hellos = 0;  ///< 2: the server asked with HelloRetryRequest.
};

Outcome handshake(const std::string& client_groups, const std::string& server_groups = {}) {
  TlsConfig client = basic_config();
  client.groups = client_groups;
  TlsConfig server = basic_config();
  server.groups = server_groups;
  TlsPair pair{client, server};
  Outcome out;
  pair.change = [&](const TlsPeer& from, const Flight& flight) {
    if (&from == &pair.client && flight.level == EncryptionLevel::initial) ++out.client_hellos;
  };
  pair.run();
  EXPECT_TRUE(pair.complete()) << std::hex << pair.client_code() << " " << pair.server_code();
  out.group = pair.server.session->group();
  EXPECT_EQ(pair.client.session->group(), out.group);
  return out;
}

// A client that knows ML-KEM and sends another share, as many do to keep their first flight small.
TEST(TlsGroups, ServerTakesTheShareThatCame) {
  struct Case {
    const char* client;
    const char* group;
  };
  for (const auto& [client, group] :
       {Case{"X25519MLKEM768:*X25519", "x25519"}, Case{"X25519MLKEM768:X25519:*P-256", "secp256r1"},
        Case{"X25519MLKEM768:X25519:P-256:*X448", "x448"},
        Case{"X25519MLKEM768:X25519:P-256:*P-384", "secp384r1"},
        Case{"X25519MLKEM768:X25519:P-256:*P-521", "secp521r1"},
        Case{"X25519MLKEM768:X25519:P-256:*ffdhe2048", "ffdhe2048"},
        Case{"X25519MLKEM768:X25519:P-256:*ffdhe3072", "ffdhe3072"}}) {
    SCOPED_TRACE(client);
    const Outcome outcome = handshake(client);
    EXPECT_EQ(outcome.group, group);
    EXPECT_EQ(outcome.client_hellos, 1);
  }
}

TEST(TlsGroups, OfSeveralSharesServerTakesTheClientsFirst) {
  for (const char* client : {"", "*X25519MLKEM768:*X25519", "*X25519MLKEM768:*P-256:X25519"}) {
    const Outcome outcome = handshake(client);
    EXPECT_EQ(outcome.group, "X25519MLKEM768") << client;
    EXPECT_EQ(outcome.client_hellos, 1);
  }
  EXPECT_EQ(handshake("*X25519:*X25519MLKEM768").group, "x25519");
}

TEST(TlsGroups, ServerAsksForAnotherShareWhenNoneIsOnItsList) {
  const Outcome outcome = handshake("X25519MLKEM768:*X25519:P-384", "P-384:X25519MLKEM768");
  EXPECT_EQ(outcome.group, "X25519MLKEM768");
  EXPECT_EQ(outcome.client_hellos, 2);
}

// '/' in a server's list.
TEST(TlsGroups, ServerMayInsistOnAGroup) {
  const Outcome insisted = handshake("X25519MLKEM768:*X25519", "X25519MLKEM768 / X25519");
  EXPECT_EQ(insisted.group, "X25519MLKEM768");
  EXPECT_EQ(insisted.client_hellos, 2);
  const Outcome unknown = handshake("*X25519", "X25519MLKEM768 / X25519");
  EXPECT_EQ(unknown.group, "x25519");
  EXPECT_EQ(unknown.client_hellos, 1);
}

// HelloRetryRequest refuses early data: RFC 8446 §4.2.10.
TEST(TlsGroups, AClientThatSendsAnotherShareHasEarlyData) {
  TlsConfig client = basic_config();
  client.groups = "X25519MLKEM768:*X25519";
  TlsConfig server = basic_config();
  server.tickets.early_data = true;
  const auto client_context = context_of(client);
  const auto server_context = context_of(server);
  TlsPair first{client_context, server_context};
  first.run();
  ASSERT_FALSE(first.client.sessions.empty());
  TlsPair again{client_context,
                server_context,
                "server.test",
                {.session = first.client.sessions.front(), .early_data = true}};
  again.run();
  ASSERT_TRUE(again.complete());
  EXPECT_EQ(again.client.session->early_data(), EarlyData::accepted);
  EXPECT_EQ(again.server.session->early_data(), EarlyData::accepted);
}

}  // namespace
}  // namespace qpeer::crypto
