// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/new_tokens.hpp"

#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {
namespace {

constexpr u8 kFormat = 1;

void write_sized(Writer& out, Bytes bytes) {
  out.varint(bytes.size());
  out.bytes(bytes);
}

}  // namespace

bool NewTokens::add(Bytes token) {
  // RFC 9000 §19.7 [rfc9000-19.7-1]: a token of no bytes is none.
  if (token.empty() || tokens_.size() == kMax) return false;
  to_send_ = static_cast<u8>(to_send_ | 1U << tokens_.size());
  tokens_.emplace_back(token.begin(), token.end());
  return true;
}

void NewTokens::write_frames(PacketWriter& out) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if ((to_send_ >> i & 1U) == 0) continue;
    const SentFrame sent{.owner = FrameOwner::new_tokens, .stream = {}, .offset = i};
    if (!out.write(wire::NewTokenFrame{.token = tokens_[i]}, sent)) return;
    to_send_ = static_cast<u8>(to_send_ & ~(1U << i));
  }
}

// RFC 9000 §8.1.3 [rfc9000-8.1.3-7], §13.3: the same token again, so that it stays one.
void NewTokens::on_fate(const SentFrame& frame, Fate fate) {
  if (frame.offset >= tokens_.size()) return;
  const auto i = static_cast<std::size_t>(frame.offset);
  if (fate == Fate::acked) {
    tokens_[i] = {};
    to_send_ = static_cast<u8>(to_send_ & ~(1U << i));
  } else if (fate == Fate::lost && !tokens_[i].empty()) {
    to_send_ = static_cast<u8>(to_send_ | 1U << i);
  }
}

std::vector<u8> StoredToken::encode() const {
  std::vector<u8> storage(64 + server_name.size() + token.size());
  Writer out(storage);
  out.byte(kFormat);
  out.u32(static_cast<std::uint32_t>(version));
  out.byte(grease_quic_bit ? 1 : 0);
  out.u64(static_cast<std::uint64_t>(received));
  write_sized(out, server.octets());
  out.u16(server.port());
  write_sized(out, as_bytes(server_name));
  write_sized(out, token);
  storage.resize(out.size());
  return storage;
}

std::optional<StoredToken> StoredToken::decode(Bytes bytes) {
  Reader in(bytes);
  if (in.byte() != kFormat) return std::nullopt;
  StoredToken out;
  out.version = Version{in.u32()};
  out.grease_quic_bit = in.byte() == 1;
  out.received = static_cast<std::int64_t>(in.u64());
  const Bytes octets = in.bytes(in.varint());
  const std::uint16_t port = in.u16();
  if (octets.size() == 4) {
    std::array<u8, 4> v4{};
    copy(octets, v4);
    out.server = SocketAddress::ipv4(v4, port);
  } else if (octets.size() == 16) {
    std::array<u8, 16> v6{};
    copy(octets, v6);
    out.server = SocketAddress::ipv6(v6, port);
  }
  out.server_name = as_text(in.bytes(in.varint()));
  const Bytes token = in.bytes(in.varint());
  if (!in.ok() || !in.empty() || token.empty() || token.size() > kMaxToken) return std::nullopt;
  out.token.assign(token.begin(), token.end());
  return out;
}

// RFC 9000 §8.1.3 [rfc9000-8.1.3-10], RFC 9369 §5 [rfc9369-5-1]: it would be of no use elsewhere, and
// would tell that server where else this client was.
bool StoredToken::applies_to(const SocketAddress& address, std::string_view name,
                             Version to_version) const {
  return equal(server.octets(), address.octets()) && server.port() == address.port() &&
         server_name == name && version == to_version;
}

}  // namespace qpeer::transport
