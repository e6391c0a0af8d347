// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packets of every type, of both versions, alone and coalesced.
#include <array>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::fuzz {
namespace {

using namespace qpeer::wire;

constexpr std::array<u8, 8> kDestination{1, 2, 3, 4, 5, 6, 7, 8};
constexpr std::array<u8, 4> kSource{9, 9, 9, 9};
/// The packet number, the payload and the tag.
constexpr std::size_t kRest = 40;

Input long_packet(PacketType type, Version version, Bytes token = {}) {
  Input packet(200);
  Writer out{packet};
  const std::size_t length = encode_long_header(
      out,
      {.type = type, .version = version, .dcid = kDestination, .scid = kSource, .token = token}, 2);
  packet.resize(out.size() + kRest, 0x55);
  patch_length(packet, length, kRest);
  return packet;
}

Input short_packet() {
  Input packet(short_header_size(kDestination) + kRest, 0x55);
  Writer out{packet};
  encode_short_header(out, kDestination, false, true, 2);
  return packet;
}

Input version_negotiation() {
  constexpr std::array kVersions{Version::v1, Version::v2};
  Input packet(100);
  Writer out{packet};
  encode_version_negotiation(out, 0x2a, kSource, kDestination, kVersions);
  packet.resize(out.size());
  return packet;
}

Input retry(Version version) {
  Input packet(100);
  Writer out{packet};
  encode_retry(out, version, kSource, kDestination, as_bytes("a token"));
  out.zeros(16);  // The integrity tag.
  packet.resize(out.size());
  return packet;
}

}  // namespace

void add_seeds(Corpus& corpus) {
  const auto add = [&corpus](const Input& datagram) {
    corpus.add(join({std::array<u8, 7>{8, 6, 0, 0, 0, 0, 0}, datagram}));
  };
  for (const Version version : {Version::v1, Version::v2, Version{0x1a2a3a4a}}) {
    const Input initial = long_packet(PacketType::initial, version);
    const Input handshake = long_packet(PacketType::handshake, version);
    add(initial);
    add(handshake);
    add(long_packet(PacketType::initial, version, as_bytes("a token of an address")));
    add(long_packet(PacketType::zero_rtt, version));
    add(join({initial, handshake, short_packet()}));
    add(join({initial, long_packet(PacketType::zero_rtt, version), Input(30)}));
    add(retry(version));
  }
  add(version_negotiation());
  add(short_packet());
}

}  // namespace qpeer::fuzz
