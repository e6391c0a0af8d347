// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The text of a PeerId, and back.
#include "qpeer/crypto/peer_id.hpp"

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/base/base32.hpp"

namespace qpeer {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";
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

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

}  // namespace

std::string PeerId::to_string() const { return to_base32(with_checksum(bytes_)); }

std::string PeerId::short_text() const { return to_string().substr(0, kShortSize); }

std::expected<PeerId, std::string> PeerId::parse(std::string_view text) {
  const std::string_view name = trimmed(text);
  if (name.size() != kTextSize) {
    return std::unexpected("a peer id has " + std::to_string(kTextSize) + " characters, not " +
                           std::to_string(name.size()));
  }
  const Base32Bytes coded = from_base32(name);
  if (coded.wrong_at != std::string_view::npos) {
    return std::unexpected("a peer id has " + why_not_base32(name, coded.wrong_at));
  }
  PeerId id;
  copy(Bytes(coded.bytes).first(kSize), id.bytes_);
  if (!equal(coded.bytes, with_checksum(id.bytes_))) {
    return std::unexpected("the peer id is mistyped: its checksum does not match");
  }
  return id;
}

}  // namespace qpeer
