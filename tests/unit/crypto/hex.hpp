// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Byte strings of the tests, written as hex.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::crypto {

inline std::vector<u8> from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::vector<u8> out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<u8>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return out;
}

inline std::string to_hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const u8 byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

inline std::vector<u8> to_vector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace qpeer::crypto
