// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Messages and attributes of rtnetlink, as Linux sends them. Nothing outside of the bytes given is read.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::io::netlink {

/// The kernel's nlmsghdr: `size` is with the header.
struct MessageHeader {
  std::uint32_t size;
  std::uint16_t type;
  std::uint16_t flags;
  std::uint32_t sequence;
  std::uint32_t port;
};
/// The kernel's rtattr: `size` is with the header.
struct AttributeHeader {
  std::uint16_t size;
  std::uint16_t type;
};

/// The fixed part of a message or attribute at the start of `bytes`; nullopt when they are too few.
template <class T>
std::optional<T> head_of(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T out{};
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

/// Past a message or attribute of this size, whose successor is aligned.
inline Bytes behind(Bytes bytes, std::size_t size) {
  constexpr std::size_t kAlignment = 4;
  const std::size_t aligned = (size + kAlignment - 1) / kAlignment * kAlignment;
  return bytes.subspan(std::min(bytes.size(), aligned));
}

/// Calls `visit` with the type and value of each attribute in `rest`.
template <class Visit>
void for_each_attribute(Bytes rest, Visit visit) {
  while (const auto attribute = head_of<AttributeHeader>(rest)) {
    const std::size_t size = attribute->size;
    if (size < sizeof *attribute || size > rest.size()) return;
    visit(attribute->type, rest.first(size).subspan(sizeof *attribute));
    rest = behind(rest, size);
  }
}

/// The same with each message in `bytes`; the value is its body.
template <class Visit>
void for_each_message(Bytes bytes, Visit visit) {
  while (const auto header = head_of<MessageHeader>(bytes)) {
    const std::size_t size = header->size;
    if (size < sizeof *header || size > bytes.size()) return;
    visit(header->type, bytes.first(size).subspan(sizeof *header));
    bytes = behind(bytes, size);
  }
}

/// The address that an attribute holds, with port 0; of a link-local one `link` is the zone. Not valid() when
/// it is none.
inline SocketAddress address_of(Bytes octets, std::uint32_t link) {
  if (octets.size() == 4) {
    std::array<u8, 4> out{};
    copy(octets, out);
    return SocketAddress::ipv4(out, 0);
  }
  if (octets.size() == 16) {
    std::array<u8, 16> out{};
    copy(octets, out);
    const bool link_local = octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
    return SocketAddress::ipv6(out, 0, link_local ? link : 0);
  }
  return {};
}

}  // namespace qpeer::io::netlink
