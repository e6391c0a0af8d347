// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ControlReader: messages come out whole however the bytes are cut, and bounds hold.
#include "qpeer/p2p/control_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "qpeer/tests/unit/p2p/encoded_control.hpp"

namespace qpeer::p2p {
namespace {

using Octets = std::vector<u8>;

void append(Octets& to, const ControlMessage& message) {
  const Octets bytes = encoded(message);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_raw(Octets& to, std::uint64_t type, const Octets& body) {
  Octets header(16);
  Writer out{header};
  out.varint(type);
  out.varint(body.size());
  to.insert(to.end(), header.begin(), header.begin() + static_cast<std::ptrdiff_t>(out.size()));
  to.insert(to.end(), body.begin(), body.end());
}

std::vector<ControlMessage> conversation() {
  Introduction hello{.role = Role::node, .nonce = {1, 2, 3}};
  hello.advertised.push_back(SocketAddress::ipv4({5, 6, 7, 8}, 443));
  Peers peers;
  for (u8 i = 1; i <= kMaxPeers; ++i) {
    peers.peers.push_back({.id = PeerId({i}), .address = SocketAddress::ipv6({0x2a, i}, 443)});
  }
  Receipts receipts;
  for (std::uint64_t i = 0; i < kMaxReceipts; ++i) receipts.streams.push_back({100 * i + 2});
  return {hello,
          Proof{.nonce = {4, 5}},
          VerdictMessage{.verdict = Verdict::refused},
          PeersRequest{.max = 70'000},
          peers,
          receipts};
}

/// Reads all of `stream` in pieces of `piece` bytes, a turn each.
std::vector<ControlMessage> read_all(ControlReader& reader, Bytes stream, std::size_t piece) {
  std::vector<ControlMessage> out;
  while (!stream.empty()) {
    Bytes part = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(part.size());
    while (!part.empty() && reader.error() == ErrorCode::none) {
      reader.begin_turn();
      for (std::size_t taken = 1; taken > 0;) {
        taken = reader.feed(part);
        part = part.subspan(taken);
        if (auto message = reader.next()) out.push_back(*std::move(message));
      }
    }
  }
  return out;
}

TEST(ControlReader, FindsMessagesHoweverTheyAreCut) {
  const auto messages = conversation();
  Octets stream;
  for (const auto& message : messages) {
    append(stream, message);
    append_raw(stream, 40, Octets(kMaxControlBody, 9));  // Unknown: skipped.
    append_raw(stream, kMaxVarint, {});
  }
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 64UL, 1'000UL, stream.size()}) {
    ControlReader reader;
    EXPECT_EQ(read_all(reader, stream, piece), messages) << "in pieces of " << piece;
    EXPECT_EQ(reader.error(), ErrorCode::none);
  }
}

TEST(ControlReader, TakesNoMoreThanOneMessageAtATime) {
  Octets stream;
  append(stream, Proof{});
  const std::size_t size = stream.size();
  append(stream, Proof{});
  ControlReader reader;
  EXPECT_EQ(reader.feed(stream), size);
  EXPECT_EQ(reader.feed(stream), 0U) << "until the first was fetched";
  EXPECT_TRUE(reader.next().has_value());
  EXPECT_FALSE(reader.next().has_value()) << "once";
  EXPECT_EQ(reader.feed(Bytes(stream).first(size - 1)), size - 1);
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_EQ(reader.feed(Bytes(stream).last(1)), 1U);
  EXPECT_TRUE(reader.next().has_value()) << "whole with its last byte";
}

TEST(ControlReader, LatchesMalformed) {
  Octets stream;
  append_raw(stream, Proof::kType, Octets(15, 1));
  append(stream, Proof{});
  ControlReader reader;
  EXPECT_TRUE(read_all(reader, stream, stream.size()).empty());
  EXPECT_EQ(reader.error(), ErrorCode::malformed);
  reader.begin_turn();
  EXPECT_EQ(reader.feed(stream), 0U);
  EXPECT_EQ(reader.error(), ErrorCode::malformed);
}

TEST(ControlReader, RefusesALongMessageBeforeItComes) {
  for (const std::uint64_t type : {Peers::kType, std::uint64_t{99}}) {
    Octets fits;
    append_raw(fits, 99, Octets(kMaxControlBody));
    ControlReader content;
    EXPECT_TRUE(read_all(content, fits, 100).empty());
    EXPECT_EQ(content.error(), ErrorCode::none);

    std::array<u8, 16> header{};
    Writer out{header};
    out.varint(type);
    out.varint(kMaxControlBody + 1);
    ControlReader reader;
    EXPECT_EQ(reader.feed(out.written()), out.size());
    EXPECT_EQ(reader.error(), ErrorCode::message_too_large) << type;
  }
}

TEST(ControlReader, ATurnGivesABoundedNumberOfMessages) {
  Octets stream;
  for (int i = 0; i < 1'000; ++i) append_raw(stream, 77, {});
  ControlReader reader;
  const std::size_t of_each = stream.size() / 1'000;
  EXPECT_EQ(reader.feed(stream), ControlReader::kMessagesPerTurn * of_each);
  EXPECT_TRUE(reader.turn_over());
  EXPECT_EQ(reader.feed(stream), 0U);
  EXPECT_EQ(reader.error(), ErrorCode::none);
  reader.begin_turn();
  EXPECT_FALSE(reader.turn_over());
  EXPECT_GT(reader.feed(stream), 0U);

  ControlReader known;
  Octets proofs;
  for (std::size_t i = 0; i < 2 * ControlReader::kMessagesPerTurn; ++i) append(proofs, Proof{});
  std::size_t got = 0;
  Bytes rest(proofs);
  for (std::size_t taken = 1; taken > 0;) {
    taken = known.feed(rest);
    rest = rest.subspan(taken);
    if (known.next()) ++got;
  }
  EXPECT_EQ(got, ControlReader::kMessagesPerTurn);
  EXPECT_TRUE(known.turn_over());
}

TEST(ControlReader, ReadsTheVersionOfAFutureMajor) {
  Octets stream;
  append_raw(stream, Introduction::kType, {2, 5, 0xff, 0xfe, 0xfd});
  ControlReader reader;
  const auto messages = read_all(reader, stream, 1);
  ASSERT_EQ(messages.size(), 1U);
  const auto& hello = std::get<Introduction>(messages[0]);
  EXPECT_FALSE(hello.is_ours());
  EXPECT_EQ(hello.major, 2U);
  EXPECT_EQ(hello.minor, 5U);
}

}  // namespace
}  // namespace qpeer::p2p
