// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/peer_address.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "qpeer/p2p/ticket.hpp"
#include "qpeer/transport/base/host_port.hpp"

namespace qpeer::p2p {
namespace {

using Error = std::unexpected<std::string>;

constexpr std::size_t kLongestHost = 255;  // RFC 1035 §2.3.4.
constexpr std::size_t kLongestLabel = 63;  // The same.
constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

// What cannot be in any name or address; it would only confuse whoever reads a log.
bool is_foreign(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte <= ' ' || byte == 0x7f || std::string_view("@[]/\\?#\"").contains(character);
}

// An IPv6 address, whose scope may be the name of an interface.
bool is_ipv6(std::string_view host) {
  const std::size_t percent = host.find('%');
  if (percent != std::string_view::npos && percent + 1 == host.size()) return false;
  return SocketAddress::parse("[" + std::string(host.substr(0, percent)) + "]:1").has_value();
}

// Also of what was meant as a ticket and is mistyped at its beginning.
bool has_long_label(std::string_view host) {
  std::size_t size = 0;
  return std::ranges::any_of(host, [&](char each) {
    size = each == '.' ? 0 : size + 1;
    return size > kLongestLabel;
  });
}

std::string why_bad_host(std::string_view host) {
  if (host.size() > kLongestHost) return "the host's name is longer than 255 characters";
  if (std::ranges::any_of(host, is_foreign)) {
    return "the host's name has a character that is in no name";
  }
  if (host.contains(':')) {
    if (is_ipv6(host)) return {};
    return "\"" + std::string(host) + "\" is neither host:port nor an IPv6 address";
  }
  if (Ticket::is_meant(host)) return "a ticket has neither an id before it nor a port behind it";
  if (has_long_label(host)) {
    return "it begins as no ticket does, and no part of a host's name is longer than 63 characters";
  }
  return {};
}

std::string why_bad_place(const PeerAddress::Place& place) {
  if (std::string wrong = why_bad_host(place.host); !wrong.empty()) return wrong;
  return place.port == 0 ? "nobody can be reached at port 0" : "";
}

std::expected<PeerAddress, std::string> parse_ticket(std::string_view text) {
  auto ticket = Ticket::parse(text);
  if (!ticket) return Error(std::move(ticket.error()));
  for (const PeerAddress::Place& place : ticket->places) {
    if (const std::string wrong = why_bad_place(place); !wrong.empty()) {
      return Error("the ticket has an address that is none: " + wrong);
    }
  }
  std::vector<PeerAddress::Place>& places = ticket->places;
  PeerAddress out{.id = ticket->id, .host = std::move(places[0].host), .port = places[0].port};
  out.others.assign(std::move_iterator(places.begin() + 1), std::move_iterator(places.end()));
  return out;
}

}  // namespace

PeerAddress::Place PeerAddress::Place::at(const SocketAddress& address) {
  std::string host = address.with_port(0).to_string();  // "192.0.2.1:0" or "[2001:db8::1]:0"
  host.resize(host.size() - 2);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return {.host = std::move(host), .port = address.port()};
}

std::optional<SocketAddress> PeerAddress::Place::address() const {
  return SocketAddress::parse(to_string());
}

std::string PeerAddress::Place::to_string() const { return HostPort{host, port}.to_string(); }

std::expected<PeerAddress, std::string> PeerAddress::parse(std::string_view text,
                                                           std::uint16_t default_port) {
  std::string_view rest = trimmed(text);
  if (Ticket::is_meant(rest)) return parse_ticket(rest);
  PeerAddress out;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const auto id = PeerId::parse(rest.substr(0, at));
    if (!id) return Error(id.error());
    out.id = *id;
    rest.remove_prefix(at + 1);
  }
  auto parts = split_host_port(rest, default_port);
  if (!parts) return Error(std::move(parts.error()));
  std::string wrong = why_bad_place({.host = parts->host, .port = parts->port});
  if (!wrong.empty()) return Error(std::move(wrong));
  out.host = std::move(parts->host);
  out.port = parts->port;
  return out;
}

std::vector<PeerAddress::Place> PeerAddress::places() const {
  std::vector<Place> out{{.host = host, .port = port}};
  out.insert(out.end(), others.begin(), others.end());
  return out;
}

std::string PeerAddress::to_ticket() const {
  return id ? Ticket{.id = *id, .places = places()}.to_string() : "";
}

std::string PeerAddress::to_string() const {
  const std::string where = Place{host, port}.to_string();
  return id ? id->to_string() + '@' + where : where;
}

}  // namespace qpeer::p2p
