// SPDX-License-Identifier: MIT OR BSD-3-Clause
// StunClient: when it asks, what it takes for an answer, and when it gives up.
#include "qpeer/p2p/nat/stun_client.hpp"

#include <array>
#include <expected>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::p2p {
namespace {

constexpr Instant kStart{1'000s};
constexpr auto kServer = SocketAddress::ipv4({203, 0, 113, 1}, 3478);
constexpr auto kMapped = SocketAddress::ipv4({198, 51, 100, 7}, 40'000);
using Outcome = StunResult::Outcome;

struct Asking {
  sim::SeededRandom random{1};
  StunClient client;
  Instant now = kStart;

  explicit Asking(StunClientConfig config = {}) : client(random, config) {}

  StunQuery ask(const SocketAddress& server = kServer) {
    return client.ask(now, {.local = {}, .remote = server}).value();
  }
  struct Sent {
    Path path;
    StunMessage message;
    std::vector<u8> bytes;
  };
  std::optional<Sent> poll() {
    std::array<u8, 1'500> storage{};
    TransmitBuffer out{.storage = storage};
    const auto transmit = client.poll_transmit(now, out);
    EXPECT_TRUE(client.consistent());
    if (!transmit) return std::nullopt;
    const Bytes sent = Bytes(storage).first(transmit->size);
    return Sent{.path = transmit->path,
                .message = StunMessage::decode(sent).value(),
                .bytes = {sent.begin(), sent.end()}};
  }
  bool answer(const StunMessage& message, const SocketAddress& from = kServer) {
    const bool taken = client.on_message(now, {.local = {}, .remote = from}, message);
    EXPECT_TRUE(client.consistent());
    return taken;
  }
  static StunMessage success(const StunTransactionId& id) {
    return {.message_class = StunClass::success, .transaction_id = id, .mapped_address = kMapped};
  }
  /// Lets time go on to the end of all transactions; when requests were sent, since kStart.
  std::vector<Duration> run() {
    std::vector<Duration> out;
    for (;;) {
      while (poll()) out.push_back(now - kStart);
      if (client.next_deadline() == kNever) return out;
      now = client.next_deadline();
      client.on_deadline(now);
    }
  }
};

TEST(StunClient, LearnsItsAddress) {
  Asking each;
  const StunQuery query = each.ask();
  const auto sent = each.poll();
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->path.remote, kServer);
  EXPECT_EQ(sent->message.message_class, StunClass::request);
  EXPECT_FALSE(each.poll().has_value());
  each.now += 30ms;
  auto message = Asking::success(sent->message.transaction_id);
  message.other_address = kServer.with_port(3479);
  EXPECT_TRUE(each.answer(message));
  EXPECT_EQ(each.client.poll_event(), (StunResult{.query = query,
                                                  .server = kServer,
                                                  .outcome = Outcome::answered,
                                                  .mapped_address = kMapped,
                                                  .other_address = kServer.with_port(3479),
                                                  .round_trip = 30ms}));
  EXPECT_FALSE(each.client.poll_event().has_value());
  EXPECT_EQ(each.client.next_deadline(), kNever);
}

// [rfc8489-6.2.1-1] [rfc8489-6.2.1-2] [rfc8489-6.2.1-3] [rfc8489-6.2.1-10] [rfc8489-6.2.1-11]
// [rfc8489-6.2.1-12] [rfc8489-6.2.1-4] [rfc8489-6.2.1-5]: the times are those of the RFC's example.
TEST(StunClient, AsksSevenTimesInFortySeconds) {
  Asking each;
  const StunQuery query = each.ask();
  EXPECT_EQ(each.run(),
            (std::vector<Duration>{0ms, 500ms, 1'500ms, 3'500ms, 7'500ms, 15'500ms, 31'500ms}));
  EXPECT_EQ(each.now - kStart, 39'500ms);
  EXPECT_EQ(each.client.poll_event(), (StunResult{.query = query, .server = kServer}));
}

TEST(StunClient, ForAReportItGivesUpInThreeSeconds) {
  Asking each{StunClientConfig::for_report()};
  each.ask();
  EXPECT_EQ(each.run(), (std::vector<Duration>{0ms, 100ms, 300ms, 700ms, 1'500ms}));
  EXPECT_EQ(each.now - kStart, 3s);
  EXPECT_EQ(each.client.poll_event()->outcome, Outcome::timed_out);
}

// [rfc8489-5-6]
TEST(StunClient, ARetransmissionIsTheSameRequest) {
  Asking each;
  each.ask();
  const auto first = each.poll();
  each.now += 500ms;
  each.client.on_deadline(each.now);
  EXPECT_EQ(each.poll()->bytes, first->bytes);
}

// [rfc8489-6.2.1-6] [rfc8489-6.2.1-7]
TEST(StunClient, OfARetransmissionThereIsNoRoundTrip) {
  Asking each;
  each.ask();
  const auto id = each.poll()->message.transaction_id;
  each.now += 500ms;
  each.client.on_deadline(each.now);
  each.poll();
  EXPECT_TRUE(each.answer(Asking::success(id)));
  const auto result = each.client.poll_event();
  EXPECT_EQ(result->outcome, Outcome::answered);
  EXPECT_FALSE(result->round_trip.has_value());
}

// [rfc8489-5-4] [rfc8489-5-5]
TEST(StunClient, EachTransactionHasAnIdOfItsOwn) {
  Asking each;
  std::set<StunTransactionId> ids;
  for (std::size_t i = 0; i < 10; ++i) {
    each.ask();
    ids.insert(each.poll()->message.transaction_id);
  }
  EXPECT_EQ(ids.size(), 10U);
}

TEST(StunClient, TakesAnswersOnlyFromWhomItAskedAndOnce) {
  Asking each;
  each.ask();
  const auto id = each.poll()->message.transaction_id;
  EXPECT_FALSE(each.answer(Asking::success(id), kServer.with_port(3479)));
  EXPECT_FALSE(each.answer(Asking::success(id), SocketAddress::ipv4({203, 0, 113, 2}, 3478)));
  auto other = id;
  other[11] ^= 1;
  EXPECT_FALSE(each.answer(Asking::success(other)));
  EXPECT_FALSE(each.answer({.transaction_id = id}));
  EXPECT_FALSE(each.answer({.message_class = StunClass::indication, .transaction_id = id}));
  EXPECT_EQ(each.client.open(), 1U);
  EXPECT_TRUE(each.answer(Asking::success(id)));
  EXPECT_FALSE(each.answer(Asking::success(id)));
}

// RFC 5780 §4.4.
TEST(StunClient, TakesAnAnswerFromElsewhereOnlyFromThere) {
  const auto other = SocketAddress::ipv4({203, 0, 113, 2}, 3479);
  const auto ask = [&](Asking& each) {
    const StunDetour detour{.change = {.host = true, .port = true}, .answers_from = other};
    EXPECT_TRUE(each.client.ask(each.now, {.local = {}, .remote = kServer}, detour).has_value());
    const auto sent = each.poll();
    EXPECT_EQ(sent->path.remote, kServer);
    EXPECT_EQ(sent->message.not_understood.size(), 1U);  // CHANGE-REQUEST.
    return sent->message.transaction_id;
  };
  const auto outcome = [](Asking& each) { return each.client.poll_event()->outcome; };
  Asking answered;
  const auto id = ask(answered);
  EXPECT_FALSE(answered.answer(Asking::success(id), other.with_port(1)));
  EXPECT_TRUE(answered.answer(Asking::success(id), other));
  const auto result = answered.client.poll_event();
  EXPECT_EQ(result->outcome, Outcome::answered);
  EXPECT_EQ(result->server, kServer);
  // A server that does not know how.
  Asking refused;
  EXPECT_TRUE(refused.answer({.message_class = StunClass::error,
                              .transaction_id = ask(refused),
                              .error_code = kStunUnknownAttribute}));
  EXPECT_EQ(outcome(refused), Outcome::refused);
  Asking ignored;
  EXPECT_TRUE(ignored.answer(Asking::success(ask(ignored))));
  EXPECT_EQ(outcome(ignored), Outcome::malformed);
}

TEST(StunClient, KnowsItsOwnRequestWhenItComesBack) {
  Asking each;
  const StunQuery query = each.ask();
  const auto sent = each.poll();
  EXPECT_EQ(each.client.sent_by_us(sent->message), query);
  auto other = sent->message;
  other.message_class = StunClass::success;
  EXPECT_FALSE(each.client.sent_by_us(other).has_value());
  other = sent->message;
  other.transaction_id[0] ^= 1;
  EXPECT_FALSE(each.client.sent_by_us(other).has_value());
  each.client.cancel(query);
  EXPECT_FALSE(each.client.sent_by_us(sent->message).has_value());
}

TEST(StunClient, BeforeItHasAskedNothingIsAnAnswer) {
  Asking each;
  sim::SeededRandom same{1};
  StunTransactionId id{};
  same.fill_public(id);
  each.ask();
  EXPECT_FALSE(each.answer(Asking::success(id)));
  EXPECT_EQ(each.poll()->message.transaction_id, id);
}

// Also one that another try, or another server, may help. [rfc8489-6.3.4-1] [rfc8489-6.3.4-2]
// [rfc8489-6.3.4-3] [rfc8489-10-9] [rfc8489-14.8-8]
TEST(StunClient, AnErrorEndsTheTransaction) {
  for (const std::uint16_t code : {300, 400, 420, 500}) {
    Asking each;
    each.ask();
    const auto id = each.poll()->message.transaction_id;
    EXPECT_TRUE(
        each.answer({.message_class = StunClass::error, .transaction_id = id, .error_code = code}));
    const auto result = each.client.poll_event();
    EXPECT_EQ(result->outcome, Outcome::refused);
    EXPECT_EQ(result->error_code, code);
    EXPECT_TRUE(each.run().empty());
  }
}

TEST(StunClient, AnAnswerThatIsIncompleteOrNotUnderstoodIsAFailure) {
  const auto outcome = [](auto&& change) {
    Asking each;
    each.ask();
    auto message = Asking::success(each.poll()->message.transaction_id);
    change(message);
    EXPECT_TRUE(each.answer(message));
    return each.client.poll_event()->outcome;
  };
  EXPECT_EQ(outcome([](StunMessage& m) { m.mapped_address.reset(); }), Outcome::malformed);
  EXPECT_EQ(outcome([](StunMessage& m) { m.not_understood.push_back(0x7fff); }),
            Outcome::malformed);
  EXPECT_EQ(outcome([](StunMessage& m) { m.message_class = StunClass::error; }),
            Outcome::malformed);
}

// [rfc8489-6.2-2]
TEST(StunClient, FewTransactionsAreOpenAtOnce) {
  Asking each;
  for (std::size_t i = 0; i < StunClient::kMaxOfServer; ++i) each.ask();
  EXPECT_EQ(each.client.ask(each.now, {.local = {}, .remote = kServer}),
            std::unexpected(StunQueryError::too_many));
  for (std::size_t i = StunClient::kMaxOfServer; i < StunClient::kMaxTransactions; ++i) {
    each.ask(kServer.with_port(static_cast<std::uint16_t>(4'000 + i)));
  }
  EXPECT_EQ(each.client.ask(each.now, {.local = {}, .remote = kServer.with_port(9)}),
            std::unexpected(StunQueryError::too_many));
  each.client.cancel(1);
  each.ask(kServer.with_port(9));
}

TEST(StunClient, AsksNobodyWhoCannotBeAsked) {
  Asking each;
  for (const auto& bad :
       {SocketAddress{}, kServer.with_port(0), SocketAddress::ipv4({0, 0, 0, 0}, 3478),
        SocketAddress::ipv4({224, 0, 0, 1}, 3478), SocketAddress::ipv6({0xff, 2, 1}, 3478)}) {
    EXPECT_EQ(each.client.ask(each.now, {.local = {}, .remote = bad}),
              std::unexpected(StunQueryError::bad_address));
  }
}

TEST(StunClient, WhatWasCancelledHasNoResult) {
  Asking each;
  const StunQuery query = each.ask();
  const auto id = each.poll()->message.transaction_id;
  each.client.cancel(query);
  EXPECT_FALSE(each.answer(Asking::success(id)));
  EXPECT_TRUE(each.run().empty());
  EXPECT_FALSE(each.client.poll_event().has_value());
}

}  // namespace
}  // namespace qpeer::p2p
