// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the tests of the wire layer share: bytes from hex, frames to bytes, seeded random values.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <random>
#include <string_view>
#include <variant>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::wire::testing {

inline u8 nibble(char c) { return static_cast<u8>(c <= '9' ? c - '0' : c - 'a' + 10); }

/// Bytes from lower-case hex; spaces are for the eye.
inline std::vector<u8> hex(std::string_view text) {
  std::vector<u8> out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    while (text[i] == ' ') ++i;
    out.push_back(static_cast<u8>(nibble(text[i]) << 4 | nibble(text[i + 1])));
  }
  return out;
}

inline std::vector<u8> to_vector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// A frame's bytes; size() must have told how many.
template <class F>
std::vector<u8> encoded(const F& frame) {
  std::vector<u8> storage(frame.size());
  Writer out{storage};
  frame.encode(out);
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(out.size(), storage.size()) << "size() is not what encode() writes";
  return storage;
}
inline std::vector<u8> encoded(const Frame& frame) {
  return std::visit([](const auto& each) { return encoded(each); }, frame);
}

/// The frame of type F that fills `bytes`.
template <class F>
F decoded(Bytes bytes, PacketType packet = PacketType::one_rtt) {
  Reader in{bytes};
  const auto frame = decode_frame(in, packet);
  if (!frame) {
    ADD_FAILURE() << frame.error().reason;
    return {};
  }
  EXPECT_TRUE(in.empty());
  EXPECT_TRUE(std::holds_alternative<F>(*frame));
  return std::get<F>(*frame);
}

/// Expects that `bytes` close the connection with `code`, and blame `frame_type`.
inline void expect_refused(Bytes bytes, TransportErrorCode code, std::uint64_t frame_type,
                           PacketType packet = PacketType::one_rtt) {
  Reader in{bytes};
  const auto frame = decode_frame(in, packet);
  ASSERT_FALSE(frame.has_value()) << "accepted a frame of type " << frame_type;
  EXPECT_EQ(frame.error().code, code) << to_string(frame.error().code);
  EXPECT_EQ(frame.error().frame_type, frame_type);
  EXPECT_FALSE(frame.error().reason.empty());
}

/// Why a packet was dropped; nullopt when it was not.
template <class T>
std::optional<DropReason> drop_reason(const std::expected<T, DropReason>& result) {
  if (result.has_value()) return std::nullopt;
  return result.error();
}

/// Random values whose magnitudes are as likely to be small as large.
class Values {
 public:
  explicit Values(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool flag() { return below(2) == 1; }
  std::uint64_t varint() { return random_() >> (2 + below(62)); }
  std::vector<u8> bytes(std::size_t size) {
    std::vector<u8> out(size);
    for (u8& byte : out) byte = static_cast<u8>(random_());
    return out;
  }
  ConnectionId connection_id(std::size_t smallest) {
    return ConnectionId(bytes(smallest + below(21 - smallest)));
  }
  template <std::size_t N>
  std::array<u8, N> array() {
    std::array<u8, N> out{};
    copy(bytes(N), out);
    return out;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace qpeer::wire::testing
