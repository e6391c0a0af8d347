// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Frames in packets that may not hold them, malformed ones, and those that a side may not send.
// RFC 9000 §12.4, §12.5, §19; RFC 9221 §3; RFC 9001 §4.1.3.
#include <string>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kMost = (std::uint64_t{1} << 62) - 1;

VICTIMS(Frames);

/// NEW_CONNECTION_ID with an ID and a token made of `mark`.
Octets new_connection_id(std::uint64_t sequence, std::uint64_t retire_prior_to, u8 mark,
                         std::size_t size = 8) {
  return join({varints({0x18, sequence, retire_prior_to}), Octets{static_cast<u8>(size)},
               Octets(size, mark), Octets(16, mark)});
}

/// One of each type, as short as it gets, whose last byte is no payload that may be missing.
struct Sample {
  std::uint64_t type;
  bool in_handshake;  ///< And in Initial packets.
  Octets bytes;
};
std::vector<Sample> samples() {
  return {{0x02, true, varints({2, 0, 0, 0, 0})},
          {0x03, true, varints({3, 0, 0, 0, 0, 0, 0, 0})},
          {0x04, false, varints({4, 0, 7, 0})},
          {0x05, false, varints({5, 0, 7})},
          {0x06, true, varints({6, 0, 1, 0})},
          {0x07, false, varints({7, 1, 0})},
          {0x08, false, varints({0x08, 0})},
          {0x09, false, varints({0x09, 0})},
          {0x0a, false, varints({0x0a, 0, 1, 0})},
          {0x0b, false, varints({0x0b, 0, 1, 0})},
          {0x0c, false, varints({0x0c, 0, 0})},
          {0x0d, false, varints({0x0d, 0, 0})},
          {0x0e, false, varints({0x0e, 0, 0, 1, 0})},
          {0x0f, false, varints({0x0f, 0, 0, 1, 0})},
          {0x10, false, varints({0x10, 0})},
          {0x11, false, varints({0x11, 0, 0})},
          {0x12, false, varints({0x12, 0})},
          {0x13, false, varints({0x13, 0})},
          {0x14, false, varints({0x14, 0})},
          {0x15, false, varints({0x15, 0, 0})},
          {0x16, false, varints({0x16, 0})},
          {0x17, false, varints({0x17, 0})},
          {0x18, false, new_connection_id(1, 0, 9)},
          {0x19, false, varints({0x19, 1})},
          {0x1a, false, join({{0x1a}, zeros(8)})},
          {0x1b, false, join({{0x1b}, zeros(8)})},
          {0x1c, true, varints({0x1c, 0, 0, 1, 7})},
          {0x1d, false, varints({0x1d, 0, 1, 7})},
          {0x1e, false, {0x1e}},
          {0x30, false, {0x30}},
          {0x31, false, {0x31, 1, 0}},
          {0x9f81a6, false, join({varints({0x9f81a6, 0}), zeros(6)})},
          {0x9f81a7, false, join({varints({0x9f81a7, 0}), zeros(18)})}};
}

// [rfc9000-12.4-3] [rfc9000-12.5-3] [rfc9000-12.5-5] [rfc9000-17.2.4-2] [rfc9221-5-3]: application
// data, the application's close included, has no place in Initial and Handshake packets.
TEST_P(Frames, InPacketsThatMayNotHoldThem) {
  std::vector<FrameCase> cases;
  std::vector<std::string> names;
  for (const Sample& one : samples()) {
    if (one.in_handshake) continue;
    names.push_back("type " + std::to_string(one.type));
    for (const EncryptionLevel level : {kInitial, kHandshake}) {
      cases.push_back(
          {"rfc9000-12.4-3", "", level, one.bytes, closes(protocol_violation, one.type)});
    }
  }
  for (std::size_t i = 0; i < cases.size(); ++i) cases[i].what = names[i / 2];
  run_cases(GetParam(), cases);
}

// [rfc9000-12.4-4] [rfc9000-12.4-5]
TEST_P(Frames, OfUnknownTypes) {
  std::vector<FrameCase> cases;
  for (const EncryptionLevel level : {kInitial, kHandshake, kOneRtt}) {
    for (const std::uint64_t type : {0x21ULL, 0x20ULL, 0x2fULL, 0x32ULL, 0x3fULL, 0x40ULL, 0xaeULL,
                                     0x1234ULL, 0x9f81a5ULL, 0x9f81a8ULL, 1ULL << 40, 1ULL << 61}) {
      cases.push_back({"rfc9000-12.4-4", "unknown type", level, varints({type}),
                       closes(frame_encoding_error, type)});
    }
    for (const std::size_t size : {2U, 4U, 8U}) {
      cases.push_back({"rfc9000-12.4-5", "PING in a longer form", level, varint_of_size(1, size),
                       closes(protocol_violation, 1)});
    }
  }
  run_cases(GetParam(), cases);
}

TEST_P(Frames, CutShort) {
  std::vector<FrameCase> cases;
  for (const Sample& one : samples()) {
    const std::size_t type_size = varint_size(one.type);
    for (std::size_t cut = type_size; cut < one.bytes.size(); ++cut) {
      const auto end = one.bytes.begin() + static_cast<std::ptrdiff_t>(cut);
      // DATAGRAM and STREAM without a length reach to the end, and may end there.
      if (one.type == 0x30 || ((one.type & ~5ULL) == 0x08 && cut > type_size)) continue;
      if ((one.type == 0x0c || one.type == 0x0d) && cut > 2) continue;
      cases.push_back({"", "cut", kOneRtt, Octets(one.bytes.begin(), end),
                       closes(frame_encoding_error, one.type)});
    }
  }
  run_cases(GetParam(), cases);
}

// RFC 9000 §12.4: a packet has a frame at least.
TEST_P(Frames, NoneAtAll) {
  const std::vector<FrameCase> cases{
      {"rfc9000-12.4-2 rfc9000-12.4-1", "1-RTT", kOneRtt, {}, closes(protocol_violation)},
      {"rfc9000-12.4-2", "Handshake", kHandshake, {}, closes(protocol_violation)},
      {"rfc9000-5.2-2", "a fault behind frames that are good", kOneRtt,
       join({{0x01}, varints({0x10, 1 << 22}), {0x21}}), closes(frame_encoding_error, 0x21)},
      {"", "PADDING is one", kOneRtt, {0x00}, goes_on()},
  };
  run_cases(GetParam(), cases);
}

TEST_P(Frames, AcknowledgementsOfWhatWasNotSent) {
  const std::vector<FrameCase> cases{
      {"rfc9000-13.1-2", "Initial", kInitial, varints({0x02, 500, 0, 0, 0}),
       closes(protocol_violation, 0x02)},
      {"rfc9000-13.1-2", "Handshake", kHandshake, varints({0x02, 500, 0, 0, 0}),
       closes(protocol_violation, 0x02)},
      {"rfc9000-13.1-2", "1-RTT", kOneRtt, varints({0x02, 500, 0, 0, 0}),
       closes(protocol_violation, 0x02)},
      {"rfc9000-13.1-2", "1-RTT, the largest there is", kOneRtt, varints({0x02, kMost, 0, 0, 0}),
       closes(protocol_violation, 0x02)},
      {"rfc9000-19.3.1-1", "a first range below zero", kOneRtt, varints({0x02, 1, 0, 0, 2}),
       closes(frame_encoding_error, 0x02)},
      {"rfc9000-19.3.1-1", "a gap below zero", kOneRtt, varints({0x02, 3, 0, 1, 1, 1, 0}),
       closes(frame_encoding_error, 0x02)},
      {"rfc9000-19.3.1-1", "a range below zero", kOneRtt, varints({0x02, 4, 0, 1, 0, 0, 3}),
       closes(frame_encoding_error, 0x02)},
      {"rfc9000-19.3-1", "with ECN counts that make no sense", kOneRtt,
       varints({0x03, 0, 0, 0, 0, 77, 78, 79}), goes_on()},
      {"", "a delay beyond all bounds", kOneRtt, varints({0x02, 0, kMost, 0, 0}), goes_on()},
  };
  run_cases(GetParam(), cases);
}

TEST_P(Frames, ConnectionIds) {
  // What brings the victim's list to its limit of four: one came with the handshake.
  const Octets three =
      join({new_connection_id(1, 0, 1), new_connection_id(2, 0, 2), new_connection_id(3, 0, 3)});
  const std::vector<FrameCase> cases{
      {"rfc9000-19.15-1", "an ID of no bytes", kOneRtt, new_connection_id(1, 0, 1, 0),
       closes(frame_encoding_error, 0x18)},
      {"rfc9000-19.15-1", "an ID of 21 bytes", kOneRtt, new_connection_id(1, 0, 1, 21),
       closes(frame_encoding_error, 0x18)},
      {"", "IDs of 1 and 20 bytes", kOneRtt,
       join({new_connection_id(1, 0, 1, 1), new_connection_id(2, 0, 2, 20)}), goes_on()},
      {"rfc9000-19.15-6 rfc9000-19.15-7", "retires itself and more", kOneRtt,
       new_connection_id(1, 2, 1), closes(frame_encoding_error, 0x18)},
      {"rfc9000-5.1.1-6", "too many", kOneRtt, join({three, new_connection_id(4, 0, 4)}),
       closes(connection_id_limit_error, 0x18)},
      {"", "as many as agreed", kOneRtt, three, goes_on()},
      {"rfc9000-19.15-4", "the same again", kOneRtt, join({three, three}), goes_on()},
      {"rfc9000-19.15-5", "another ID under the same number", kOneRtt,
       join({new_connection_id(1, 0, 1), new_connection_id(1, 0, 2)}),
       closes(protocol_violation, 0x18)},
      {"rfc9000-19.15-5", "another number for the same ID", kOneRtt,
       join({new_connection_id(1, 0, 1), new_connection_id(2, 0, 1)}),
       closes(protocol_violation, 0x18)},
      {"rfc9000-19.15-8", "Retire Prior To that falls back", kOneRtt,
       join({new_connection_id(1, 1, 1), new_connection_id(2, 0, 2)}), goes_on()},
      {"rfc9000-19.16-1", "retires what was never sent", kOneRtt, varints({0x19, 77}),
       closes(protocol_violation, 0x19)},
      {"rfc9000-19.16-2 rfc9000-19.16-3", "retires the ID of its own packet", kOneRtt,
       varints({0x19, 0}), closes(protocol_violation, 0x19)},
  };
  run_cases(GetParam(), cases);
}

// RFC 9000 §19.15: for a peer that is reached without an ID there is nothing to change.
TEST_P(Frames, ConnectionIdsForAPeerWithoutOnes) {
  const std::vector<FrameCase> cases{
      {"rfc9000-19.15-3", "NEW_CONNECTION_ID", kOneRtt, new_connection_id(1, 0, 1),
       closes(protocol_violation, 0x18)},
  };
  run_cases(GetParam(), cases, {.cid_size = 0});
}

TEST(FramesOfServers, FromAClient) {
  const std::vector<FrameCase> cases{
      {"rfc9000-19.7-4", "NEW_TOKEN", kOneRtt, varints({0x07, 1, 0}),
       closes(protocol_violation, 0x07)},
      {"rfc9000-19.20-2", "HANDSHAKE_DONE", kOneRtt, {0x1e}, closes(protocol_violation, 0x1e)},
  };
  run_cases(Side::server, cases);
}

TEST(FramesOfServers, AtAClient) {
  const std::vector<FrameCase> cases{
      {"rfc9000-19.7-2", "NEW_TOKEN of no bytes", kOneRtt, varints({0x07, 0}),
       closes(frame_encoding_error, 0x07)},
      {"", "NEW_TOKEN", kOneRtt, varints({0x07, 1, 0}), goes_on()},
      {"", "HANDSHAKE_DONE again", kOneRtt, {0x1e}, goes_on()},
  };
  run_cases(Side::client, cases);
}

TEST_P(Frames, Crypto) {
  PeerConfig ours = small_limits();
  ours.connection.crypto_buffer = ours.endpoint.connection.crypto_buffer = 4'096;
  const std::vector<FrameCase> cases{
      {"rfc9000-19.6-1", "beyond 2^62-1, Initial", kInitial,
       join({varints({0x06, kMost, 1}), zeros(1)}), closes(frame_encoding_error, 0x06)},
      {"rfc9000-19.6-1", "beyond 2^62-1, 1-RTT", kOneRtt,
       join({varints({0x06, kMost, 1}), zeros(1)}), closes(frame_encoding_error, 0x06)},
      {"rfc9000-7.5-3", "more than is buffered, Initial", kInitial, varints({0x06, 4'096, 1, 0}),
       closes(crypto_buffer_exceeded, 0x06)},
      {"rfc9000-7.5-3", "more than is buffered, Handshake", kHandshake,
       varints({0x06, 4'096, 1, 0}), closes(crypto_buffer_exceeded, 0x06)},
      {"rfc9000-7.5-1", "the last byte that is buffered, Initial", kInitial,
       varints({0x06, 4'095, 1, 0}), goes_on()},
      {"rfc9000-7.5-1", "the last byte that is buffered, Handshake", kHandshake,
       varints({0x06, 4'095, 1, 0}), goes_on()},
  };
  run_cases(GetParam(), cases, {}, ours);
  // By default: of who sends Initials nothing is known yet.
  const std::vector<FrameCase> by_default{
      {"rfc9000-7.5-3", "more than is buffered, Initial", kInitial, varints({0x06, 16 << 10, 1, 0}),
       closes(crypto_buffer_exceeded, 0x06)},
      {"rfc9000-7.5-1", "the last byte that is buffered, Initial", kInitial,
       varints({0x06, (16 << 10) - 1, 1, 0}), goes_on()},
      {"rfc9000-7.5-3", "more than is buffered, Handshake", kHandshake,
       varints({0x06, 64 << 10, 1, 0}), closes(crypto_buffer_exceeded, 0x06)},
      {"rfc9000-7.5-1", "the last byte that is buffered, Handshake", kHandshake,
       varints({0x06, (64 << 10) - 1, 1, 0}), goes_on()},
      {"rfc9000-7.5-3", "more than is buffered, 1-RTT", kOneRtt,
       varints({0x06, (64 << 10) + 5'000, 1, 0}), closes(crypto_buffer_exceeded, 0x06)},
  };
  run_cases(GetParam(), by_default);
}

TEST_P(Frames, Datagrams) {
  const std::vector<FrameCase> cases{
      {"rfc9221-3-4", "DATAGRAM with a length, one byte too large", kOneRtt,
       join({varints({0x31, 498}), zeros(498)}), closes(protocol_violation, 0x31)},
      {"rfc9221-3-4", "DATAGRAM, one byte too large", kOneRtt, join({{0x30}, zeros(500)}),
       closes(protocol_violation, 0x30)},
      {"", "as large as was said", kOneRtt, join({varints({0x31, 497}), zeros(497)}), goes_on()},
      {"", "as large as was said, without a length", kOneRtt, join({{0x30}, zeros(499)}),
       goes_on()},
  };
  run_cases(GetParam(), cases);
  PeerConfig none = small_limits();
  none.connection.max_datagram_frame_size = none.endpoint.connection.max_datagram_frame_size = 0;
  const std::vector<FrameCase> refused{
      {"rfc9221-3-3",
       "DATAGRAM where none is taken",
       kOneRtt,
       {0x30},
       closes(protocol_violation, 0x30)},
      {"rfc9221-3-3",
       "DATAGRAM with a length where none is taken",
       kOneRtt,
       {0x31, 0},
       closes(protocol_violation, 0x31)},
  };
  run_cases(GetParam(), refused, {}, none);
}

}  // namespace
}  // namespace qpeer::sim
