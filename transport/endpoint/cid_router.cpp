// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/cid_router.hpp"

#include <bit>

namespace qpeer::transport {
namespace {

std::uint64_t draw(Random& random) {
  std::array<u8, 8> raw{};
  random.fill_private(raw);
  return Reader{raw}.u64();
}

/// SipHash-1-3 of up to 24 bytes and their number: short, keyed, and enough for tables.
std::uint64_t sip_hash(const std::array<std::uint64_t, 2>& key, Bytes bytes) {
  std::uint64_t v0 = key[0] ^ 0x736f6d6570736575ULL;
  std::uint64_t v1 = key[1] ^ 0x646f72616e646f6dULL;
  std::uint64_t v2 = key[0] ^ 0x6c7967656e657261ULL;
  std::uint64_t v3 = key[1] ^ 0x7465646279746573ULL;
  const auto round = [&] {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  };
  const auto absorb = [&](std::uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  };
  Reader in(bytes);
  while (in.remaining() >= 8) absorb(in.u64());
  const std::size_t left = in.remaining();
  absorb((left > 0 ? in.big_endian(left) : 0) | static_cast<std::uint64_t>(bytes.size()) << 56);
  v2 ^= 0xff;
  for (int i = 0; i < 3; ++i) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace

CidRouter::CidRouter(Random& random)
    : ids_(16, Hash{{draw(random), draw(random)}}), resets_(16, ids_.hash_function()) {}

std::size_t CidRouter::Hash::operator()(Bytes bytes) const {
  return static_cast<std::size_t>(sip_hash(key, bytes));
}

std::optional<CidRouter::Slot> CidRouter::find(Bytes connection_id) const {
  if (connection_id.size() > ConnectionId::kMaxSize) return std::nullopt;
  const auto found = ids_.find(ConnectionId(connection_id));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

void CidRouter::remove(const ConnectionId& id, Slot slot) {
  const auto found = ids_.find(id);
  if (found != ids_.end() && found->second == slot) ids_.erase(found);
}

std::optional<CidRouter::Slot> CidRouter::find_reset(const StatelessResetToken& token) const {
  const auto found = resets_.find(token);
  if (found == resets_.end()) return std::nullopt;
  return found->second;
}

void CidRouter::remove_reset(const StatelessResetToken& token, Slot slot) {
  const auto found = resets_.find(token);
  if (found != resets_.end() && found->second == slot) resets_.erase(found);
}

}  // namespace qpeer::transport
