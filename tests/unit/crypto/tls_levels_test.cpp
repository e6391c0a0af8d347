// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Encryption levels: what may come at which, what is left behind, and messages after the handshake.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

constexpr auto kInitial = EncryptionLevel::initial;
constexpr auto kHandshake = EncryptionLevel::handshake;
constexpr auto kOneRtt = EncryptionLevel::one_rtt;
constexpr std::uint64_t kProtocolViolation = 0x0a;

// RFC 9001 §4.1.3 [rfc9001-4.1.3-1] [rfc9001-4.1.3-2]: no new bytes at a level that is left.
TEST(TlsLevels, RejectsDataAtALowerLevel) {
  TlsPair pair;
  pair.run();
  ASSERT_TRUE(pair.complete());
  const std::vector<u8> bytes(10, 0);
  EXPECT_EQ(TlsPair::code(pair.client.session->on_data(kHandshake, bytes)), kProtocolViolation);
  EXPECT_EQ(TlsPair::code(pair.server.session->on_data(kInitial, bytes)), kProtocolViolation);
  EXPECT_FALSE(pair.client.session->is_complete());
}

// RFC 9001 §8.3 [rfc9001-8.3-2]
TEST(TlsLevels, RejectsDataInZeroRtt) {
  TlsPair pair;
  const std::vector<u8> bytes(10, 0);
  EXPECT_EQ(TlsPair::code(pair.server.session->on_data(EncryptionLevel::zero_rtt, bytes)),
            kProtocolViolation);
}

TEST(TlsLevels, KeepsDataOfAHigherLevelUntilItsTurn) {
  TlsPair pair;
  ASSERT_TRUE(pair.client.session->start());
  for (const Flight& flight : pair.client.sent) {
    ASSERT_TRUE(pair.server.session->on_data(flight.level, flight.bytes));
  }
  pair.client.sent.clear();
  for (const auto level : {kHandshake, kInitial}) {  // The ServerHello comes last.
    for (const Flight& flight : pair.server.sent) {
      if (flight.level == level) {
        ASSERT_TRUE(pair.client.session->on_data(level, flight.bytes));
      }
    }
  }
  pair.server.sent.clear();
  pair.run();
  EXPECT_TRUE(pair.complete());
}

TEST(TlsLevels, BoundsWhatWaits) {
  TlsPair pair;
  ASSERT_TRUE(pair.client.session->start());
  const std::vector<u8> bytes(1000, 0);
  std::size_t taken = 0;
  Result result;
  while (result && taken < 1'000'000) {
    result = pair.client.session->on_data(kHandshake, bytes);
    if (result) taken += bytes.size();
  }
  EXPECT_EQ(TlsPair::code(result), 0x0dU);
  EXPECT_EQ(taken, 65'000U);
}

// RFC 9001 §4.1.3 [rfc9001-4.1.3-3]: with new keys, nothing may be left over at the old level.
TEST(TlsLevels, RejectsDataLeftBehindWhenKeysChange) {
  for (const auto level : {kInitial, kHandshake}) {
    TlsPair pair;
    pair.change = [&](const TlsPeer& from, Flight& flight) {
      const bool last = level == kInitial || pair.server.sent.empty();
      if (&from == &pair.server && flight.level == level && last) {
        flight.bytes.insert(flight.bytes.end(), {20, 0, 0, 0, 1});
      }
    };
    pair.run();
    EXPECT_EQ(pair.client_code(), kProtocolViolation) << "level " << int(level);
  }
}

// RFC 9001 §6 [rfc9001-6-3]
TEST(TlsLevels, RejectsTlsKeyUpdate) {
  constexpr std::array<u8, 5> kKeyUpdate{24, 0, 0, 1, 0};
  for (const bool at_client : {true, false}) {
    TlsPair pair;
    pair.run();
    ASSERT_TRUE(pair.complete());
    auto& session = at_client ? *pair.client.session : *pair.server.session;
    EXPECT_EQ(TlsPair::code(session.on_data(kOneRtt, kKeyUpdate)), 0x10aU);
    EXPECT_EQ(TlsPair::code(session.on_data(kOneRtt, kKeyUpdate)), 0x10aU) << "not for good";
    EXPECT_FALSE(session.is_complete());
  }
}

// RFC 9001 §6 [rfc9001-6-3]: in pieces too.
TEST(TlsLevels, RejectsTlsKeyUpdateByteByByte) {
  TlsPair pair;
  pair.run();
  Result result;
  for (const u8 byte : {24, 0, 0, 1, 0}) {
    if (result) result = pair.client.session->on_data(kOneRtt, {&byte, 1});
  }
  EXPECT_EQ(TlsPair::code(result), 0x10aU);
}

// A message of TLS 1.2 that no Finished covers: anybody could put it before the ServerHello.
TEST(TlsLevels, RejectsHelloRequest) {
  for (const std::size_t piece : {1U, 100'000U}) {
    for (const bool to_client : {true, false}) {
      TlsPair pair;
      bool inserted = false;
      pair.change = [&](const TlsPeer& from, Flight& flight) {
        if (inserted || (&from == &pair.server) != to_client) return;
        inserted = true;
        flight.bytes.insert(flight.bytes.begin(), 4, 0);
      };
      pair.run(piece);
      EXPECT_EQ(to_client ? pair.client_code() : pair.server_code(), 0x10aU);
    }
  }
}

// RFC 9001 §4.4 [rfc9001-4.4-5]
TEST(TlsLevels, ClientRejectsPostHandshakeCertificateRequest) {
  TlsPair pair;
  pair.run();
  constexpr std::array<u8, 8> kRequest{13, 0, 0, 4, 1, 7, 0, 0};
  EXPECT_EQ(TlsPair::code(pair.client.session->on_data(kOneRtt, kRequest)), kProtocolViolation);
}

std::vector<u8> ticket(std::uint32_t max_early_data) {
  std::vector<u8> out(64);
  Writer writer{out};
  writer.u32(0);        // Type and length: below.
  writer.u32(3600);     // Lifetime.
  writer.u32(1);        // Age.
  writer.u16(0x01'00);  // A nonce of one byte.
  writer.u16(4);        // A ticket of four.
  writer.u32(0xabcdef);
  writer.u16(8);  // One extension: early_data.
  writer.u16(42);
  writer.u16(4);
  writer.u32(max_early_data);
  out.resize(writer.size());
  out[0] = 4;
  out[3] = static_cast<u8>(out.size() - 4);
  return out;
}

// RFC 9001 §4.6.1 [rfc9001-4.6.1-2]
TEST(TlsLevels, ClientRejectsATicketThatLimitsEarlyData) {
  TlsPair good;
  good.run();
  EXPECT_TRUE(good.client.session->on_data(kOneRtt, ticket(0xffffffff)));
  EXPECT_TRUE(good.client.session->is_complete());
  TlsPair bad;
  bad.run();
  EXPECT_EQ(TlsPair::code(bad.client.session->on_data(kOneRtt, ticket(1000))), kProtocolViolation);
}

TEST(TlsLevels, ServerRejectsATicket) {
  TlsPair pair;
  pair.run();
  EXPECT_EQ(TlsPair::code(pair.server.session->on_data(kOneRtt, ticket(0xffffffff))), 0x10aU);
}

TEST(TlsLevels, GarbageAtEachLevelIsAnError) {
  const std::vector<u8> garbage{0xff, 0, 0, 4, 1, 2, 3, 4, 0xff, 0, 0, 1, 0};
  {
    TlsPair pair;
    EXPECT_FALSE(pair.server.session->on_data(kInitial, garbage));
    ASSERT_TRUE(pair.client.session->start());
    EXPECT_FALSE(pair.client.session->on_data(kInitial, garbage));
  }
  for (const auto level : {kInitial, kHandshake}) {
    TlsPair pair;
    pair.change = [&](const TlsPeer&, Flight& flight) {
      if (flight.level == level) flight.bytes = garbage;
    };
    pair.run();
    EXPECT_FALSE(pair.complete());
    EXPECT_NE(pair.client_code() + pair.server_code(), 0U) << "level " << int(level);
  }
  TlsPair pair;
  pair.run();
  EXPECT_FALSE(pair.client.session->on_data(kOneRtt, garbage));
  EXPECT_FALSE(pair.server.session->on_data(kOneRtt, garbage));
}

}  // namespace
}  // namespace qpeer::crypto
