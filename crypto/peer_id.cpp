// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The text of a PeerId, and back.
#include "qpeer/crypto/peer_id.hpp"

#include <cstdint>

#include "qpeer/crypto/identity.hpp"

namespace qpeer {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::size_t kChecksumSize = 3;
constexpr std::size_t kShortSize = 8;
using Coded = std::array<u8, PeerId::kSize + kChecksumSize>;
static_assert(8 * std::tuple_size_v<Coded> == 5 * PeerId::kTextSize, "no padding is needed");

Coded with_checksum(const std::array<u8, PeerId::kSize>& id) {
  crypto::Sha256 hash;
  hash.update(as_bytes("qpeer-id"));
  hash.update(id);
  const auto digest = hash.finish();
  Coded out{};
  Writer writer{out};
  writer.bytes(id);
  writer.bytes(Bytes(digest).first(kChecksumSize));
  return out;
}

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

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

}  // namespace

std::string PeerId::to_string() const {
  std::string out;
  out.reserve(kTextSize);
  unsigned bits = 0;
  unsigned count = 0;
  for (const u8 byte : with_checksum(bytes_)) {
    bits = (bits << 8 | byte) & 0xfffU;  // At most 4 wait.
    for (count += 8; count >= 5; count -= 5) out += kAlphabet[bits >> (count - 5) & 31];
  }
  return out;
}

std::string PeerId::short_text() const { return to_string().substr(0, kShortSize); }

std::expected<PeerId, std::string> PeerId::parse(std::string_view text) {
  const std::string_view name = trimmed(text);
  if (name.size() != kTextSize) {
    return std::unexpected("a peer id has " + std::to_string(kTextSize) + " characters, not " +
                           std::to_string(name.size()));
  }
  Coded coded{};
  Writer out{coded};
  unsigned bits = 0;
  unsigned count = 0;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const int value = value_of(name[at]);
    if (value < 0) {
      return std::unexpected("a peer id has only letters and the digits 2 to 7, but " +
                             shown(name[at]) + " is at position " + std::to_string(at + 1));
    }
    bits = (bits << 5 | static_cast<unsigned>(value)) & 0xfffU;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out.byte(static_cast<u8>(bits >> count));
  }
  PeerId id;
  copy(Bytes(coded).first(kSize), id.bytes_);
  if (coded != with_checksum(id.bytes_)) {
    return std::unexpected("the peer id is mistyped: its checksum does not match");
  }
  return id;
}

}  // namespace qpeer
