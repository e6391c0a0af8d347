// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tokens of NEW_TOKEN frames: given once, shown once, good for one client at one server.
// RFC 9000 §8.1.3, §8.1.4, §19.7.
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"

namespace qpeer::sim {
namespace {

using transport::RetryPolicy;
using transport::StoredToken;

PeerConfig asking_for_retry() {
  PeerConfig config;
  config.endpoint.retry = RetryPolicy::always;
  return config;
}

/// Connects, and gives the token that came; the connection is closed.
std::vector<u8> token_of(PeerNetwork& network, Peer& client, Peer& server) {
  Session& session = client.connect(server);
  EXPECT_TRUE(network.run_until([&] { return !session.tokens.empty(); }, 5s));
  if (session.tokens.empty()) return {};
  session.closes(0, "");
  network.run_for(5s);
  return session.tokens.front();
}

/// Whether a connection with this token comes about, and how many Retries it cost.
std::uint64_t retries_with(PeerNetwork& network, Peer& client, Peer& server,
                           const std::vector<u8>& token) {
  const std::uint64_t before = server.endpoint().stats().retries_sent;
  Session& session = client.connect(server, token);
  EXPECT_TRUE(network.run_until([&] { return session.confirmed_at.has_value(); }, 9s));
  return server.endpoint().stats().retries_sent - before;
}

/// The token field of an Initial that begins a datagram.
std::vector<u8> token_field(Bytes datagram) {
  Reader in{datagram.subspan(5)};
  in.bytes(in.byte());
  in.bytes(in.byte());
  const Bytes token = in.bytes(in.varint());
  return {token.begin(), token.end()};
}

// [rfc9000-8.1.3-2], [rfc9000-8.1.3-9], [rfc9000-8.1.3-14], [rfc9000-8.1.3-16]: it is in each
// Initial, and spares the round trip of a Retry.
SIMULATE(AddressTokens, OfAnEarlierConnectionSpareTheRetry) {
  auto [client, server] = network.quiet_pair(Link{.delay = 20ms}, {}, asking_for_retry());
  const auto token = token_of(network, client, server);
  std::vector<std::vector<u8>> shown;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address() && packet_kinds(datagram.payload).starts_with('I')) {
      shown.push_back(token_field(datagram.payload));
    }
  });
  EXPECT_EQ(retries_with(network, client, server, token), 0U);
  EXPECT_EQ(server.endpoint().stats().tokens_accepted, 1U);
  ASSERT_GE(shown.size(), 2U);
  for (const auto& each : shown) EXPECT_EQ(each, StoredToken::decode(token)->token);
}

// [rfc9000-8.1.4-6], [rfc9000-8.1.4-8], [rfc9000-21.3-1]: a second time it is as if there were none.
SIMULATE(AddressTokens, CountOnce) {
  auto [client, server] = network.quiet_pair(Link{}, {}, asking_for_retry());
  const auto token = token_of(network, client, server);
  EXPECT_EQ(retries_with(network, client, server, token), 0U);
  EXPECT_GE(retries_with(network, client, server, token), 1U);
  EXPECT_EQ(server.endpoint().stats().tokens_accepted, 1U);
}

SIMULATE(AddressTokens, GoBeyondTheMemoryForThemWithoutHarm) {
  PeerConfig config = asking_for_retry();
  config.endpoint.used_token_memory = 0;
  auto [client, server] = network.quiet_pair(Link{}, {}, config);
  const auto token = token_of(network, client, server);
  EXPECT_GE(retries_with(network, client, server, token),
            1U);  // As if it had none; and it connects.
}

// [rfc9000-8.1.3-15], [rfc9000-8.1.4-2]: bad ones are no error.
SIMULATE(AddressTokens, ThatAreNotValidAreAsNone) {
  auto [client, server] = network.quiet_pair(Link{}, {}, asking_for_retry());
  const auto forged_from = [&](const std::function<void(StoredToken&)>& change) {
    auto stored = *StoredToken::decode(token_of(network, client, server));
    change(stored);
    return stored.encode();
  };
  EXPECT_GE(retries_with(network, client, server,
                         forged_from([](StoredToken& t) { t.token.back() ^= 1; })),
            1U);
  EXPECT_GE(retries_with(network, client, server,
                         forged_from([](StoredToken& t) { t.token.assign(300, 7); })),
            1U);
  EXPECT_GE(retries_with(network, client, server, std::vector<u8>(40, 1)), 1U);  // Not even ours.
  const auto old = token_of(network, client, server);
  run_for(24h);
  EXPECT_GE(retries_with(network, client, server, old), 1U);
  EXPECT_EQ(server.endpoint().stats().tokens_accepted, 0U);
}

// [rfc9000-8.1.4-4], [rfc9000-8.1.4-5]
SIMULATE(AddressTokens, AreOfOneClientAddress) {
  auto [client, server] = network.quiet_pair(Link{}, {}, asking_for_retry());
  const auto token = token_of(network, client, server);
  PeerConfig quiet;
  quiet.listens = false;
  Peer& thief = network.add_peer(quiet);
  EXPECT_GE(retries_with(network, thief, server, token), 1U);
  EXPECT_EQ(retries_with(network, client, server, token), 0U);  // The owner's is not spent by that.
}

// [rfc9000-8.1.3-10]: nor of another name, nor, [rfc9369-5-1], another version.
SIMULATE(AddressTokens, AreShownToNoOtherServer) {
  auto [client, server] = network.quiet_pair();
  Peer& other = network.add_peer();
  const auto token = token_of(network, client, server);
  bool shown = false;
  network.on_send([&](const Passing& datagram) {
    if (packet_kinds(datagram.payload).starts_with('I') && datagram.from == client.address()) {
      shown = shown || !token_field(datagram.payload).empty();
    }
  });
  client.connect(other, token);
  run_for(1s);
  EXPECT_FALSE(shown);
  for (const auto& change : std::vector<std::function<void(StoredToken&)>>{
           [](StoredToken& t) { t.server_name = "another"; },
           [](StoredToken& t) { t.version = Version::v2; },
           [](StoredToken& t) { t.server = t.server.with_port(1); }}) {
    auto stored = *StoredToken::decode(token);
    change(stored);
    client.connect(server, stored.encode());
    run_for(1s);
    EXPECT_FALSE(shown);
  }
  client.connect(server, token);
  run_for(1s);
  EXPECT_TRUE(shown);
}

// [rfc9000-8.1.2-1], [rfc9000-8.1.3-2], [rfc9000-8.1.3-12]: a Retry's replaces it at once.
SIMULATE(AddressTokens, GiveWayToThatOfARetry) {
  auto [client, server] = network.quiet_pair(Link{}, {}, asking_for_retry());
  const auto token = token_of(network, client, server);
  retries_with(network, client, server, token);
  std::vector<std::size_t> sizes;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address() && packet_kinds(datagram.payload).starts_with('I')) {
      sizes.push_back(token_field(datagram.payload).size());
    }
  });
  EXPECT_GE(retries_with(network, client, server, token), 1U);
  const std::size_t first = StoredToken::decode(token)->token.size();
  ASSERT_GE(sizes.size(), 3U);
  EXPECT_EQ(sizes.front(), first);
  EXPECT_GT(sizes.back(), first);  // [rfc9000-8.1.3-3]: and never comes to the application.
}

// A shared key: what one process gives out another takes, also after a restart.
SIMULATE(AddressTokens, OutliveARestartWithAKeyOfTheirOwn) {
  PeerConfig config = asking_for_retry();
  auto [client, forgetful] = network.quiet_pair(Link{}, {}, config);
  const auto lost = token_of(network, client, forgetful);
  forgetful.restart();
  EXPECT_GE(retries_with(network, client, forgetful, lost), 1U);

  config.endpoint.token_key.fill(5);
  Peer& server = network.add_peer(config);
  const auto token = token_of(network, client, server);
  server.restart();
  EXPECT_EQ(retries_with(network, client, server, token), 0U);
}

// [rfc9000-8.1.3-7], §13.3: lost ones are sent again as they were.
SIMULATE(AddressTokens, ArriveThoughTheyAreLost) {
  PeerConfig config;
  config.endpoint.connection.new_tokens = 9;  // Four is the most.
  auto [client, server] = network.pair(Link{.delay = 10ms}, {}, config);
  int lost = 0;
  network.pipe(server, client).filter = [&](Passing& datagram) {
    return Verdict{.drop = packet_kinds(datagram.payload) == "1" && lost++ < 4};
  };
  ASSERT_TRUE(run_until([&] { return client.session().tokens.size() == 4; }, 9s));
  run_for(2s);
  EXPECT_EQ(client.session().tokens.size(), 4U);
}

SIMULATE(AddressTokens, AreNotGivenWhereTheServerWantsNone) {
  PeerConfig config;
  config.endpoint.connection.new_tokens = 0;
  auto [client, server] = network.pair(Link{}, {}, config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  EXPECT_TRUE(client.session().tokens.empty());
}

SIMULATE(AddressTokens, OfAGenerousServerAreTakenUpToALimit) {
  PeerConfig generous;
  generous.endpoint.connection.new_tokens = 4;
  PeerConfig modest;
  modest.connection.max_new_tokens = 2;
  auto [client, server] = network.pair(Link{}, modest, generous);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  EXPECT_EQ(client.session().tokens.size(), 2U);
}

// [rfc9000-8.1.4-6]: also those of a Retry, once their connection is gone.
SIMULATE(AddressTokens, OfARetryCountOnce) {
  auto [client, server] = network.pair(Link{}, {}, asking_for_retry());
  std::vector<std::vector<u8>> sent;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address() && packet_kinds(datagram.payload).starts_with('I')) {
      sent.emplace_back(datagram.payload.begin(), datagram.payload.end());
    }
  });
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.session().closes(0, "");
  run_for(3s);
  ASSERT_EQ(server.endpoint().stats().connections, 0U);
  for (const auto& each : sent) {
    if (!token_field(each).empty()) network.inject(client.address(), server.address(), each);
  }
  run_for(1s);
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
}

}  // namespace
}  // namespace qpeer::sim
