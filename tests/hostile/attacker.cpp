// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/hostile/attacker.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::sim {
namespace {

constexpr std::size_t kCaptured = 512;
/// Copies come after the real ones: who can overtake them can make any transport see reordering.
constexpr Duration kSlower = 200ms;
constexpr std::size_t kCidSize = 8;

}  // namespace

Attacker::Attacker(Network& network, SocketAddress target, SocketAddress victim)
    : network_(network), target_(target), victim_(victim), random_(network.random().split()) {
  captured_.reserve(kCaptured);
  bytes_.reserve(70'000);
}

void Attacker::capture(const Passing& datagram) {
  if (captured_.size() < kCaptured) captured_.emplace_back();
  Captured& slot = captured_[next_captured_++ % kCaptured];
  slot.from = datagram.from;
  slot.to = datagram.to;
  slot.ecn = datagram.ecn;
  slot.at = datagram.now;
  slot.bytes.assign(datagram.payload.begin(), datagram.payload.end());
}

const Attacker::Captured& Attacker::any_captured() {
  const Captured& any = captured_[random_.below(captured_.size())];
  if (any.at + kSlower < network_.now()) return any;
  return captured_[captured_.size() < kCaptured ? 0 : next_captured_ % kCaptured];
}

void Attacker::strike() {
  const auto kind = static_cast<Kind>(random_.below(kKinds));
  from_ = stranger();
  to_ = target_;
  bytes_.clear();
  ecn_ = static_cast<Ecn>(random_.below(4));
  make(kind);
  ++sent_[static_cast<std::size_t>(kind)];
  if (to_ == target_ && is_stranger(from_)) bytes_from_strangers_ += bytes_.size();
  network_.inject(from_, to_, bytes_, ecn_);
}

SocketAddress Attacker::stranger() {
  const std::uint64_t n = random_.next();
  return SocketAddress::ipv4(
      {203, static_cast<u8>(n), static_cast<u8>(n >> 8), static_cast<u8>(n >> 16)},
      static_cast<std::uint16_t>(1 + (n >> 24) % 65'535));
}

void Attacker::fill_garbage(std::size_t size) {
  const std::size_t before = bytes_.size();
  bytes_.resize(before + size);
  random_.fill_public(MutableBytes(bytes_).subspan(before));
}

void Attacker::take(const Captured& captured) {
  from_ = captured.from;
  to_ = captured.to;
  ecn_ = captured.ecn;  // Who can set CE on genuine packets sits on the path, and may slow it down.
  bytes_.assign(captured.bytes.begin(), captured.bytes.end());
}

void Attacker::make(Kind kind) {
  switch (kind) {
    case Kind::garbage:
      return fill_garbage(random_.below(1'500));
    case Kind::plausible_garbage: {
      bytes_.assign({static_cast<u8>(0x40 | random_.below(0xc0)), 0, 0, 0, 1, kCidSize});
      return fill_garbage(1'200 + random_.below(200));
    }
    case Kind::truncated:
      take(any_captured());
      return bytes_.resize(random_.below(bytes_.size() + 1));
    case Kind::extended:
      take(any_captured());
      return fill_garbage(1 + random_.below(300));
    case Kind::oversized:
      if (random_.below(50) == 0) return fill_garbage(65'000);
      return fill_garbage(1'500 + random_.below(500));
    case Kind::unknown_version:
      bytes_.assign({static_cast<u8>(0x80 | random_.below(0x80))});
      return fill_garbage(1'100 + random_.below(400));
    case Kind::unknown_connection:
      bytes_.assign({static_cast<u8>(0x40 | random_.below(0x40))});
      return fill_garbage(20 + random_.below(1'400));
    case Kind::forged_packet: {
      take(any_captured());
      bytes_.resize(std::min<std::size_t>(bytes_.size(), 1 + kCidSize));
      return fill_garbage(20 + random_.below(1'400));
    }
    case Kind::flipped:
      take(any_captured());
      for (std::uint64_t flips = 1 + random_.below(4); flips > 0; --flips) {
        bytes_[random_.below(bytes_.size())] ^= static_cast<u8>(1U << random_.below(8));
      }
      return;
    case Kind::replayed:
      return take(any_captured());
    case Kind::replayed_elsewhere:
      take(any_captured());
      from_ = stranger();
      return;
    case Kind::replayed_initial:
      bytes_ = initials_[random_.below(initials_.size())];
      return;
    case Kind::count_:
      std::unreachable();
  }
}

}  // namespace qpeer::sim
