// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The codecs of the control messages.
#include "qpeer/p2p/control_messages.hpp"

#include <algorithm>

namespace qpeer::p2p {
namespace {

void encode_header(Writer& out, std::uint64_t type, std::size_t body_size) {
  out.varint(type);
  out.varint(body_size);
}

std::array<u8, 16> decode_secret(Reader& in) {
  std::array<u8, 16> out{};
  const Bytes bytes = in.bytes(out.size());
  copy(bytes, out);
  return out;
}

/// What is a host, not all of them.
SocketAddress decode_host(Reader& in) {
  const SocketAddress out = decode_address(in);
  if (out.is_wildcard()) in.fail();
  return out;
}

/// Nothing may follow the last field.
void expect_end(Reader& in) {
  if (!in.empty()) in.fail();
}

/// A count in one byte and so many elements, no two of them equal.
template <class List, class DecodeOne>
void decode_list(Reader& in, List& list, DecodeOne&& decode_one) {
  const std::size_t count = in.byte();
  if (count > List::capacity()) in.fail();
  while (in.ok() && list.size() < count) {
    const auto one = decode_one(in);
    if (std::ranges::find(list, one) != list.end()) in.fail();
    if (in.ok()) list.push_back(one);
  }
}

}  // namespace

// --- addresses -----------------------------------------------------------------------------------

std::size_t address_size(const SocketAddress& address) { return 1 + address.octets().size() + 2; }

void encode_address(Writer& out, const SocketAddress& address) {
  out.byte(address.is_ipv4() ? 4 : 6);
  out.bytes(address.octets());
  out.u16(address.port());
}

SocketAddress decode_address(Reader& in) {
  const u8 family = in.byte();
  std::array<u8, 16> octets{};
  if (family != 4 && family != 6) in.fail();
  copy(in.bytes(family == 4 ? 4 : 16), octets);
  const std::uint16_t port = in.u16();
  if (port == 0) in.fail();
  if (!in.ok()) return {};
  if (family == 4) {
    return SocketAddress::ipv4({octets[0], octets[1], octets[2], octets[3]}, port);
  }
  const auto address = SocketAddress::ipv6(octets, port);
  if (!address.is_ipv6()) in.fail();  // IPv4 in disguise: one address has one spelling.
  return address;
}

// --- messages ------------------------------------------------------------------------------------

Introduction Introduction::decode(Reader& in) {
  Introduction out;
  out.major = in.varint();
  out.minor = in.varint();
  if (!out.is_ours()) {
    in.rest();
    return out;
  }
  const u8 role = in.byte();
  if (role > std::to_underlying(Role::node)) in.fail();
  out.role = Role{role};
  const u8 purpose = in.byte();
  if (purpose > std::to_underlying(Purpose::probe)) in.fail();
  out.purpose = Purpose{purpose};
  out.nonce = decode_secret(in);
  out.max_message_size = in.varint();
  decode_list(in, out.advertised, decode_address);
  if (out.has_instance()) out.instance = in.u64();
  if (out.minor > kProtocolMinor) in.rest();
  expect_end(in);
  return out;
}

std::size_t Introduction::body_size() const {
  std::size_t size = varint_size(major) + varint_size(minor) + 2 + nonce.size() +
                     varint_size(max_message_size) + 1;
  for (const SocketAddress& address : advertised) size += address_size(address);
  return size + (has_instance() ? sizeof(instance) : 0);
}

void Introduction::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.varint(major);
  out.varint(minor);
  out.byte(std::to_underlying(role));
  out.byte(std::to_underlying(purpose));
  out.bytes(nonce);
  out.varint(max_message_size);
  out.byte(static_cast<u8>(advertised.size()));
  for (const SocketAddress& address : advertised) encode_address(out, address);
  if (has_instance()) out.u64(instance);
}

Proof Proof::decode(Reader& in) {
  const Proof out{.nonce = decode_secret(in)};
  expect_end(in);
  return out;
}

void Proof::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.bytes(nonce);
}

VerdictMessage VerdictMessage::decode(Reader& in) {
  VerdictMessage out;
  const u8 verdict = in.byte();
  if (verdict > std::to_underlying(Verdict::only_where_it_wrote)) in.fail();
  out.verdict = Verdict{verdict};
  if (in.ok() && !in.empty()) out.address = decode_host(in);
  if (in.ok() && !in.empty()) {
    const u8 by_strangers = in.byte();
    if (by_strangers > 1) in.fail();
    out.by_strangers = by_strangers == 1;
  }
  expect_end(in);
  return out;
}

std::size_t VerdictMessage::body_size() const {
  return 1 + (address ? address_size(*address) + (by_strangers ? 1 : 0) : 0);
}

void VerdictMessage::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.byte(std::to_underlying(verdict));
  if (!address) return;
  encode_address(out, *address);
  if (by_strangers) out.byte(*by_strangers ? 1 : 0);
}

PeersRequest PeersRequest::decode(Reader& in) {
  const PeersRequest out{.max = in.varint()};
  expect_end(in);
  return out;
}

std::size_t PeersRequest::body_size() const { return varint_size(max); }

void PeersRequest::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.varint(max);
}

Peers Peers::decode(Reader& in) {
  Peers out;
  decode_list(in, out.peers, [](Reader& from) {
    std::array<u8, PeerId::kSize> id{};
    copy(from.bytes(id.size()), id);
    const KnownPeer peer{.id = PeerId(id), .address = decode_address(from)};
    if (peer.id.is_zero() || peer.address.is_wildcard()) from.fail();
    return peer;
  });
  expect_end(in);
  return out;
}

std::size_t Peers::body_size() const {
  std::size_t size = 1;
  for (const KnownPeer& peer : peers) size += PeerId::kSize + address_size(peer.address);
  return size;
}

void Peers::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.byte(static_cast<u8>(peers.size()));
  for (const KnownPeer& peer : peers) {
    out.bytes(peer.id.bytes());
    encode_address(out, peer.address);
  }
}

KnockMe KnockMe::decode(Reader& in) {
  expect_end(in);
  return {};
}

void KnockMe::encode(Writer& out) const { encode_header(out, kType, body_size()); }

Knock Knock::decode(Reader& in) {
  const Knock out{.token = decode_secret(in), .address = decode_host(in)};
  expect_end(in);
  return out;
}

void Knock::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.bytes(token);
  encode_address(out, address);
}

Knocked Knocked::decode(Reader& in) {
  const Knocked out{.token = decode_secret(in), .source = decode_host(in)};
  expect_end(in);
  return out;
}

void Knocked::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.bytes(token);
  encode_address(out, source);
}

KnockSent KnockSent::decode(Reader& in) {
  KnockSent out{.token = decode_secret(in)};
  const u8 status = in.byte();
  if (status > std::to_underlying(KnockStatus::busy)) in.fail();
  out.status = KnockStatus{status};
  expect_end(in);
  return out;
}

void KnockSent::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.bytes(token);
  out.byte(std::to_underlying(status));
}

Receipts Receipts::decode(Reader& in) {
  Receipts out;
  const std::size_t count = in.byte();
  if (count > kMaxReceipts) in.fail();
  while (in.ok() && out.streams.size() < count) out.streams.push_back({in.varint()});
  expect_end(in);
  return out;
}

std::size_t Receipts::body_size() const {
  std::size_t size = 1;
  for (const StreamId stream : streams) size += varint_size(stream.value);
  return size;
}

void Receipts::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  out.byte(static_cast<u8>(streams.size()));
  for (const StreamId stream : streams) out.varint(stream.value);
}

KeySharedNotice KeySharedNotice::decode(Reader& in) {
  const KeySharedNotice out{.address = decode_host(in)};
  expect_end(in);
  return out;
}

void KeySharedNotice::encode(Writer& out) const {
  encode_header(out, kType, body_size());
  encode_address(out, address);
}

// --- by type -------------------------------------------------------------------------------------

bool is_known_control(std::uint64_t type) {
  return (type >= Introduction::kType && type <= Peers::kType) ||
         (type >= KnockMe::kType && type <= Knocked::kType) ||
         (type >= KnockSent::kType && type <= KeySharedNotice::kType);
}

std::optional<ControlMessage> decode_control(std::uint64_t type, Reader& body) {
  const auto decoded = [&body]<class Message>(Message message) -> std::optional<ControlMessage> {
    if (!body.ok()) return std::nullopt;
    return message;
  };
  switch (type) {
    case Introduction::kType:
      return decoded(Introduction::decode(body));
    case Proof::kType:
      return decoded(Proof::decode(body));
    case VerdictMessage::kType:
      return decoded(VerdictMessage::decode(body));
    case PeersRequest::kType:
      return decoded(PeersRequest::decode(body));
    case Peers::kType:
      return decoded(Peers::decode(body));
    case KnockMe::kType:
      return decoded(KnockMe::decode(body));
    case Knock::kType:
      return decoded(Knock::decode(body));
    case Knocked::kType:
      return decoded(Knocked::decode(body));
    case KnockSent::kType:
      return decoded(KnockSent::decode(body));
    case Receipts::kType:
      return decoded(Receipts::decode(body));
    case KeySharedNotice::kType:
      return decoded(KeySharedNotice::decode(body));
    default:
      return std::nullopt;
  }
}

}  // namespace qpeer::p2p
