// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/staggered.hpp"

#include <gtest/gtest.h>
#include "qpeer/transport.hpp"

#include <string>
#include <vector>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

using detail::interleave_families;
using detail::staggered;

SocketAddress v4(u8 host) { return SocketAddress::ipv4({10, 0, 0, host}, 1); }
SocketAddress v6(u8 host) { return SocketAddress::ipv6({0x20, 0x01, host}, 1); }

TEST(Interleaving, TakesTheFamiliesByTurns) {
  using List = std::vector<SocketAddress>;
  EXPECT_EQ(interleave_families(List{}), List{});
  EXPECT_EQ(interleave_families(List{v6(1), v6(2), v6(3), v4(1), v4(2)}),
            (List{v6(1), v4(1), v6(2), v4(2), v6(3)}));
  EXPECT_EQ(interleave_families(List{v4(1), v6(1), v6(2), v6(3)}),
            (List{v4(1), v6(1), v6(2), v6(3)}));
  EXPECT_EQ(interleave_families(List{v4(1), v4(2)}), (List{v4(1), v4(2)}));
}

/// What attempts do: each takes a time, and succeeds or not.
struct Plan {
  Duration time;
  bool succeeds = false;
};

struct Attempts {
  explicit Attempts(std::vector<Plan> all) : plans(std::move(all)) {}

  Task<std::expected<std::size_t, std::string>> begin(std::size_t index) {
    begun.push_back(io::now() - origin);
    ++open;
    struct Ended {
      explicit Ended(int& count) : open(count) {}
      Ended(const Ended&) = delete;
      Ended& operator=(const Ended&) = delete;
      ~Ended() { --open; }
      int& open;
    };
    const Ended ended(open);
    const Plan plan = plans[index];
    if (plan.time > Duration{}) co_await sleep_for(loop, plan.time);
    if (plan.succeeds) co_return index;
    co_return std::unexpected(std::to_string(index));
  }
  auto run_all() {
    origin = io::now();
    return run(loop, staggered<std::size_t, std::string>(
                         loop, plans.size(), [this](std::size_t index) { return begin(index); }));
  }

  io::EventLoop loop;
  std::vector<Plan> plans;
  std::vector<Duration> begun;
  Instant origin;
  int open = 0;
};

TEST(Staggered, TheFirstThatSucceedsWinsAndTheOthersAreCancelled) {
  Attempts all({{10s, true}, {10s, true}, {20ms, true}, {1ms, true}});
  EXPECT_EQ(all.run_all(), 2U);
  ASSERT_EQ(all.begun.size(), 3U);
  EXPECT_GE(all.begun[1], 250ms);
  EXPECT_GE(all.begun[2], 500ms);
  EXPECT_LT(all.begun[2], 5s);
  EXPECT_EQ(all.open, 0) << "an attempt goes on";
}

TEST(Staggered, AFailureBeginsTheNextAtOnce) {
  Attempts all({{0ms}, {1ms}, {2ms, true}});
  EXPECT_EQ(all.run_all(), 2U);
  EXPECT_LT(all.begun.at(2), 200ms);
}

TEST(Staggered, AllErrorsAreGiven) {
  Attempts all({{5ms}, {1ms}, {0ms}});
  const auto result = all.run_all();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), (std::vector<std::string>{"0", "1", "2"}));
  Attempts none({});
  const auto nothing = none.run_all();
  ASSERT_FALSE(nothing);
  EXPECT_TRUE(nothing.error().empty());
}

TEST(Staggered, MayBeCancelled) {
  Attempts all({{10s, true}, {10s, true}});
  {
    TaskGroup group;
    auto body = [&]() -> Task<void> {
      (void)co_await staggered<std::size_t, std::string>(
          all.loop, 2, [&all](std::size_t index) { return all.begin(index); });
      ADD_FAILURE() << "went on";
    };
    group.spawn(body());
    all.loop.run_until([] { return false; }, io::now() + 300ms);
    EXPECT_EQ(all.open, 2);
  }
  EXPECT_EQ(all.open, 0);
}

class ConnectToAny : public Loopback {};

// RFC 8305 §5: an address that is mute costs 250 ms, one that is refused nothing.
TEST_F(ConnectToAny, TheOneThatAnswersIsFoundSoon) {
  const std::vector<SocketAddress> addresses{*SocketAddress::parse("[::1]:4433"),
                                             mute.local_address(), server->local_address()};
  auto body = [&]() -> Task<void> {
    const Instant begin = io::now();
    auto connection = co_await client->connect_any(addresses, connect_options);
    if (!connection) co_return ADD_FAILURE() << to_string(connection.error().back());
    EXPECT_EQ(connection->info().remote, server->local_address());
    EXPECT_LT(io::now() - begin, 2s);
  };
  run(loop, body());
  EXPECT_TRUE(turn_until([&] { return client->stats().connections == 1; })) << "one is left";
}

TEST_F(ConnectToAny, EveryFailureIsGiven) {
  connect_options.connection.handshake_timeout = 30ms;
  const std::vector<SocketAddress> addresses{mute.local_address(), SocketAddress{}};
  auto body = [&]() -> Task<void> {
    const auto failed = co_await client->connect_any(addresses, connect_options);
    if (failed) co_return ADD_FAILURE() << "connected";
    EXPECT_EQ(failed.error().size(), 2U);
    for (const ConnectFailure& each : failed.error()) {
      const bool is_mute = each.remote == mute.local_address();
      EXPECT_EQ(each.refused.has_value(), !is_mute) << to_string(each);
    }
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::async
