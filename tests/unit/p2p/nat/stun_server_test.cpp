// SPDX-License-Identifier: MIT OR BSD-3-Clause
// StunServer: answers requests and nothing else, and few of them.
#include "qpeer/p2p/nat/stun_server.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace qpeer::p2p {
namespace {

constexpr Instant kStart{1'000s};
constexpr auto kServer = SocketAddress::ipv4({203, 0, 113, 1}, 4433);

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

std::vector<u8> encoded(const StunMessage& message) {
  std::vector<u8> out(kMaxStunSize);
  Writer writer{out};
  message.encode(writer);
  out.resize(writer.size());
  return out;
}

struct Answering {
  StunServer server;
  Instant now = kStart;

  explicit Answering(StunServerConfig config = {}) : server(config) {}

  void receive(const SocketAddress& from, Bytes bytes) {
    std::vector<u8> datagram(bytes.begin(), bytes.end());
    server.on_datagram(now, {.path = {.local = kServer, .remote = from}, .payload = datagram});
    EXPECT_TRUE(server.consistent());
  }
  void ask(const SocketAddress& from) { receive(from, encoded({.transaction_id = {1, 2, 3}})); }

  struct Sent {
    Path path;
    StunMessage message;
    std::size_t size = 0;
  };
  std::optional<Sent> poll() {
    std::array<u8, 1'500> storage{};
    TransmitBuffer out{.storage = storage};
    const auto transmit = server.poll_transmit(now, out);
    if (!transmit) return std::nullopt;
    EXPECT_EQ(transmit->size, transmit->segment_size);
    const auto message = StunMessage::decode(Bytes(storage).first(transmit->size));
    EXPECT_TRUE(message.has_value());
    return Sent{.path = transmit->path, .message = message.value(), .size = transmit->size};
  }
  std::size_t count() {
    std::size_t out = 0;
    while (poll()) ++out;
    return out;
  }
};

// [rfc8489-12-1] [rfc8489-5-7] [rfc8489-12-2] [rfc8489-12-3]
TEST(StunServer, TellsWhoAsksWhereItIsSeen) {
  Answering each;
  for (const auto& [from, size] :
       {std::pair{at("198.51.100.7:40000"), 40U}, std::pair{at("[2001:db8::7]:50000"), 52U}}) {
    each.ask(from);
    const auto sent = each.poll();
    ASSERT_TRUE(sent.has_value());
    EXPECT_EQ(sent->path, (Path{.local = kServer, .remote = from}));
    EXPECT_EQ(sent->message, (StunMessage{.message_class = StunClass::success,
                                          .transaction_id = {1, 2, 3},
                                          .mapped_address = from}));
    EXPECT_EQ(sent->size, size);
    EXPECT_FALSE(each.poll().has_value());
  }
  EXPECT_EQ(each.server.stats().answers, 2U);
}

// [rfc8489-6.3.1-1] [rfc8489-6.3.1-2]
TEST(StunServer, AnswersARetransmissionAlike) {
  Answering each;
  each.ask(at("198.51.100.7:40000"));
  const auto first = each.poll();
  each.ask(at("198.51.100.7:40000"));
  EXPECT_EQ(each.poll()->message, first->message);
}

// [rfc8489-6.3.1.1-1] [rfc8489-6.3.1.1-2] [rfc8489-6.3.1.1-3] [rfc8489-14.8-10]
TEST(StunServer, NamesWhatItDoesNotUnderstand) {
  Answering each;
  auto request = encoded({.transaction_id = {4}});
  request.resize(kStunHeaderSize);  // Without FINGERPRINT [rfc8489-12-6].
  request.insert(request.end(), {0, 3, 0, 4, 0, 0, 0, 6, 0, 0x25, 0, 0});
  request[3] = 12;
  each.receive(at("198.51.100.7:40000"), request);
  const auto sent = each.poll();
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->message.message_class, StunClass::error);
  EXPECT_EQ(sent->message.transaction_id, (StunTransactionId{4}));
  EXPECT_EQ(sent->message.error_code, kStunUnknownAttribute);
  ASSERT_EQ(sent->message.unknown_attributes.size(), 2U);
  EXPECT_EQ(sent->message.unknown_attributes[0], 0x0003);
  EXPECT_EQ(sent->message.unknown_attributes[1], 0x0025);
}

TEST(StunServer, AnErrorIsNoAmplifier) {
  Answering each;
  std::vector<u8> request = encoded({});
  request.resize(kStunHeaderSize);
  for (u8 unknown = 1; unknown <= 40; ++unknown) {
    request.insert(request.end(), {0x40, unknown, 0, 0});
    request[3] = static_cast<u8>(4 * unknown);
    each.receive(SocketAddress::ipv4({10, 0, unknown, 1}, 1), request);
    const auto sent = each.poll();
    ASSERT_TRUE(sent.has_value());
    EXPECT_LE(10 * sent->size, 26 * request.size()) << unknown;
  }
}

TEST(StunServer, AnswersNoResponseAndNoIndication) {
  Answering each;
  const auto from = at("198.51.100.7:40000");
  each.receive(from,
               encoded({.message_class = StunClass::indication, .knock_token = KnockToken{}}));
  each.receive(from, encoded({.message_class = StunClass::success, .mapped_address = from}));
  each.receive(from, encoded({.message_class = StunClass::error, .error_code = kStunBadRequest}));
  const auto request = encoded({});
  each.receive(from, Bytes(request).first(27));
  each.receive(from, {});
  EXPECT_FALSE(each.poll().has_value());
  EXPECT_EQ(each.server.stats().requests, 0U);
}

TEST(StunServer, OfOneSiteFewAreAnsweredInAnySecond) {
  Answering each;
  std::vector<Instant> answers;
  for (int i = 0; i < 50'000; ++i) {  // 5 s of 10,000 a second, from all hosts of a /24.
    each.ask(SocketAddress::ipv4({198, 51, 100, static_cast<u8>(i)}, 40'000));
    for (std::size_t left = each.count(); left > 0; --left) answers.push_back(each.now);
    each.now += 100us;
  }
  for (std::size_t i = 20; i < answers.size(); ++i) {
    EXPECT_GT(answers[i] - answers[i - 20], 1s - 100us) << i;
  }
  EXPECT_GE(answers.size(), 75U);
  EXPECT_EQ(each.server.stats().answers + each.server.stats().rate_limited, 50'000U);
  // Others are answered meanwhile.
  each.ask(at("192.0.2.9:1"));
  EXPECT_EQ(each.count(), 1U);
}

TEST(StunServer, OfOneIpv6SiteToo) {
  Answering each;
  for (u8 i = 0; i < 100; ++i) {
    each.ask(SocketAddress::ipv6({0x2a, 1, 2, 3, 4, 5, i, i}, 40'000));
  }
  EXPECT_EQ(each.count(), 5U);
}

TEST(StunServer, InAllAThousandAreAnsweredInAnySecond) {
  Answering each;
  std::vector<Instant> answers;
  for (int i = 0; i < 300'000; ++i) {  // 3 s of 100,000 a second, from addresses that are made up.
    each.ask(SocketAddress::ipv4(
        {static_cast<u8>(1 + i % 200), static_cast<u8>(i >> 8), static_cast<u8>(i * 7), 1},
        40'000));
    for (std::size_t left = each.count(); left > 0; --left) answers.push_back(each.now);
    each.now += 10us;
  }
  for (std::size_t i = 1'000; i < answers.size(); ++i) {
    ASSERT_GT(answers[i] - answers[i - 1'000], 1s - 10us) << i;
  }
  EXPECT_GE(answers.size(), 2'400U);
}

TEST(StunServer, LimitsMayBeAsSmallAsNothing) {
  for (const auto& [limit, answers] : {std::pair{0U, 0U}, {1U, 10U}, {2U, 10U}, {3U, 20U}}) {
    for (const bool of_site : {true, false}) {
      Answering each{of_site ? StunServerConfig{.per_second_of_site = limit}
                             : StunServerConfig{.per_second = limit}};
      std::size_t count = 0;
      for (int i = 0; i < 1'000; ++i) {
        each.ask(at("198.51.100.7:40000"));
        count += each.count();
        each.now += 10ms;
      }
      EXPECT_EQ(count, answers) << limit;
    }
  }
}

TEST(StunServer, AnswersThatNobodySendsAreBounded) {
  Answering each{{.per_second = 1'000'000, .per_second_of_site = 1'000'000}};
  for (int i = 0; i < 1'000; ++i) each.ask(at("198.51.100.7:40000"));
  EXPECT_EQ(each.count(), StunServer::kMaxPending);
}

}  // namespace
}  // namespace qpeer::p2p
