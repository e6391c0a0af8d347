// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>
#include <initializer_list>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/p2p/nat/stun_message.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  using namespace qpeer::p2p;
  const auto ipv4 = SocketAddress::ipv4({192, 0, 2, 1}, 4433);
  const auto ipv6 = SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 1}, 4433);
  StunMessage refused{.message_class = StunClass::error, .error_code = kStunUnknownAttribute};
  refused.unknown_attributes.push_back(0x24);
  refused.unknown_attributes.push_back(0x25);
  refused.unknown_attributes.push_back(3);
  for (const StunMessage& message : std::initializer_list<StunMessage>{
           {.transaction_id = {1, 2, 3}},
           {.message_class = StunClass::success, .mapped_address = ipv4, .other_address = ipv4},
           {.message_class = StunClass::success, .mapped_address = ipv6, .other_address = ipv6},
           {.message_class = StunClass::error, .error_code = kStunBadRequest},
           refused,
           {.message_class = StunClass::indication, .knock_token = KnockToken{1, 2, 3}}}) {
    std::array<u8, kMaxStunSize> storage{};
    Writer out{storage};
    message.encode(out);
    corpus.add(join({out.written()}));
    Input bare = join({Bytes(out.written()).first(out.size() - 8)});  // Without FINGERPRINT.
    bare[3] = static_cast<u8>(bare.size() - kStunHeaderSize);
    corpus.add(bare);
    // Software, PRIORITY, MAPPED-ADDRESS, USERNAME with padding, MESSAGE-INTEGRITY.
    const Input more{0x80, 0x22, 0,   1,   'q', 0, 0, 0, 0, 0x24, 0, 4, 1, 2, 3,
                     4,    0,    1,   0,   8,   0, 1, 1, 2, 3,    4, 5, 6, 0, 6,
                     0,    3,    'a', 'b', 'c', 0, 0, 8, 0, 4,    0, 0, 0, 0};
    bare.insert(bare.end(), more.begin(), more.end());
    bare[0] |= 0x80;
    corpus.add(bare);
  }
}

}  // namespace qpeer::fuzz
