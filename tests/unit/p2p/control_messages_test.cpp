// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Control messages: what encodes decodes to the same, and nothing else decodes.
#include "qpeer/p2p/control_messages.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "qpeer/tests/unit/p2p/encoded_control.hpp"

namespace qpeer::p2p {
namespace {

using Octets = std::vector<u8>;

constexpr auto kFour = SocketAddress::ipv4({5, 6, 7, 8}, 443);
constexpr auto kSix = SocketAddress::ipv6({0x2a, 1, 2, 3}, 4433);

Nonce nonce(u8 seed) {
  Nonce out{};
  out.fill(seed);
  return out;
}

PeerId peer(u8 seed) {
  std::array<u8, PeerId::kSize> out{};
  out.fill(seed);
  return PeerId(out);
}

Introduction introduction() {
  Introduction out{
      .role = Role::node, .purpose = Purpose::probe, .nonce = nonce(7), .max_message_size = 5'000};
  out.instance = 0x0102'0304'0506'0708;
  out.advertised.push_back(kFour);
  out.advertised.push_back(kSix);
  out.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, 443));
  out.advertised.push_back(SocketAddress::ipv6({}, 443));
  return out;
}

Peers full_peers() {
  Peers out;
  for (u8 i = 1; i <= kMaxPeers; ++i) {
    out.peers.push_back({.id = peer(i), .address = kSix.with_port(i)});
  }
  return out;
}

Receipts full_receipts() {
  Receipts out;
  for (std::size_t i = 0; i < kMaxReceipts; ++i) out.streams.push_back({kMaxVarint - i});
  return out;
}

template <class Message>
Octets body_of(const Message& message) {
  const Octets all = encoded(message);
  return {all.end() - static_cast<std::ptrdiff_t>(message.body_size()), all.end()};
}

template <class Message>
std::optional<Message> decoded(const Octets& body) {
  Reader in{body};
  const auto message = decode_control(Message::kType, in);
  EXPECT_EQ(message.has_value(), in.ok());
  if (!message) return std::nullopt;
  EXPECT_TRUE(in.empty());
  return std::get<Message>(*message);
}

template <class Message>
void expect_round_trip(const Message& message) {
  EXPECT_EQ(decoded<Message>(body_of(message)), message);
}

template <class Message>
void expect_no_truncation_and_no_tail(const Message& message) {
  const Octets body = body_of(message);
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    EXPECT_FALSE(decoded<Message>({body.begin(), body.begin() + static_cast<std::ptrdiff_t>(cut)}))
        << "accepted a body cut to " << cut << " bytes";
  }
  Octets longer = body;
  longer.push_back(0);
  EXPECT_FALSE(decoded<Message>(longer)) << "accepted a byte after the last";
}

TEST(ControlMessages, WhatEncodesDecodesToTheSame) {
  expect_round_trip(Introduction{});
  expect_round_trip(Introduction{.minor = 0});
  expect_round_trip(introduction());
  expect_round_trip(Proof{.nonce = nonce(9)});
  for (u8 verdict = 0; verdict <= 6; ++verdict) {
    expect_round_trip(VerdictMessage{.verdict = Verdict{verdict}});
    expect_round_trip(VerdictMessage{.verdict = Verdict{verdict}, .address = kSix});
    for (const bool by_strangers : {false, true}) {
      expect_round_trip(VerdictMessage{
          .verdict = Verdict{verdict}, .address = kFour, .by_strangers = by_strangers});
    }
  }
  for (const std::uint64_t max : {std::uint64_t{0}, std::uint64_t{32}, kMaxVarint}) {
    expect_round_trip(PeersRequest{.max = max});
  }
  expect_round_trip(Peers{});
  expect_round_trip(full_peers());
  EXPECT_LE(full_peers().body_size(), kMaxControlBody);
  expect_round_trip(KeySharedNotice{.address = kFour});
  expect_round_trip(KeySharedNotice{.address = kSix});
  expect_round_trip(KnockMe{});
  expect_round_trip(Knock{.token = nonce(3), .address = kFour});
  expect_round_trip(Knock{.token = nonce(4), .address = kSix});
  expect_round_trip(Knocked{.token = nonce(5), .source = kSix});
  for (u8 status = 0; status <= 2; ++status) {
    expect_round_trip(KnockSent{.token = nonce(6), .status = KnockStatus{status}});
  }
  expect_round_trip(Receipts{});
  expect_round_trip(full_receipts());
  EXPECT_LE(full_receipts().body_size(), kMaxControlBody);
}

TEST(ControlMessages, DecodeFailsOnEveryTruncationAndOnATail) {
  expect_no_truncation_and_no_tail(introduction());
  expect_no_truncation_and_no_tail(Proof{.nonce = nonce(9)});
  expect_no_truncation_and_no_tail(PeersRequest{.max = 70'000});
  expect_no_truncation_and_no_tail(full_peers());
  expect_no_truncation_and_no_tail(full_receipts());
  expect_no_truncation_and_no_tail(KeySharedNotice{.address = kSix});
  expect_no_truncation_and_no_tail(KnockMe{});
  expect_no_truncation_and_no_tail(Knock{.token = nonce(3), .address = kFour});
  expect_no_truncation_and_no_tail(Knocked{.token = nonce(3), .source = kSix});
  expect_no_truncation_and_no_tail(KnockSent{.token = nonce(3)});
  // A verdict may end after its first byte, but not within the address.
  const Octets verdict = body_of(VerdictMessage{.address = kFour});
  EXPECT_TRUE(decoded<VerdictMessage>({verdict[0]}));
  EXPECT_FALSE(decoded<VerdictMessage>({}));
  for (std::size_t cut = 2; cut < verdict.size(); ++cut) {
    const Octets part(verdict.begin(), verdict.begin() + static_cast<std::ptrdiff_t>(cut));
    EXPECT_FALSE(decoded<VerdictMessage>(part)) << cut;
  }
  Octets longer = verdict;
  longer.push_back(2);
  EXPECT_FALSE(decoded<VerdictMessage>(longer)) << "neither yes nor no";
  longer.back() = 1;
  EXPECT_TRUE(decoded<VerdictMessage>(longer));
  longer.push_back(0);
  EXPECT_FALSE(decoded<VerdictMessage>(longer));
}

// The layout of an introduction: major, minor, role, purpose, nonce (16), max message size, count,
// addresses, instance (8).
constexpr std::size_t kRoleAt = 2;
constexpr std::size_t kPurposeAt = 3;
constexpr std::size_t kNonceAt = 4;
constexpr std::size_t kMaxMessageSizeAt = kNonceAt + 16;  // A varint of two bytes.
constexpr std::size_t kCountAt = kMaxMessageSizeAt + 2;
constexpr std::size_t kFirstAddressAt = kCountAt + 1;

TEST(Introduction, HasTheLayoutThatIsWrittenDown) {
  const Octets body = body_of(introduction());
  EXPECT_EQ(body[0], kProtocolMajor);
  EXPECT_EQ(body[1], kProtocolMinor);
  EXPECT_EQ(body[kRoleAt], 1);
  EXPECT_EQ(body[kPurposeAt], 1);
  EXPECT_EQ(body[kNonceAt], 7);
  EXPECT_EQ(body[kMaxMessageSizeAt], 0x53);
  EXPECT_EQ(body[kMaxMessageSizeAt + 1], 0x88);
  EXPECT_EQ(body[kCountAt], 4);
  const Octets four{4, 5, 6, 7, 8, 443 >> 8, 443 & 0xff};
  EXPECT_TRUE(equal(Bytes(body).subspan(kFirstAddressAt, 7), four));
  EXPECT_EQ(body[kFirstAddressAt + 7], 6);
  const Octets instance{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_TRUE(equal(Bytes(body).last(8), instance));
}

TEST(Introduction, TellsNoInstanceInTheFirstMinor) {
  Introduction old = introduction();
  old.minor = 0;
  const Octets body = body_of(old);
  EXPECT_EQ(body.size() + 8, body_of(introduction()).size());
  const auto read = decoded<Introduction>(body);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->instance, 0U);
  Octets longer = body;
  longer.insert(longer.end(), 8, 1);
  EXPECT_FALSE(decoded<Introduction>(longer)) << "its minor has nothing there";
  const Octets with = body_of(introduction());
  EXPECT_FALSE(decoded<Introduction>({with.begin(), with.end() - 8})) << "its minor has one";
}

TEST(Introduction, RefusesWhatIsNoIntroduction) {
  const Octets good = body_of(introduction());
  const auto with = [&good](std::size_t where, u8 value) {
    Octets out = good;
    out[where] = value;
    return decoded<Introduction>(out);
  };
  ASSERT_TRUE(with(kRoleAt, 0));
  EXPECT_FALSE(with(kRoleAt, 2)) << "no such role";
  ASSERT_TRUE(with(kPurposeAt, 0));
  EXPECT_FALSE(with(kPurposeAt, 2)) << "no such purpose";
  EXPECT_FALSE(with(kFirstAddressAt, 5)) << "no such family";
  EXPECT_FALSE(with(kFirstAddressAt, 0)) << "no such family";
  EXPECT_FALSE(with(kCountAt, 3)) << "an address too many for the count";
  EXPECT_FALSE(with(kCountAt, 5)) << "more than may be";

  Introduction portless;
  portless.advertised.push_back(kFour.with_port(0));
  EXPECT_FALSE(decoded<Introduction>(body_of(portless)));
  Introduction twice;
  twice.advertised.push_back(kFour);
  twice.advertised.push_back(kFour);
  EXPECT_FALSE(decoded<Introduction>(body_of(twice)));
  Introduction other_port;
  other_port.advertised.push_back(kFour);
  other_port.advertised.push_back(kFour.with_port(444));
  EXPECT_TRUE(decoded<Introduction>(body_of(other_port)));
}

TEST(Introduction, RefusesIpv4InDisguise) {
  Octets body = body_of(Introduction{.max_message_size = 5'000});
  body[kCountAt] = 1;
  const Octets mapped{6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 5, 6, 7, 8, 1, 1};
  body.insert(body.end() - 8, mapped.begin(), mapped.end());
  EXPECT_FALSE(decoded<Introduction>(body));
  body[body.size() - 8 - 8] = 0xfe;  // Another address, and none of IPv4.
  EXPECT_TRUE(decoded<Introduction>(body));
}

TEST(Introduction, IgnoresWhatANewerMinorAdds) {
  Introduction newer = introduction();
  newer.minor = kProtocolMinor + 1;
  Octets body = body_of(newer);
  body.insert(body.end(), {1, 2, 3, 4});
  EXPECT_EQ(decoded<Introduction>(body), newer);
}

TEST(Introduction, IsRecognisedAsOneOfAnotherMajor) {
  for (const Octets& body : {Octets{2, 0}, Octets{2, 9, 0xff, 0xff, 0xff}, Octets{0, 0, 1},
                             Octets{0x7f, 0xff, 3, 1, 2, 3, 4, 5, 6, 7, 8}}) {
    const auto read = decoded<Introduction>(body);
    ASSERT_TRUE(read);
    EXPECT_FALSE(read->is_ours());
    EXPECT_TRUE(read->advertised.empty());
  }
  EXPECT_FALSE(decoded<Introduction>({2})) << "a version has two numbers";
  EXPECT_FALSE(decoded<Introduction>({}));
}

TEST(VerdictMessage, RefusesUnknownVerdictsAndWildcards) {
  EXPECT_FALSE(decoded<VerdictMessage>({7}));
  EXPECT_FALSE(decoded<VerdictMessage>({255}));
  const auto wildcard = SocketAddress::ipv4({0, 0, 0, 0}, 443);
  EXPECT_FALSE(decoded<VerdictMessage>(body_of(VerdictMessage{.address = wildcard})));
}

TEST(Peers, RefusesTooManyDuplicatesAndNobody) {
  const auto with = [](std::initializer_list<KnownPeer> list) {
    Peers out;
    for (const KnownPeer& each : list) out.peers.push_back(each);
    return decoded<Peers>(body_of(out));
  };
  EXPECT_TRUE(with({{peer(1), kFour}, {peer(1), kSix}})) << "a peer may have two addresses";
  EXPECT_TRUE(with({{peer(1), kFour}, {peer(2), kFour}}));
  EXPECT_FALSE(with({{peer(1), kFour}, {peer(2), kFour}, {peer(1), kFour}}));
  EXPECT_FALSE(with({{PeerId{}, kFour}}));
  EXPECT_FALSE(with({{peer(1), kFour.with_port(0)}}));
  EXPECT_FALSE(with({{peer(1), SocketAddress::ipv6({}, 443)}}));

  Octets body = body_of(full_peers());
  const Octets one_more = body_of(Peers{.peers = [] {
    InlineVector<KnownPeer, kMaxPeers> list;
    list.push_back({.id = peer(200), .address = kFour});
    return list;
  }()});
  body[0] = kMaxPeers + 1;
  body.insert(body.end(), one_more.begin() + 1, one_more.end());
  EXPECT_FALSE(decoded<Peers>(body));
}

TEST(Receipts, HaveTheLayoutThatIsWrittenDown) {
  Receipts receipts;
  receipts.streams.push_back(StreamId::make(Side::client, false, 0));
  receipts.streams.push_back(StreamId::make(Side::client, true, 100));
  EXPECT_EQ(encoded(receipts), (Octets{18, 4, 2, 2, 0x41, 0x90}));
}

TEST(Receipts, RefuseTooMany) {
  Octets body = body_of(full_receipts());
  body[0] = kMaxReceipts + 1;
  body.insert(body.end(), 1, 0);
  EXPECT_FALSE(decoded<Receipts>(body));
}

TEST(KnockMessages, HaveTheLayoutThatIsWrittenDown) {
  EXPECT_EQ(encoded(KnockMe{}), (Octets{13, 0}));
  Octets expected{14, 23};
  expected.insert(expected.end(), 16, 9);
  expected.insert(expected.end(), {4, 192, 0, 2, 7, 0x11, 0x51});
  const auto address = SocketAddress::ipv4({192, 0, 2, 7}, 4433);
  EXPECT_EQ(encoded(Knock{.token = nonce(9), .address = address}), expected);
  expected[0] = 15;
  EXPECT_EQ(encoded(Knocked{.token = nonce(9), .source = address}), expected);
  expected = {17, 17};
  expected.insert(expected.end(), 16, 9);
  expected.push_back(2);
  EXPECT_EQ(encoded(KnockSent{.token = nonce(9), .status = KnockStatus::busy}), expected);
}

TEST(KnockMessages, RefuseWildcardsAndUnknownStatuses) {
  const auto wildcard = SocketAddress::ipv4({0, 0, 0, 0}, 443);
  EXPECT_FALSE(decoded<Knock>(body_of(Knock{.address = wildcard})));
  EXPECT_FALSE(decoded<Knocked>(body_of(Knocked{.source = wildcard})));
  EXPECT_FALSE(decoded<KnockSent>(body_of(KnockSent{.status = KnockStatus{3}})));
}

TEST(KeySharedNotice, RefusesAWildcard) {
  const auto wildcard = SocketAddress::ipv4({0, 0, 0, 0}, 443);
  EXPECT_FALSE(decoded<KeySharedNotice>(body_of(KeySharedNotice{.address = wildcard})));
}

TEST(ControlMessages, AnUnknownTypeReadsNothing) {
  for (const std::uint64_t type : {std::uint64_t{0}, std::uint64_t{6}, std::uint64_t{12},
                                   std::uint64_t{16}, std::uint64_t{20}, kMaxVarint}) {
    EXPECT_FALSE(is_known_control(type));
    const Octets body(20, 1);
    Reader in{body};
    EXPECT_FALSE(decode_control(type, in).has_value());
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.position(), 0U);
  }
}

// Whatever decodes says exactly what was received, unless it ignores what a newer version added.
TEST(ControlMessages, WhatDecodesEncodesToTheSameBytes) {
  std::mt19937_64 random{20'261'122};
  std::size_t read = 0;
  for (int round = 0; round < 200'000; ++round) {
    Octets body =
        round % 2 == 0 ? body_of(introduction()) : body_of(VerdictMessage{.address = kSix});
    const std::uint64_t type = round % 2 == 0 ? Introduction::kType : VerdictMessage::kType;
    for (auto edits = random() % 3; edits > 0; --edits) {
      body[random() % body.size()] = static_cast<u8>(random() % 8);
    }
    Reader in{body};
    const auto message = decode_control(type, in);
    if (!message) continue;
    ++read;
    if (const auto* hello = std::get_if<Introduction>(&*message);
        hello != nullptr && (!hello->is_ours() || hello->minor > kProtocolMinor)) {
      continue;
    }
    EXPECT_EQ(std::visit([](const auto& each) { return body_of(each); }, *message), body);
  }
  EXPECT_GT(read, 50'000U);
}

TEST(Protocol, EveryValueHasWords) {
  EXPECT_EQ(to_string(Role::client), "client");
  EXPECT_EQ(to_string(Role::node), "node");
  EXPECT_EQ(to_string(Role{2}), "unknown role");
  EXPECT_EQ(to_string(Verdict::try_again_later), "too many dial-backs now, try again later");
  EXPECT_EQ(to_string(Verdict::only_where_it_wrote), "only peers that it wrote to reach it");
  EXPECT_EQ(to_string(Verdict{7}), "unknown verdict");
  EXPECT_EQ(to_string(ErrorCode::timed_out), "timed out");
  EXPECT_EQ(to_string(ErrorCode::wrong_peer), "another peer than was expected");
  EXPECT_EQ(to_string(ErrorCode::key_in_use), "another node uses the same key");
  EXPECT_EQ(to_string(ErrorCode{17}), "unknown error");
  for (std::uint64_t code = 0; code < 17; ++code) EXPECT_FALSE(to_string(ErrorCode{code}).empty());
}

}  // namespace
}  // namespace qpeer::p2p
