// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The guard of dial-backs: where they may go, and how many there may be.
#include "qpeer/p2p/dial_back_guard.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

SocketAddress at(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(SocketAddress{});
}

struct Question {
  std::string_view observed;
  std::vector<std::string_view> advertised;
  DialBackTarget policy = DialBackTarget::observed_host;
  bool we_are_public = false;
  std::vector<std::string_view> own{};
};

/// The target as text; "none" when there is none.
std::string chosen(const Question& question) {
  std::vector<SocketAddress> advertised;
  for (const auto text : question.advertised) advertised.push_back(at(text));
  std::vector<SocketAddress> own;
  for (const auto text : question.own) own.push_back(at(text));
  const auto target = choose_target(at(question.observed), advertised, question.policy,
                                    question.we_are_public, own);
  return target ? target->to_string() : "none";
}

constexpr auto kAny = DialBackTarget::any;

TEST(ChooseTarget, AWildcardIsTheHostThatWeSee) {
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"0.0.0.0:443"}}), "5.6.7.8:443");
  EXPECT_EQ(chosen({"[2a01::5]:40000", {"[::]:443"}}), "[2a01::5]:443");
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"[::]:6", "0.0.0.0:4"}}), "5.6.7.8:4") << "its own family";
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"[::]:6"}}), "5.6.7.8:6") << "or the other";
  EXPECT_EQ(chosen({"5.6.7.8:40000", {}}), "none") << "who advertises nothing is not dialled";
}

TEST(ChooseTarget, TheFirstThatIsAllowed) {
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"9.9.9.9:1", "5.6.7.8:2", "5.6.7.8:3"}}), "5.6.7.8:2");
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"9.9.9.9:1", "5.6.7.8:2"}, kAny}), "9.9.9.9:1");
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"10.0.0.1:1", "[2a01::5]:2"}, kAny}), "[2a01::5]:2");
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"9.9.9.9:1"}}), "none") << "only the host that we see";
}

TEST(ChooseTarget, NeverWhatNamesNoSingleHost) {
  for (const auto* address :
       {"224.0.0.1:443", "239.1.1.1:443", "255.255.255.255:443", "240.0.0.1:443", "0.1.2.3:443",
        "192.0.2.1:443", "198.51.100.1:443", "203.0.113.1:443", "198.18.0.1:443", "[ff02::1]:443",
        "[ff0e::1]:443", "[2001:db8::1]:443", "[2002:7f00:1::]:443", "[::2]:443",
        "[64:ff9b::127.0.0.1]:443", "5.6.7.8:0"}) {
    for (const auto* observed : {"5.6.7.8:40000", "192.168.1.5:40000", "127.0.0.1:40000"}) {
      EXPECT_EQ(chosen({observed, {address}, kAny}), "none") << observed << " -> " << address;
    }
    // Nor is anything dialled for one who seems to be there, as on a broken network.
    EXPECT_EQ(chosen({address, {address}}), "none") << address;
    if (address == std::string_view("5.6.7.8:0")) continue;  // A host after all.
    EXPECT_EQ(chosen({address, {"192.168.1.1:443", "5.6.7.8:443"}, kAny}), "none") << address;
  }
  EXPECT_EQ(choose_target({}, std::array{at("0.0.0.0:443")}, kAny, false), std::nullopt);
  EXPECT_EQ(choose_target(at("5.6.7.8:1"), std::array{SocketAddress{}}, kAny, false), std::nullopt);
}

TEST(ChooseTarget, APublicPeerCannotDirectUsToAPrivateAddress) {
  for (const auto* inside : {"10.0.0.1:443", "172.16.5.5:443", "192.168.1.1:443", "100.64.0.1:443",
                             "127.0.0.1:443", "169.254.169.254:80", "[::1]:443", "[fe80::1]:443",
                             "[fd00::1]:443", "[::ffff:192.168.1.1]:443"}) {
    EXPECT_EQ(chosen({"5.6.7.8:40000", {inside}, kAny}), "none") << inside;
    EXPECT_EQ(chosen({"[2a01::5]:40000", {inside}, kAny}), "none") << inside;
  }
}

TEST(ChooseTarget, APeerInTheLocalNetworkIsDialledThere) {
  EXPECT_EQ(chosen({"192.168.1.5:40000", {"0.0.0.0:443"}}), "192.168.1.5:443");
  EXPECT_EQ(chosen({"192.168.1.5:40000", {"192.168.1.6:443"}, kAny}), "192.168.1.6:443");
  EXPECT_EQ(chosen({"192.168.1.5:40000", {"5.6.7.8:443"}, kAny}), "none") << "nor out of it";
  EXPECT_EQ(chosen({"192.168.1.5:40000", {"127.0.0.1:22"}, kAny}), "none") << "not our loopback";
  EXPECT_EQ(chosen({"192.168.1.5:40000", {"169.254.169.254:80"}, kAny}), "none");
  EXPECT_EQ(chosen({"[fe80::5]:40000", {"[fe80::6]:443"}, kAny}), "[fe80::6]:443");
  EXPECT_EQ(chosen({"127.0.0.1:40000", {"0.0.0.0:443"}}), "127.0.0.1:443");
  EXPECT_EQ(chosen({"127.0.0.1:40000", {"192.168.1.5:443"}, kAny}), "192.168.1.5:443");
}

TEST(ChooseTarget, APublicNodeDialsPublicAddressesOnly) {
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"0.0.0.0:443"}, kAny, true}), "5.6.7.8:443");
  EXPECT_EQ(chosen({"192.168.1.5:40000", {"0.0.0.0:443"}, kAny, true}), "none");
  EXPECT_EQ(chosen({"127.0.0.1:40000", {"0.0.0.0:443"}, kAny, true}), "none");
}

TEST(ChooseTarget, NeverOurselves) {
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"0.0.0.0:443"}, kAny, true, {"5.6.7.8:443"}}), "none");
  EXPECT_EQ(chosen({"5.6.7.8:40000", {"0.0.0.0:443"}, kAny, true, {"5.6.7.8:444"}}), "5.6.7.8:443")
      << "another behind our address";
  EXPECT_EQ(chosen({"5.6.7.8:4", {"9.9.9.9:443", "5.6.7.8:1"}, kAny, true, {"9.9.9.9:443"}}),
            "5.6.7.8:1");
  EXPECT_EQ(chosen({"127.0.0.1:40000", {"0.0.0.0:443"}, kAny, false, {"0.0.0.0:443"}}), "none");
  EXPECT_EQ(chosen({"127.0.0.1:40000", {"0.0.0.0:443"}, kAny, false, {"[::]:443"}}), "none");
  EXPECT_EQ(chosen({"127.0.0.1:40000", {"0.0.0.0:444"}, kAny, false, {"0.0.0.0:443"}}),
            "127.0.0.1:444");
}

// Whatever is advertised, the target obeys the rules.
TEST(ChooseTarget, HoldsItsRulesForAnyInput) {
  std::mt19937_64 random{4'711};
  constexpr std::array<std::string_view, 17> kHosts{
      "5.6.7.8",   "9.9.9.9",         "10.0.0.1",  "192.168.1.5", "127.0.0.1",    "169.254.1.1",
      "224.0.0.1", "255.255.255.255", "0.0.0.0",   "192.0.2.1",   "[::]",         "[::1]",
      "[fe80::1]", "[fd00::1]",       "[2a01::5]", "[ff02::1]",   "[2001:db8::1]"};
  const auto any_address = [&] {
    const std::string host(kHosts[random() % kHosts.size()]);
    return at(host + ":" + std::to_string(random() % 3));
  };
  std::size_t found = 0;
  for (int round = 0; round < 50'000; ++round) {
    const auto observed = any_address();
    const std::vector<SocketAddress> advertised{any_address(), any_address(), any_address()};
    const std::vector<SocketAddress> own{any_address()};
    const auto policy = random() % 2 == 0 ? DialBackTarget::any : DialBackTarget::observed_host;
    const bool we_are_public = random() % 2 == 0;
    const auto target = choose_target(observed, advertised, policy, we_are_public, own);
    if (!target) continue;
    ++found;
    ASSERT_TRUE(is_dialable(*target)) << target->to_string();
    ASSERT_NE(*target, own[0]);
    ASSERT_TRUE(policy == DialBackTarget::any || target->same_host(observed));
    ASSERT_EQ(is_global(*target), is_global(observed));
    ASSERT_TRUE(is_global(*target) || !we_are_public);
    ASSERT_GE(scope_of(*target), scope_of(observed));
  }
  EXPECT_GT(found, 2'000U);
}

// --- the limiter ---------------------------------------------------------------------------------

constexpr Instant kStart{1'000s};

/// An address of the nth /24, or the nth /48.
SocketAddress of_prefix(std::uint32_t n, u8 host = 1) {
  return SocketAddress::ipv4(
      {static_cast<u8>(20 + (n >> 16)), static_cast<u8>(n >> 8), static_cast<u8>(n), host}, 443);
}
SocketAddress of_prefix6(u8 n, u8 host) {
  return SocketAddress::ipv6({0x2a, 1, 0, 0, 0, n, host, 0, 0, 0, 0, 0, 0, 0, 0, host}, 443);
}

TEST(DialBackLimiter, APrefixHasFewInFlight) {
  DialBackLimiter limiter;
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1, 1), 1), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1, 2), 2), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1, 3), 3), Admission::wait);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2, 1), 4), Admission::admitted) << "another prefix";
  EXPECT_EQ(limiter.next_start(), kNever) << "only a release helps";
  EXPECT_EQ(limiter.poll_start(kStart + 1h), std::nullopt);
  limiter.release(1);
  EXPECT_LE(limiter.next_start(), kStart);
  EXPECT_EQ(limiter.poll_start(kStart), 3U);
  EXPECT_EQ(limiter.poll_start(kStart), std::nullopt);
  EXPECT_EQ(limiter.in_flight(), 3U);
  EXPECT_EQ(limiter.queued(), 0U);
}

TEST(DialBackLimiter, PrefixesOfIpv6AreLarger) {
  DialBackLimiter limiter;
  EXPECT_EQ(limiter.admit(kStart, of_prefix6(1, 1), 1), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix6(1, 2), 2), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix6(1, 3), 3), Admission::wait) << "one /48";
  EXPECT_EQ(limiter.admit(kStart, of_prefix6(2, 1), 4), Admission::admitted) << "another";
}

TEST(DialBackLimiter, APrefixStartsOneASecondAfterItsBurst) {
  DialBackLimiter limiter;
  Instant now = kStart;
  for (DialBackLimiter::Key key = 0; key < 4; ++key) {
    EXPECT_EQ(limiter.admit(now, of_prefix(1), key), Admission::admitted) << key;
    limiter.release(key);
  }
  EXPECT_EQ(limiter.admit(now, of_prefix(1), 4), Admission::wait);
  EXPECT_EQ(limiter.admit(now, of_prefix(1), 5), Admission::wait);
  EXPECT_EQ(limiter.admit(now, of_prefix(2), 6), Admission::admitted) << "nobody waits for it";
  EXPECT_EQ(limiter.next_start(), now + 1s);
  EXPECT_EQ(limiter.poll_start(now + 1s - 1ns), std::nullopt);
  now += 1s;
  EXPECT_EQ(limiter.poll_start(now), 4U);
  limiter.release(4);
  EXPECT_EQ(limiter.poll_start(now), std::nullopt);
  EXPECT_EQ(limiter.next_start(), now + 1s);
  EXPECT_EQ(limiter.poll_start(now + 1s), 5U);
  limiter.release(5);
  // After a long rest the burst is there again, and no more than it.
  now += 1h;
  for (DialBackLimiter::Key key = 10; key < 14; ++key) {
    EXPECT_EQ(limiter.admit(now, of_prefix(1), key), Admission::admitted) << key;
    limiter.release(key);
  }
  EXPECT_EQ(limiter.admit(now, of_prefix(1), 14), Admission::wait);
}

TEST(DialBackLimiter, AllTogetherAreBounded) {
  DialBackLimiter limiter;
  DialBackLimiter::Key key = 0;
  for (; key < 32; ++key) {
    ASSERT_EQ(limiter.admit(kStart, of_prefix(static_cast<std::uint32_t>(key)), key),
              Admission::admitted);
  }
  for (; key < 32 + 256; ++key) {
    ASSERT_EQ(limiter.admit(kStart, of_prefix(static_cast<std::uint32_t>(key)), key),
              Admission::wait);
  }
  const std::size_t known = limiter.prefixes();
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1'000), key), Admission::full);
  EXPECT_EQ(limiter.prefixes(), known) << "nothing is kept of it";
  EXPECT_EQ(limiter.next_start(), kNever);
  limiter.release(7);
  EXPECT_EQ(limiter.poll_start(kStart), 32U) << "the first that waited";
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1'000), key), Admission::wait);
}

TEST(DialBackLimiter, APrefixCannotFillTheQueue) {
  DialBackLimiter limiter;
  std::size_t waiting = 0;
  for (DialBackLimiter::Key key = 0; key < 100; ++key) {
    if (limiter.admit(kStart, of_prefix(1), key) == Admission::wait) ++waiting;
  }
  EXPECT_EQ(waiting, DialBackLimiterConfig{}.max_queued_of_prefix);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2), 1'000), Admission::admitted);
}

TEST(DialBackLimiter, NewRequestsDoNotOvertakeWaitingOnes) {
  DialBackLimiter limiter({.max_in_flight = 1});
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1), 1), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2), 2), Admission::wait);
  limiter.release(1);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(3), 3), Admission::wait);
  EXPECT_EQ(limiter.poll_start(kStart), 2U);
  EXPECT_EQ(limiter.poll_start(kStart), std::nullopt);
  limiter.release(2);
  EXPECT_EQ(limiter.poll_start(kStart), 3U);
}

TEST(DialBackLimiter, AKeyHasOneDialBack) {
  DialBackLimiter limiter;
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1), 1), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2), 1), Admission::full);
  limiter.release(1);
  limiter.release(1);
  limiter.release(99);
  EXPECT_EQ(limiter.in_flight(), 0U);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2), 1), Admission::admitted);
}

TEST(DialBackLimiter, WhatWaitsCanBeWithdrawn) {
  DialBackLimiter limiter({.max_in_flight = 1});
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1), 1), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2), 2), Admission::wait);
  EXPECT_EQ(limiter.admit(kStart, of_prefix(3), 3), Admission::wait);
  EXPECT_EQ(limiter.prefixes(), 3U);
  limiter.release(2);
  EXPECT_EQ(limiter.prefixes(), 2U) << "it never started, so nothing is to be remembered";
  limiter.release(1);
  EXPECT_EQ(limiter.poll_start(kStart), 3U);
}

TEST(DialBackLimiter, ForgettingAPrefixGivesItNothing) {
  DialBackLimiter limiter({.max_prefixes = 8});
  DialBackLimiter::Key key = 0;
  const auto spend = [&](Instant now, std::uint32_t prefix) {
    std::size_t started = 0;
    while (limiter.admit(now, of_prefix(prefix), ++key) == Admission::admitted) {
      limiter.release(key);
      ++started;
    }
    limiter.release(key);
    return started;
  };
  EXPECT_EQ(spend(kStart, 1), 4U);
  // Others push: the table fills, and then who is new is refused rather than 1 forgotten.
  for (std::uint32_t other = 2; other < 9; ++other) EXPECT_EQ(spend(kStart, other), 4U);
  EXPECT_EQ(limiter.prefixes(), 8U);
  for (std::uint32_t other = 100; other < 200; ++other) EXPECT_EQ(spend(kStart, other), 0U);
  EXPECT_EQ(spend(kStart, 1), 0U) << "its bucket is as empty as before";
  EXPECT_EQ(spend(kStart + 1s, 1), 1U);
  // When the buckets are full again there is room.
  EXPECT_EQ(spend(kStart + 4s, 100), 4U);
  EXPECT_EQ(limiter.prefixes(), 2U) << "1, which spent later, and the new one";
  EXPECT_EQ(spend(kStart + 4s, 1), 3U) << "and it did not get more by it";
}

TEST(DialBackLimiter, RoomComesBackByItself) {
  DialBackLimiter limiter({.max_prefixes = 1});
  EXPECT_EQ(limiter.admit(kStart, of_prefix(1), 1), Admission::admitted);
  EXPECT_EQ(limiter.admit(kStart + 1h, of_prefix(2), 2), Admission::full) << "1 is in flight";
  limiter.release(1);
  EXPECT_EQ(limiter.admit(kStart + 1h, of_prefix(2), 2), Admission::admitted);
  limiter.release(2);
  EXPECT_EQ(limiter.admit(kStart + 1h, of_prefix(3), 3), Admission::full) << "2 lacks a token";
  EXPECT_EQ(limiter.admit(kStart + 1h + 1s - 1ns, of_prefix(3), 3), Admission::full);
  EXPECT_EQ(limiter.admit(kStart + 1h + 1s, of_prefix(3), 3), Admission::admitted);
}

TEST(DialBackLimiter, EachPrefixIsForgottenInItsTime) {
  DialBackLimiter limiter({.max_prefixes = 2});
  for (const DialBackLimiter::Key key : {1U, 2U}) {
    EXPECT_EQ(limiter.admit(kStart, of_prefix(1), key), Admission::admitted);
    limiter.release(key);
  }
  EXPECT_EQ(limiter.admit(kStart, of_prefix(2), 3), Admission::admitted);
  limiter.release(3);
  EXPECT_EQ(limiter.admit(kStart + 1s, of_prefix(3), 4), Admission::admitted) << "2 is forgotten";
  EXPECT_EQ(limiter.admit(kStart + 1s, of_prefix(4), 5), Admission::full);
  EXPECT_EQ(limiter.admit(kStart + 2s, of_prefix(4), 5), Admission::admitted) << "1 is, too";
}

// Random requests: whatever they are, no bound breaks, no prefix is faster than its rate, and what
// was queued starts in the end.
TEST(DialBackLimiter, HoldsItsBoundsUnderRandomRequests) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random{seed};
    const DialBackLimiterConfig config{
        .max_in_flight = 6, .max_queued = 20, .max_queued_of_prefix = 5, .max_prefixes = 16};
    DialBackLimiter limiter(config);
    Instant now = kStart;
    std::map<DialBackLimiter::Key, std::uint32_t> flying;
    std::map<DialBackLimiter::Key, std::uint32_t> waiting;
    std::map<std::uint32_t, std::vector<Instant>> starts;
    DialBackLimiter::Key key = 0;
    const auto started = [&](DialBackLimiter::Key which, std::uint32_t prefix) {
      flying[which] = prefix;
      starts[prefix].push_back(now);
    };
    const auto poll = [&] {
      while (const auto which = limiter.poll_start(now)) {
        ASSERT_TRUE(waiting.contains(*which));
        started(*which, waiting[*which]);
        waiting.erase(*which);
      }
    };
    for (int step = 0; step < 4'000; ++step) {
      const auto prefix = static_cast<std::uint32_t>(random() % 24);
      const auto admission = limiter.admit(now, of_prefix(prefix), ++key);
      if (admission == Admission::admitted) started(key, prefix);
      if (admission == Admission::wait) waiting[key] = prefix;
      if (random() % 2 == 0 && !flying.empty()) {
        limiter.release(flying.begin()->first);
        flying.erase(flying.begin());
      }
      if (random() % 16 == 0 && !waiting.empty()) {
        limiter.release(waiting.begin()->first);
        waiting.erase(waiting.begin());
      }
      now += Duration{static_cast<Duration::rep>(random() % 300'000'000)};
      poll();
      ASSERT_EQ(limiter.in_flight(), flying.size());
      ASSERT_EQ(limiter.queued(), waiting.size());
      ASSERT_LE(flying.size(), config.max_in_flight);
      ASSERT_LE(waiting.size(), config.max_queued);
      ASSERT_LE(limiter.prefixes(), config.max_prefixes);
      std::map<std::uint32_t, std::size_t> of_each;
      for (const auto& [which, its] : flying) ASSERT_LE(++of_each[its], 2U);
    }
    for (const auto& [prefix, times] : starts) {
      for (std::size_t i = 4; i < times.size(); ++i) {
        // 5 starts cannot lie within less than what one token takes.
        ASSERT_GE(times[i] - times[i - 4], 1s) << "prefix " << prefix << ", seed " << seed;
      }
    }
    // What waits starts in the end, at the times that next_start() tells.
    for (int rounds = 0; !waiting.empty(); ++rounds) {
      ASSERT_LT(rounds, 1'000);
      for (const auto& [which, its] : flying) limiter.release(which);
      flying.clear();
      ASSERT_NE(limiter.next_start(), kNever);
      now = std::max(now, limiter.next_start());
      const std::size_t before = waiting.size();
      poll();
      ASSERT_LT(waiting.size(), before);
    }
  }
}

}  // namespace
}  // namespace qpeer::p2p
