// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/contact_names.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

class ContactNamesTest : public testing::Test {
 protected:
  void turn_for(Duration time) {
    loop.run_until([] { return false; }, io::now() + time);
  }
  static PeerAddress name(std::uint16_t port) { return {.host = "localhost", .port = port}; }

  io::EventLoop loop;
  bool needed = true;
  std::vector<std::vector<Candidate>> found;
  std::vector<Instant> times;
  ContactNames names{loop,
                     [this] { return needed; },
                     [this](std::vector<Candidate> all) {
                       found.push_back(std::move(all));
                       times.push_back(io::now());
                     },
                     {.first = 20ms, .longest = 80ms}};
};

TEST_F(ContactNamesTest, LooksAgainWhileLinksAreMissing) {
  names.watch({name(7), {.host = "127.0.0.1", .port = 8}, {.host = "nothing.invalid", .port = 9}});
  EXPECT_TRUE(loop.run_until([&] { return found.size() == 5; }, io::now() + 20s));
  for (const auto& all : found) {
    ASSERT_GE(all.size(), 2U);
    EXPECT_EQ(all.front().address.port(), 7);
    EXPECT_EQ(all.front().server_name, "localhost");
    EXPECT_EQ(all.back().address, SocketAddress::loopback4(8));
  }
  EXPECT_GE(times[3] - times[2], 79ms) << "the pauses grow";
}

TEST_F(ContactNamesTest, RestsWhileNoLinkIsMissing) {
  needed = false;
  names.watch({name(7)});
  turn_for(200ms);
  EXPECT_TRUE(found.empty());
  needed = true;
  turn_for(200ms);
  EXPECT_TRUE(found.empty()) << "nobody said so";
  names.on_link_lost();
  EXPECT_TRUE(loop.run_until([&] { return !found.empty(); }, io::now() + 10s));
}

TEST_F(ContactNamesTest, AddressesAreNoNames) {
  names.watch({{.host = "127.0.0.1", .port = 8, .others = {{.host = "192.0.2.1", .port = 8}}},
               {.host = "::1", .port = 8}});
  turn_for(200ms);
  EXPECT_TRUE(found.empty());
}

TEST_F(ContactNamesTest, ANameBesideAddressesIsLookedUp) {
  names.watch({{.host = "127.0.0.1", .port = 8, .others = {{.host = "localhost", .port = 7}}}});
  ASSERT_TRUE(loop.run_until([&] { return !found.empty(); }, io::now() + 10s));
  ASSERT_GE(found[0].size(), 2U);
  EXPECT_EQ(found[0].front().address, SocketAddress::loopback4(8)) << "best first";
  const auto named = [](const Candidate& each) { return each.server_name == "localhost"; };
  EXPECT_TRUE(std::ranges::any_of(found[0], named));
}

TEST_F(ContactNamesTest, CanBeStopped) {
  names.watch({name(7)});
  names.stop();
  turn_for(200ms);
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace qpeer::p2p::detail
