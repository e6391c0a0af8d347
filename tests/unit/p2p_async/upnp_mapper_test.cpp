// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/upnp_mapper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/p2p_async/fake_upnp_router.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

class UpnpMapperTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!upnp_is_built()) GTEST_SKIP() << "UPnP is not built in";
    mapper.emplace(loop, crypto::system_random(), callbacks(), config());
  }
  UpnpMapper::Callbacks callbacks() {
    return {.on_mapped = [this](const SocketAddress& external,
                                Duration) { mapped.push_back(external); },
            .on_failed = [this](std::string_view why) { failed.emplace_back(why); },
            .on_idle = [this] { ++idle; }};
  }
  [[nodiscard]] UpnpMapper::Config config() const {
    return {.gateway = router.config(), .look = 20ms, .first_pause = 10ms, .longest_pause = 40ms};
  }
  template <class F>
  bool until(F&& done) {
    return loop.run_until(done, io::now() + 10s);
  }
  static Path way(std::uint16_t port = 4477) {
    return {.local = SocketAddress::loopback4(port), .remote = SocketAddress::loopback4(0)};
  }

  test::FakeUpnpRouter router;
  io::EventLoop loop;
  std::vector<SocketAddress> mapped;
  std::vector<std::string> failed;
  int idle = 0;
  std::optional<UpnpMapper> mapper;
};

TEST_F(UpnpMapperTest, MapsWhatIsWantedAndRemovesWhatIsNot) {
  EXPECT_TRUE(mapper->is_idle());
  mapper->want(way());
  EXPECT_FALSE(mapper->is_idle());
  ASSERT_TRUE(until([&] { return !mapped.empty(); }));
  EXPECT_EQ(mapped[0], SocketAddress::ipv4({8, 8, 4, 4}, 4477));
  mapper->want(std::nullopt);
  EXPECT_FALSE(mapper->is_idle()) << "the router has it still";
  ASSERT_TRUE(until([&] { return mapper->is_idle(); }));
  EXPECT_TRUE(router.mappings().empty());
  EXPECT_TRUE(until([&] { return idle == 1; }));
  EXPECT_TRUE(failed.empty());
}

TEST_F(UpnpMapperTest, LooksWhetherItIsStillThere) {
  mapper->want(way());
  ASSERT_TRUE(until([&] { return mapped.size() == 3; }));
  EXPECT_EQ(router.count("AddPortMapping"), 1U);
  router.forget_mappings();
  EXPECT_TRUE(until([&] { return !router.mappings().empty(); }));
  EXPECT_TRUE(failed.empty());
}

TEST_F(UpnpMapperTest, AsksAgainAfterAPause) {
  router.errors = {{"AddPortMapping", 501}};
  mapper->want(way());
  ASSERT_TRUE(until([&] { return failed.size() == 3; }));
  EXPECT_EQ(failed[2], "its UPnP refuses with error 501");
  EXPECT_TRUE(mapped.empty());
  mapper->want(std::nullopt);
  EXPECT_TRUE(mapper->is_idle()) << "there is nothing to remove";
}

TEST_F(UpnpMapperTest, AnotherWayFollowsTheRemovalOfTheFirst) {
  mapper->want(way());
  ASSERT_TRUE(until([&] { return !mapped.empty(); }));
  mapper->want(way(4478));
  ASSERT_TRUE(until([&] { return mapped.back().port() == 4478; }));
  EXPECT_EQ(router.mappings().size(), 1U);
  const auto requests = router.requests();
  const auto removed = std::ranges::find(requests, "DeletePortMapping");
  ASSERT_NE(removed, requests.end());
  EXPECT_EQ(std::ranges::count(requests.begin(), removed, "AddPortMapping"), 1);
}

TEST_F(UpnpMapperTest, WhatIsBeingMappedWhenItIsWantedNoMoreIsRemoved) {
  router.on_command = [&](std::string_view command) {
    if (command == "AddPortMapping") loop.post([&] { mapper->want(std::nullopt); });
  };
  mapper->want(way());
  ASSERT_TRUE(until([&] { return idle == 1; }));
  EXPECT_TRUE(mapper->is_idle());
  EXPECT_TRUE(router.mappings().empty());
  EXPECT_EQ(router.count("AddPortMapping"), 1U);
}

TEST_F(UpnpMapperTest, ASearchIsNotWaitedFor) {
  router.answers_search = false;
  mapper->want(way());
  loop.run_once(0ms);
  mapper->want(std::nullopt);
  EXPECT_TRUE(mapper->is_idle());
}

TEST_F(UpnpMapperTest, OnceDestroyedItHasNoMapping) {
  mapper->want(way());
  ASSERT_TRUE(until([&] { return !mapped.empty(); }));
  mapper.reset();
  EXPECT_TRUE(until([&] { return router.mappings().empty(); }));
}

TEST_F(UpnpMapperTest, ALoopOfWishesLeavesNothing) {
  for (std::uint16_t port = 4000; port < 4020; ++port) {
    mapper->want(way(port));
    loop.run_until([] { return false; }, io::now() + 3ms);
  }
  mapper->want(std::nullopt);
  ASSERT_TRUE(until([&] { return mapper->is_idle(); }));
  EXPECT_TRUE(until([&] { return router.mappings().empty(); }));
}

TEST(UpnpMapper, SaysWhenItIsNotBuiltIn) {
  if (upnp_is_built()) GTEST_SKIP() << "UPnP is built in";
  io::EventLoop loop;
  std::string why;
  UpnpMapper mapper{loop,
                    crypto::system_random(),
                    {.on_mapped = [](const SocketAddress&, Duration) { ADD_FAILURE(); },
                     .on_failed = [&](std::string_view text) { why = text; },
                     .on_idle = [] {}}};
  mapper.want(Path{.local = SocketAddress::loopback4(4477), .remote = SocketAddress::loopback4(0)});
  EXPECT_TRUE(loop.run_until([&] { return !why.empty(); }, io::now() + 10s));
  EXPECT_EQ(why, "UPnP is not built in");
  mapper.want(std::nullopt);
  EXPECT_TRUE(mapper.is_idle());
}

}  // namespace
}  // namespace qpeer::p2p::detail
