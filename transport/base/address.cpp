// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/address.hpp"

#include <charconv>

namespace qpeer {
namespace {

template <class T>
bool number(std::string_view text, T& out, int base = 10) {
  if (text.empty()) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && end == text.data() + text.size();
}

std::optional<std::array<u8, 4>> parse_octets4(std::string_view text) {
  std::array<u8, 4> out{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view part = text.substr(0, dot);
    // A leading zero is refused: some programs read it as octal.
    if (part.size() > 3 || (part.size() > 1 && part[0] == '0') || !number(part, out[i])) {
      return std::nullopt;
    }
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return out;
}

/// Appends the groups of "a:b:c"; false when malformed. Where the address ends with them, the last
/// may be dotted IPv4.
bool parse_groups(std::string_view text, bool at_end, std::array<std::uint16_t, 8>& groups,
                  std::size_t& count) {
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (part.find('.') != std::string_view::npos) {
      const auto v4 = parse_octets4(part);
      if (!v4 || !at_end || colon != std::string_view::npos || count > 6) return false;
      groups[count++] = static_cast<std::uint16_t>((*v4)[0] << 8 | (*v4)[1]);
      groups[count++] = static_cast<std::uint16_t>((*v4)[2] << 8 | (*v4)[3]);
      return true;
    }
    if (count == 8 || part.size() > 4 || !number(part, groups[count], 16)) return false;
    ++count;
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // A trailing single colon.
  }
  return true;
}

std::optional<std::array<u8, 16>> parse_octets6(std::string_view text) {
  std::array<std::uint16_t, 8> front{};
  std::array<std::uint16_t, 8> back{};
  std::size_t front_count = 0;
  std::size_t back_count = 0;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, true, front, front_count) || front_count != 8) return std::nullopt;
  } else {
    if (!parse_groups(text.substr(0, gap), false, front, front_count) ||
        !parse_groups(text.substr(gap + 2), true, back, back_count) ||
        front_count + back_count > 7) {
      return std::nullopt;
    }
  }
  for (std::size_t i = 0; i < back_count; ++i) front[8 - back_count + i] = back[i];
  std::array<u8, 16> out{};
  for (std::size_t i = 0; i < 8; ++i) {
    out[2 * i] = static_cast<u8>(front[i] >> 8);
    out[2 * i + 1] = static_cast<u8>(front[i]);
  }
  return out;
}

std::string format6(Bytes octets) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = octets[2 * i] << 8U | octets[2 * i + 1];
  std::size_t best = 8;
  std::size_t best_length = 1;  // A single zero group is not shortened (RFC 5952).
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
    i = end == i ? i + 1 : end;
  }
  std::string out;
  std::array<char, 8> digits{};
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16).ptr;
    out.append(digits.data(), end);
  }
  return out;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string_view::npos || !number(text.substr(colon + 1), port)) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    std::uint32_t scope_id = 0;
    if (const std::size_t percent = host.find('%'); percent != std::string_view::npos) {
      if (!number(host.substr(percent + 1), scope_id)) return std::nullopt;
      host = host.substr(0, percent);
    }
    const auto octets = parse_octets6(host);
    if (!octets) return std::nullopt;
    return ipv6(*octets, port, scope_id);
  }
  const auto octets = parse_octets4(host);
  if (!octets) return std::nullopt;
  return ipv4(*octets, port);
}

std::string SocketAddress::to_string() const {
  if (is_ipv4()) {
    std::string out;
    for (const u8 octet : octets()) out += (out.empty() ? "" : ".") + std::to_string(octet);
    return out + ":" + std::to_string(port_);
  }
  if (is_ipv6()) {
    const std::string scope = scope_id_ == 0 ? "" : "%" + std::to_string(scope_id_);
    return "[" + format6(octets()) + scope + "]:" + std::to_string(port_);
  }
  return "unspecified";
}

}  // namespace qpeer
