// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STUN messages: what decodes is written again, with the same meaning, in few bytes.
//
// The input is the datagram. Those with the highest bit of the first byte get a right FINGERPRINT first,
// and lose that bit.
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/nat/stun_message.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::p2p;

namespace {

/// CRC-32 bit by bit: not the table of the code under test.
std::uint32_t fingerprint_of(Bytes message) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const u8 byte : message) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  return ~crc ^ 0x5354554e;
}

void add_fingerprint(std::vector<u8>& datagram) {
  datagram[0] &= 0x7f;
  const std::size_t size = datagram.size();
  if (size < kStunHeaderSize || size > 60'000) return;
  datagram.resize(size + 8);
  Writer(MutableBytes(datagram).subspan(2))
      .u16(static_cast<std::uint16_t>(size - kStunHeaderSize + 8));
  Writer out{MutableBytes(datagram).subspan(size)};
  out.u16(0x8028);
  out.u16(4);
  out.u32(fingerprint_of(Bytes(datagram).first(size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  std::vector<u8> datagram(data, data + size);
  if (size > 0 && (data[0] & 0x80) != 0) add_fingerprint(datagram);
  const auto message = StunMessage::decode(datagram);
  if (!message) return 0;
  check(looks_like_stun(datagram));
  check(!message->error_code || (*message->error_code >= 300 && *message->error_code <= 699));
  check(!message->mapped_address || message->mapped_address->valid());
  for (const std::uint16_t type : message->not_understood) check(type < 0x8000);
  StunMessage said = *message;
  said.not_understood.clear();  // They are not written.
  std::array<u8, kMaxStunSize> storage{};
  Writer out{storage};
  said.encode(out);
  check(out.ok());
  check(StunMessage::decode(out.written()) == said);
  return 0;
}
