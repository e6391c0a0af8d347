// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/undecryptable_packets.hpp"

#include <utility>

namespace qpeer::transport {

bool UndecryptablePackets::keep(Instant received_at, EncryptionLevel level, Ecn ecn, Bytes bytes) {
  if (packets_.size() == kMaxPackets || bytes.size() > kMaxBytes - size_in_bytes_) return false;
  size_in_bytes_ += bytes.size();
  packets_.push_back({.level = level,
                      .ecn = ecn,
                      .received_at = received_at,
                      .bytes = std::vector<u8>(bytes.begin(), bytes.end())});
  return true;
}

std::vector<UndecryptablePackets::Packet> UndecryptablePackets::take(EncryptionLevel level) {
  std::vector<Packet> taken;
  for (Packet& packet : std::exchange(packets_, {})) {
    if (packet.level == level) size_in_bytes_ -= packet.bytes.size();
    (packet.level == level ? taken : packets_).push_back(std::move(packet));
  }
  return taken;
}

void UndecryptablePackets::clear() { *this = {}; }

}  // namespace qpeer::transport
