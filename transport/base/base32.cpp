// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/base32.hpp"

namespace qpeer {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// The 5 bits that a character stands for; -1 when it stands for none.
int value_of(char character) {
  if (character >= 'a' && character <= 'z') return character - 'a';
  if (character >= 'A' && character <= 'Z') return character - 'A';
  if (character >= '2' && character <= '7') return character - '2' + 26;
  return -1;
}

std::string shown(char character) {
  if (character > ' ' && character <= '~') return {'\'', character, '\''};
  const auto byte = static_cast<unsigned char>(character);
  return {'b', 'y', 't', 'e', ' ', '0', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
}

}  // namespace

std::string to_base32(Bytes bytes) {
  std::string out;
  out.reserve((8 * bytes.size() + 4) / 5);
  unsigned bits = 0;
  unsigned count = 0;
  for (const u8 byte : bytes) {
    bits = (bits << 8 | byte) & 0xfffU;  // At most 4 wait.
    for (count += 8; count >= 5; count -= 5) out += kAlphabet[bits >> (count - 5) & 31];
  }
  if (count > 0) out += kAlphabet[bits << (5 - count) & 31];
  return out;
}

Base32Bytes from_base32(std::string_view text) {
  Base32Bytes out;
  unsigned bits = 0;
  unsigned count = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int value = value_of(text[at]);
    if (value < 0) {
      out.wrong_at = at;
      break;
    }
    bits = (bits << 5 | static_cast<unsigned>(value)) & 0xfffU;  // At most 7 wait.
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out.bytes.push_back(static_cast<u8>(bits >> count));
  }
  const bool has_rest = (bits & ((1U << count) - 1)) != 0;
  out.is_exact = out.wrong_at == std::string_view::npos && count < 5 && !has_rest;
  return out;
}

std::string why_not_base32(std::string_view text, std::size_t wrong_at) {
  return "only letters and the digits 2 to 7, but " + shown(text[wrong_at]) + " is at position " +
         std::to_string(wrong_at + 1);
}

}  // namespace qpeer
