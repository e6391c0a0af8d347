// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Bootstrapping, connecting, the words of their errors, and the cache that lasts.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "qpeer/tests/unit/p2p_async/peers_fixture.hpp"

namespace qpeer::p2p {
namespace {

using AsyncNodeTest = PeersFixture;
using AsyncClientTest = PeersFixture;

/// A folder that goes with the test.
struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qpeer-test-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  /// The last save of a node that was destroyed may still be at work in it.
  ~Folder() {
    std::error_code error;
    do {
      std::filesystem::remove_all(path, error);
    } while (error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const char* name) const { return path + '/' + name; }
  std::string path;
};

TEST_F(AsyncClientTest, BootstrapTellsEachCandidateAndWhy) {
  AsyncNode stranger = node();
  NodeOptions hasty = options();
  hasty.config.bootstrap.attempt_timeout = 300ms;
  AsyncClient lost = client(std::move(hasty));
  const PeerId expected = make_identity().id;
  std::array<PeerAddress, 4> contacts;
  contacts[0] = {.id = expected, .host = "127.0.0.1", .port = 9};
  contacts[1] = {.id = expected, .host = "127.0.0.1", .port = stranger.local_address().port()};
  contacts[2] = {.id = expected, .host = "no-such-host.invalid", .port = 4433};
  contacts[3] = {.host = "127.0.0.1", .port = 10};  // Pinned, but to what?
  std::string text;
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await lost.bootstrap(contacts);
    EXPECT_FALSE(peer);
    EXPECT_EQ(peer.error().attempts.size(), 4U);
    text = to_string(peer.error());
  };
  finish(body());
  for (const std::string& part :
       {expected.to_string() + "@127.0.0.1:9: ", std::string("another peer answered"),
        expected.to_string() + "@no-such-host.invalid:4433: cannot resolve no-such-host.invalid",
        std::string("127.0.0.1:10: its peer id is not known")}) {
    EXPECT_TRUE(text.contains(part)) << part << "\nis missing in\n" << text;
  }
}

TEST_F(AsyncClientTest, WithNobodyToAskBootstrapSaysSoAtOnce) {
  AsyncClient lost = client();
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await lost.bootstrap();
    EXPECT_EQ(to_string(peer.error()),
              "there is nobody to ask: no contact was given, and the cache is empty");
  };
  const Instant begin = io::now();
  finish(body());
  EXPECT_LT(io::now() - begin, 1s);
}

TEST_F(AsyncClientTest, BootstrapsThroughANameAndTheFirstThatAnswers) {
  AsyncNode server = node();
  AsyncClient joining = client();
  std::array<PeerAddress, 2> contacts;
  contacts[0] = {.id = make_identity().id, .host = "127.0.0.1", .port = 9};
  contacts[1] = {.id = server.id(), .host = "localhost", .port = server.local_address().port()};
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await joining.bootstrap(contacts);
    EXPECT_TRUE(peer) << to_string(peer.error());
    EXPECT_TRUE(peer && peer->id() == server.id());
    EXPECT_EQ(joining.peers().size(), 1U);
  };
  finish(body());
}

// As with a name of two addresses, on a machine that has only one of the families.
TEST_F(AsyncClientTest, BootstrapsThroughTheAddressThatItsSocketReaches) {
  AsyncNode server = node();
  AsyncClient joining = client();
  const std::uint16_t port = server.local_address().port();
  const std::array<PeerAddress, 2> contacts{
      {{.id = server.id(), .host = "::1", .port = port},
       {.id = server.id(), .host = "127.0.0.1", .port = port}}};
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await joining.bootstrap(contacts);
    EXPECT_TRUE(peer) << to_string(peer.error());
  };
  finish(body());
}

TEST_F(AsyncClientTest, OneBootstrapAtATimeAndACancelledOneMakesRoom) {
  AsyncNode server = node();
  AsyncClient joining = client();
  const PeerAddress dead = mute_contact();
  auto wait = [&]() -> async::Task<void> {
    (void)co_await joining.bootstrap(dead);
    ADD_FAILURE() << "went on";
  };
  {
    async::TaskGroup tasks;
    tasks.spawn(wait());
    turn_for(20ms);
    auto second = [&]() -> async::Task<void> {
      const auto peer = co_await joining.bootstrap(dead);
      EXPECT_EQ(to_string(peer.error()), "a bootstrap is under way already");
    };
    finish(second());
  }
  EXPECT_TRUE(turn_until([&] { return joining.stats().connections == 0; }));
  auto body = [&]() -> async::Task<void> {
    const PeerAddress contact = server.contact();
    EXPECT_TRUE(co_await joining.bootstrap(contact));
  };
  finish(body());
}

TEST_F(AsyncClientTest, CancellingALookUpLeavesNothingBehind) {
  AsyncClient joining = client();
  const PeerAddress nowhere{.id = make_identity().id, .host = "no-such-host.invalid", .port = 9};
  auto wait = [&]() -> async::Task<void> { (void)co_await joining.bootstrap(nowhere); };
  for (int i = 0; i < 10; ++i) {
    async::TaskGroup tasks;
    tasks.spawn(wait());
  }
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await joining.bootstrap();
    EXPECT_TRUE(to_string(peer.error()).starts_with("there is nobody to ask"));
  };
  finish(body());
}

TEST_F(AsyncNodeTest, ConnectMakesALinkOrTellsWhy) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  EXPECT_EQ(peer.info()->role, Role::node);
  auto body = [&]() -> async::Task<void> {
    const PeerAddress again = b.contact();
    EXPECT_TRUE(co_await a.connect(again)) << "it is linked already";
    PeerAddress wrong = again;
    wrong.id = make_identity().id;
    const auto other = co_await a.connect(wrong);
    EXPECT_TRUE(to_string(other.error()).contains("another peer answered"))
        << to_string(other.error());
    PeerAddress self = a.contact();
    const auto ourselves = co_await a.connect(self);
    EXPECT_TRUE(to_string(ourselves.error()).contains("ourselves"));
  };
  finish(body());
}

TEST_F(AsyncNodeTest, StartNamesThePartOfItsOptionsThatIsWrong) {
  NodeOptions nobody = options();
  nobody.identity = {};
  const auto without = AsyncNode::start(loop, std::move(nobody));
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().part, ConfigPart::identity);
  const AsyncNode first = node();
  NodeOptions taken = options();
  taken.listen = first.local_address();
  const auto second = AsyncNode::start(loop, std::move(taken));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().part, ConfigPart::address);
  EXPECT_EQ(second.error().cause, std::errc::address_in_use);
  EXPECT_TRUE(
      to_string(second.error()).starts_with("cannot bind to " + first.local_address().to_string()));
  NodeOptions many = options();
  many.advertise.resize(5, SocketAddress::loopback4(1));
  const auto third = AsyncNode::start(loop, std::move(many));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().part, ConfigPart::advertised);
  EXPECT_EQ(to_string(third.error()), "at most four addresses can be advertised");
}

TEST_F(AsyncNodeTest, ContactIsWhatOthersAreTold) {
  NodeOptions forwarded = options();
  forwarded.advertise = {*SocketAddress::parse("[2001:db8::7]:4433")};
  EXPECT_EQ(node(std::move(forwarded)).contact().host, "2001:db8::7");
  NodeOptions anywhere = options();
  anywhere.listen = SocketAddress::ipv4({}, 0);
  const AsyncNode any = node(std::move(anywhere));
  for (const PeerAddress::Place& place : any.contact().places()) {
    const auto address = place.address();
    ASSERT_TRUE(address) << place.host;
    EXPECT_FALSE(address->is_wildcard());
    EXPECT_EQ(address->port(), any.local_address().port());
  }
}

TEST_F(AsyncNodeTest, ATicketLeadsToANodeThatIsBoundToAnyAddress) {
  NodeOptions anywhere = options();
  anywhere.listen = {};
  anywhere.config.port_mapping = false;
  const AsyncNode server = node(std::move(anywhere));
  NodeOptions also_anywhere = options();
  also_anywhere.listen = {};
  AsyncClient asking = client(std::move(also_anywhere));
  auto body = [&]() -> async::Task<void> {
    const auto contact = PeerAddress::parse(server.contact().to_ticket(), 1);
    EXPECT_TRUE(contact && contact->id == server.id());
    const auto peer = co_await asking.connect(*contact);
    EXPECT_TRUE(peer) << to_string(peer.error());
  };
  finish(body());
}

// The first address never answers. Each of the attempts after it begins at most 250 ms later.
TEST_F(AsyncClientTest, OfATicketWhoseFirstAddressIsDeadTheNextAnswersSoon) {
  const AsyncNode server = node();
  PeerAddress both = mute_contact();
  both.id = server.id();
  both.others = server.contact().places();
  const auto contact = PeerAddress::parse(both.to_ticket(), 1);
  ASSERT_EQ(contact, both);
  for (const bool by_bootstrap : {false, true}) {
    AsyncClient asking = client();
    std::vector<NodeEvent> events;
    asking.on_event([&](const NodeEvent& event) { events.push_back(event); });
    auto body = [&]() -> async::Task<void> {
      const Instant begin = io::now();
      auto peer = by_bootstrap ? asking.bootstrap(*contact) : asking.connect(*contact);
      const auto linked = co_await std::move(peer);
      EXPECT_TRUE(linked) << to_string(linked.error());
      EXPECT_LT(io::now() - begin, 2s);
      EXPECT_EQ(asking.stats().connections, 1U) << "the other attempt has ended";
      EXPECT_EQ(asking.cache().find(server.id())->failures, 0U);
    };
    finish(body());
    for (const NodeEvent& event : events) EXPECT_FALSE(std::holds_alternative<LinkFailed>(event));
  }
}

TEST_F(AsyncClientTest, ATicketThatLeadsNowhereNamesEachOfItsAddresses) {
  AsyncClient lost = client();
  const PeerId expected = make_identity().id;
  const PeerAddress contact{
      .id = expected,
      .host = "127.0.0.1",
      .port = 9,
      .others = {{.host = "no-such-host.invalid", .port = 7}, {.host = "127.0.0.1", .port = 10}}};
  std::string text;
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await lost.connect(contact);
    EXPECT_FALSE(peer);
    text = to_string(peer.error());
  };
  finish(body());
  for (const std::string where : {"127.0.0.1:9: ", "127.0.0.1:10: ", "no-such-host.invalid:7: "}) {
    EXPECT_TRUE(text.contains(expected.to_string() + '@' + where)) << where << " in\n" << text;
  }
}

// --- the cache -----------------------------------------------------------------------------------

TEST_F(AsyncNodeTest, RejoinsFromTheCacheFileAlone) {
  const Folder folder;
  NodeOptions keeping = options();
  keeping.cache_path = folder.file("cache");
  keeping.save_delay = 1h;
  AsyncNode server = node();
  {
    AsyncNode first = node(keeping);
    (void)link(first, server);
    auto end = [&]() -> async::Task<void> { co_await first.shut_down(); };
    finish(end());
  }
  EXPECT_TRUE(std::filesystem::exists(folder.file("cache")));
  std::string warnings;
  keeping.on_warning = [&](std::string_view text) { warnings += text; };
  AsyncNode second = node(keeping);
  ASSERT_EQ(second.cache().size(), 1U);
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await second.bootstrap();
    EXPECT_TRUE(peer) << to_string(peer.error());
    EXPECT_TRUE(peer && peer->id() == server.id());
  };
  finish(body());
  EXPECT_EQ(warnings, "");
}

TEST_F(AsyncNodeTest, SavesTheCacheSomeTimeAfterAChange) {
  const Folder folder;
  NodeOptions keeping = options();
  keeping.cache_path = folder.file("cache");
  keeping.save_delay = 10ms;
  AsyncNode server = node();
  AsyncNode first = node(std::move(keeping));
  (void)link(first, server);
  EXPECT_TRUE(turn_until([&] { return std::filesystem::exists(folder.file("cache")); }));
}

TEST_F(AsyncNodeTest, ACacheThatIsOfNoUseIsAWarning) {
  const Folder folder;
  const auto make = [&](const char* contents) {
    std::FILE* const file = std::fopen(folder.file("cache").c_str(), "w");
    std::fputs(contents, file);
    std::fclose(file);
  };
  make("QPEERNC\nnonsense");
  std::vector<std::string> warnings;
  NodeOptions keeping = options();
  keeping.on_warning = [&](std::string_view text) { warnings.emplace_back(text); };
  keeping.cache_path = folder.file("cache");
  const AsyncNode damaged = node(keeping);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(warnings[0].contains("damaged")) << warnings[0];
  keeping.cache_path = folder.file("missing/cache");
  const AsyncNode homeless = node(keeping);
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_TRUE(warnings[1].starts_with("the cache is kept in memory only: ")) << warnings[1];
  make("somebody else's");
  keeping.cache_path = folder.file("cache");
  const AsyncNode refused = node(keeping);
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_TRUE(warnings[2].starts_with("the cache is kept in memory only: ")) << warnings[2];
  EXPECT_TRUE(warnings[2].contains("not a cache of qpeer")) << warnings[2];
}

TEST_F(AsyncNodeTest, ACacheThatCannotBeSavedEndsNothing) {
  const Folder folder;
  std::vector<std::string> warnings;
  NodeOptions keeping = options();
  keeping.on_warning = [&](std::string_view text) { warnings.emplace_back(text); };
  std::filesystem::create_directory(folder.file("sub"));
  keeping.cache_path = folder.file("sub/cache");
  keeping.save_delay = {};
  AsyncNode server = node();
  AsyncNode first = node(std::move(keeping));
  std::filesystem::remove_all(folder.file("sub"));
  const NodePeer peer = link(first, server);
  EXPECT_TRUE(turn_until([&] { return !warnings.empty(); }));
  EXPECT_TRUE(warnings[0].starts_with("the cache is not saved: ")) << warnings[0];
  auto body = [&]() -> async::Task<void> {
    EXPECT_TRUE(co_await peer.send(as_bytes("still here")));
    co_await first.shut_down();
  };
  finish(body());
}

TEST_F(AsyncNodeTest, AWarningThatThrowsLeavesTheLoopAndHoldsNothingUp) {
  const Folder folder;
  NodeOptions keeping = options();
  keeping.on_warning = [](std::string_view /*text*/) { throw std::runtime_error("mine"); };
  std::filesystem::create_directory(folder.file("sub"));
  keeping.cache_path = folder.file("sub/cache");
  keeping.save_delay = 1h;
  AsyncNode server = node();
  AsyncNode first = node(std::move(keeping));
  std::filesystem::remove_all(folder.file("sub"));
  link(first, server);
  bool ended = false;
  first.shut_down([&] { ended = true; });
  bool thrown = false;
  for (const Instant give_up = io::now() + 10s; !ended && io::now() < give_up;) {
    try {
      loop.run_once(100ms);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  }
  EXPECT_TRUE(thrown);
  EXPECT_TRUE(ended);
}

TEST_F(AsyncClientTest, AContactThatTheSocketCannotReachFailsAtOnce) {
  AsyncClient lost = client();
  const PeerAddress contact{.id = make_identity().id, .host = "2a00::1", .port = 4433};
  std::string text;
  auto body = [&]() -> async::Task<void> {
    const auto peer = co_await lost.bootstrap(contact);
    EXPECT_FALSE(peer);
    text = to_string(peer.error());
  };
  finish(body());
  EXPECT_TRUE(text.contains("family")) << text;
}

// Only the internet has strangers.
TEST_F(AsyncClientTest, ANodeOfThisHostFindsNoFiltering) {
  AsyncNode server = node();
  AsyncClient asker = client();
  const ServerPeer peer = link(asker, server);
  const ServerPeer stranger = asker.peer(make_identity().id);
  auto body = [&]() -> async::Task<void> {
    const auto found = co_await peer.probe_filtering();
    EXPECT_TRUE(found) << to_string(found.error());
    if (!found) co_return;
    EXPECT_EQ(found->by, server.id());
    EXPECT_EQ(found->other_port, std::nullopt);
    EXPECT_EQ(found->strangers, std::nullopt);
    const auto refused = co_await stranger.probe_filtering();
    EXPECT_EQ(refused.error(), PeerError::not_linked);
  };
  finish(body());
}

TEST_F(AsyncClientTest, ReportsItsNetwork) {
  AsyncNode server = node();
  AsyncClient asker = client();
  link(asker, server);
  auto body = [&]() -> async::Task<void> {
    const auto alone = co_await server.network_report();
    EXPECT_TRUE(alone);
    if (!alone) co_return;
    EXPECT_EQ(alone->asked(), 0U) << "it is linked to no node";
    const auto report = co_await asker.network_report();
    EXPECT_TRUE(report);
    if (!report) co_return;
    EXPECT_EQ(report->asked(), 1U);
    EXPECT_EQ(report->answered(), 1U);
    EXPECT_EQ(report->servers.at(0).server, server.local_address());
    EXPECT_EQ(report->ipv4.mapping, NatMapping::none);
    EXPECT_EQ(report->ipv4.filtering, NatFiltering::unknown);
    EXPECT_FALSE(report->gateway.gateway.valid()) << "a client asks no router";
    EXPECT_EQ(findings_of(*report).back().topic, "outlook");
  };
  finish(body());
}

}  // namespace
}  // namespace qpeer::p2p
