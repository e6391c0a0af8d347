// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/cid_names.hpp"

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

CidNames::CidNames(crypto::KeyFactory& keys, const SharedPortMember& member)
    : self_(member.index),
      members_(member.count),
      cipher_(keys.packet_keys(Version::v1, crypto::CipherSuite::aes_128_gcm_sha256,
                               crypto::Secret(member.id_key))
                  .header_protection) {
  QPEER_ASSERT(self_ < members_ && members_ <= SharedPortMember::kMaxCount);
}

ConnectionId CidNames::make(Random& random) const {
  std::array<u8, kSize> octets{};
  random.fill_public(MutableBytes(octets).first(kRandomSize));
  Writer(MutableBytes(octets).subspan(kRandomSize))
      .u16(static_cast<std::uint16_t>(self_ ^ mask_of(octets)));
  return ConnectionId(octets);
}

std::optional<std::size_t> CidNames::member_of(Bytes id) const {
  if (id.size() != kSize) return std::nullopt;
  const std::size_t member = Reader(id.subspan(kRandomSize)).u16() ^ mask_of(id);
  if (member >= members_) return std::nullopt;
  return member;
}

std::uint16_t CidNames::mask_of(Bytes id) const {
  crypto::HeaderProtection::Sample block{};
  copy(id.first(kRandomSize), block);
  const crypto::HeaderProtection::Mask mask = cipher_->mask(block);
  return Reader(Bytes(mask)).u16();
}

}  // namespace qpeer::transport
