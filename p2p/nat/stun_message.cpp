// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/stun_message.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "qpeer/transport/base/crc32.hpp"

namespace qpeer::p2p {
namespace {

constexpr std::uint16_t kBinding = 0x001;
constexpr std::size_t kAttributeHeaderSize = 4;
constexpr std::size_t kFingerprintSize = kAttributeHeaderSize + 4;
constexpr std::uint32_t kFingerprintMask = 0x5354'554e;
constexpr u8 kIpv4 = 1;
constexpr u8 kIpv6 = 2;

// RFC 8489 §14.7.
std::uint32_t fingerprint_of(Bytes message) { return crc32(message) ^ kFingerprintMask; }

// The class bits lie between those of the method: M11..M7, C1, M6..M4, C0, M3..M0. RFC 8489 §5.
constexpr std::uint16_t message_type(StunClass message_class) {
  const unsigned bits = std::to_underlying(message_class);
  return static_cast<std::uint16_t>(kBinding | (bits & 1) << 4 | (bits & 2) << 7);
}

constexpr std::size_t padding_of(std::size_t size) { return (4 - size % 4) % 4; }

/// What XOR-MAPPED-ADDRESS is combined with: the cookie and the transaction ID. RFC 8489 §14.2.
std::array<u8, 16> mask_of(const StunTransactionId& id) {
  std::array<u8, 16> out{};
  Writer writer{out};
  writer.u32(kStunCookie);
  writer.bytes(id);
  return out;
}

/// nullopt for a family that we do not know [rfc8489-6.3.3-1]. Fails when the size is not that of the
/// family [rfc8489-14.1-1] [rfc8489-14.1-2].
std::optional<SocketAddress> read_address(Reader& in, const std::array<u8, 16>& mask) {
  in.byte();  // Reserved: ignored [rfc8489-14.1-3].
  const u8 family = in.byte();
  const auto port = static_cast<std::uint16_t>(in.u16() ^ Reader(Bytes(mask)).u16());
  std::array<u8, 16> octets{};
  const Bytes read = in.rest();
  const std::size_t size = family == kIpv4 ? 4 : family == kIpv6 ? 16 : read.size();
  if (size != read.size()) in.fail();
  if (!in.ok() || (family != kIpv4 && family != kIpv6)) return std::nullopt;
  for (std::size_t i = 0; i < size; ++i) octets[i] = read[i] ^ mask[i];
  if (family == kIpv6) return SocketAddress::ipv6(octets, port);
  return SocketAddress::ipv4({octets[0], octets[1], octets[2], octets[3]}, port);
}

void write_address(Writer& out, StunAttribute type, const SocketAddress& address,
                   const std::array<u8, 16>& mask) {
  const Bytes octets = address.octets();
  out.u16(std::to_underlying(type));
  out.u16(static_cast<std::uint16_t>(4 + octets.size()));
  out.byte(0);
  out.byte(address.is_ipv4() ? kIpv4 : kIpv6);
  out.u16(address.port() ^ Reader(Bytes(mask)).u16());
  for (std::size_t i = 0; i < octets.size(); ++i) out.byte(octets[i] ^ mask[i]);
}

std::optional<std::uint16_t> read_error_code(Reader& in) {
  in.u16();  // Reserved, and five bits of the next byte: ignored [rfc8489-14.8-3].
  const unsigned hundreds = in.byte() & 0x07;
  const unsigned number = in.byte();
  in.rest();  // The reason phrase is for people.
  // [rfc8489-14.8-4] [rfc8489-14.8-5]
  if (hundreds < 3 || hundreds > 6 || number > 99) in.fail();
  return static_cast<std::uint16_t>(hundreds * 100 + number);
}

void write_error_code(Writer& out, std::uint16_t code) {
  const std::string_view reason = code == kStunUnknownAttribute ? "unknown"
                                  : code == kStunBadRequest     ? "bad request"
                                                                : "error";
  out.u16(std::to_underlying(StunAttribute::error_code));
  out.u16(static_cast<std::uint16_t>(4 + reason.size()));
  out.u16(0);
  out.byte(static_cast<u8>(code / 100));
  out.byte(static_cast<u8>(code % 100));
  out.bytes(as_bytes(reason));
  out.zeros(padding_of(reason.size()));  // [rfc8489-14-2] [rfc8489-14-4]
}

StunAttributeTypes read_types(Reader& in) {
  StunAttributeTypes out;
  while (in.ok() && !in.empty()) out.push_back(in.u16());
  return out;
}

/// Attributes one after the other: which of them count, and what they say.
class AttributeReader {
 public:
  AttributeReader(StunMessage& message, Bytes datagram)
      : message_(message), datagram_(datagram), in_(datagram.subspan(kStunHeaderSize)) {}

  /// Whether all were well-formed.
  bool read() {
    while (in_.ok() && !in_.empty()) {
      const std::size_t at = kStunHeaderSize + in_.position();
      const std::uint16_t type = in_.u16();
      const std::uint16_t size = in_.u16();
      Reader value{in_.bytes(size)};
      in_.bytes(padding_of(size));  // Ignored, whatever it is [rfc8489-14-4].
      if (in_.ok()) on_attribute(type, value, at);
      if (!value.ok()) in_.fail();
    }
    if (!message_.mapped_address) message_.mapped_address = plain_address_;
    return in_.ok();
  }

 private:
  void on_attribute(std::uint16_t type, Reader& value, std::size_t at) {
    const auto attribute = static_cast<StunAttribute>(type);
    if (attribute == StunAttribute::fingerprint) return check_fingerprint(value, at);
    // RFC 8489 §9 [rfc8489-9-1] [rfc8489-9-2]: what follows the proof of integrity is not part of what
    // its sender said. The other proof may follow, which we skip all the same.
    if (after_integrity_) return;
    switch (attribute) {
      case StunAttribute::mapped_address:
        return set_first(plain_address_, read_address(value, {}));
      case StunAttribute::xor_mapped_address:
        return set_first(message_.mapped_address,
                         read_address(value, mask_of(message_.transaction_id)));
      case StunAttribute::other_address:
        return set_first(message_.other_address, read_address(value, {}));
      case StunAttribute::error_code:
        return set_first(message_.error_code, read_error_code(value));
      case StunAttribute::unknown_attributes:
        if (message_.unknown_attributes.empty()) message_.unknown_attributes = read_types(value);
        return;
      case StunAttribute::knock_token:
        return read_token(value);
      case StunAttribute::message_integrity:
      case StunAttribute::message_integrity_sha256:
        after_integrity_ = true;
        return;
      case StunAttribute::username:
      case StunAttribute::realm:
      case StunAttribute::nonce:
      case StunAttribute::password_algorithm:
      case StunAttribute::userhash:
        return;  // Known, and not expected [rfc8489-6.3-2].
      default:
        // Those that a receiver need not understand are ignored [rfc8489-6.3-1].
        if (type < 0x8000) note_not_understood(type);
    }
  }

  /// Of several attributes of a type the first counts [rfc8489-14-6].
  template <class T>
  static void set_first(std::optional<T>& to, const std::optional<T>& value) {
    if (!to) to = value;
  }

  void note_not_understood(std::uint16_t type) {
    const auto& known = message_.not_understood;
    if (std::ranges::find(known, type) == known.end()) message_.not_understood.push_back(type);
  }

  void read_token(Reader& value) {
    KnockToken token{};
    const Bytes read = value.bytes(token.size());
    if (!value.empty()) value.fail();
    if (!value.ok() || message_.knock_token) return;
    copy(read, token);
    message_.knock_token = token;
  }

  // RFC 8489 §14.7 [rfc8489-14.7-2]: the last attribute, over all that is before it.
  void check_fingerprint(Reader& value, std::size_t at) {
    const bool right = value.u32() == fingerprint_of(datagram_.first(at));
    if (!right || !value.empty() || !in_.empty()) value.fail();
  }

  StunMessage& message_;
  Bytes datagram_;
  Reader in_;
  std::optional<SocketAddress> plain_address_;
  bool after_integrity_ = false;
};

std::optional<StunClass> class_of(std::uint16_t type) {
  for (const auto each :
       {StunClass::request, StunClass::indication, StunClass::success, StunClass::error}) {
    if (message_type(each) == type) return each;
  }
  return std::nullopt;
}

}  // namespace

std::optional<StunMessage> StunMessage::decode(Bytes datagram) {
  // [rfc8489-5-1] [rfc8489-5-3]: the first two bits, and the cookie.
  if (!looks_like_stun(datagram)) return std::nullopt;
  Reader header{datagram.first(kStunHeaderSize)};
  const auto message_class = class_of(header.u16());
  // [rfc8489-5-8]
  if (!message_class || header.u16() != datagram.size() - kStunHeaderSize) return std::nullopt;
  StunMessage out{.message_class = *message_class};
  header.u32();
  copy(header.rest(), out.transaction_id);
  if (!AttributeReader(out, datagram).read()) return std::nullopt;
  return out;
}

void StunMessage::encode(Writer& out) const {
  const std::size_t start = out.size();
  const auto written = [&] { return out.written().subspan(start); };
  out.u16(message_type(message_class));
  out.u16(0);  // The length: below.
  out.u32(kStunCookie);
  out.bytes(transaction_id);
  if (mapped_address) {
    write_address(out, StunAttribute::xor_mapped_address, *mapped_address, mask_of(transaction_id));
  }
  if (other_address) write_address(out, StunAttribute::other_address, *other_address, {});
  if (error_code) write_error_code(out, *error_code);
  if (!unknown_attributes.empty()) {
    out.u16(std::to_underlying(StunAttribute::unknown_attributes));
    out.u16(static_cast<std::uint16_t>(2 * unknown_attributes.size()));  // [rfc8489-14-3]
    for (const std::uint16_t type : unknown_attributes) out.u16(type);
    out.zeros(padding_of(2 * unknown_attributes.size()));
  }
  if (knock_token) {
    out.u16(std::to_underlying(StunAttribute::knock_token));
    out.u16(static_cast<std::uint16_t>(knock_token->size()));
    out.bytes(*knock_token);
  }
  if (change.any()) {
    out.u16(std::to_underlying(StunAttribute::change_request));
    out.u16(4);
    out.u32((change.host ? 4U : 0U) | (change.port ? 2U : 0U));
  }
  if (!out.ok()) return;
  const std::size_t size = written().size() - kStunHeaderSize + kFingerprintSize;
  Writer(written().subspan(2)).u16(static_cast<std::uint16_t>(size));
  const std::uint32_t fingerprint = fingerprint_of(written());
  out.u16(std::to_underlying(StunAttribute::fingerprint));
  out.u16(4);
  out.u32(fingerprint);
}

}  // namespace qpeer::p2p
