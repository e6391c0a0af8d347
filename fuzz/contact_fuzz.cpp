// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Peer ids, addresses and contacts as people type them: refused with a reason, or read, and read the
// same again once written. The first byte chooses: 0 a peer id, 1 an address, 2 a host with a port,
// 3 a contact, 4 an id in binary, whose text is then edited (position, character), 5 the body of a ticket in
// binary, whose checksum is then made right.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/peer_address.hpp"
#include "qpeer/p2p/ticket.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/base32.hpp"
#include "qpeer/transport/base/crc32.hpp"
#include "qpeer/transport/base/host_port.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using p2p::PeerAddress;

constexpr std::uint16_t kDefaultPort = 4477;
constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

/// What a peer id's text may look like, as to_string() writes it.
std::string normalised(std::string_view text) {
  std::string out(text);
  out.erase(0, out.find_first_not_of(kWhiteSpace));
  out.erase(out.find_last_not_of(kWhiteSpace) + 1);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

void read_id(std::string_view text) {
  const auto id = PeerId::parse(text);
  if (!id) {
    const std::string& why = id.error();
    check(!why.empty());
    check(std::ranges::all_of(why, [](char c) { return c >= ' ' && c <= '~'; }));
    return;
  }
  check(id->to_string() == normalised(text));  // One id has one spelling.
  check(id->to_string().starts_with(id->short_text()));
}

void edit_id(Bytes input) {
  Reader in{input};
  std::array<u8, PeerId::kSize> bytes{};
  const Bytes given = in.bytes(std::min(bytes.size(), in.remaining()));
  copy(given, bytes);
  const PeerId id(bytes);
  std::string text = id.to_string();
  check(text.size() == PeerId::kTextSize);
  const auto back = PeerId::parse(text);
  check(back && *back == id);
  while (in.remaining() >= 2) {
    const std::size_t position = in.byte() % text.size();
    text[position] = static_cast<char>(in.byte());
  }
  read_id(text);
}

void read_address(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  if (!address) return;
  check(address->valid() && address->is_ipv4() != address->is_ipv6());
  check(!address->is_ipv4() || address->scope_id() == 0);
  const std::string written = address->to_string();
  check(SocketAddress::parse(written) == address);
  check(address->with_port(1).same_host(*address));
}

void read_host_port(std::string_view text) {
  const auto parts = split_host_port(text, kDefaultPort);
  if (!parts) return check(!parts.error().empty());
  const auto back = split_host_port(parts->to_string(), 1);
  check(back && *back == *parts);
}

void read_contact(std::string_view text) {
  const auto contact = PeerAddress::parse(text, kDefaultPort);
  if (!contact) return check(!contact.error().empty());
  for (const PeerAddress::Place& place : contact->places()) {
    check(place.port != 0 && !place.host.empty() && place.host.size() <= 255);
  }
  check(contact->others.size() < p2p::Ticket::kMaxPlaces);
  const auto back = PeerAddress::parse(contact->to_string(), 1);
  check(back && back->id == contact->id && back->places()[0] == contact->places()[0]);
  const std::string ticket = contact->to_ticket();
  check(ticket.empty() == !contact->id);
  // One contact has one ticket, however its addresses were spelled.
  const auto from_ticket = PeerAddress::parse(ticket, 1);
  if (from_ticket) check(from_ticket->to_ticket() == ticket);
  check(from_ticket || ticket.empty() || contact->host.size() > 253);
}

void read_ticket(Bytes body) {
  std::vector<u8> all(body.begin(), body.end());
  const std::uint32_t checksum = crc32(body);
  for (unsigned i = 0; i < 4; ++i) all.push_back(static_cast<u8>(checksum >> (8 * i)));
  const std::string text = "qpeerticket1" + to_base32(all);
  read_contact(text);
  const auto ticket = p2p::Ticket::parse(text);
  if (!ticket) return;
  check(!ticket->places.empty() && ticket->places.size() <= p2p::Ticket::kMaxPlaces);
  // Entries that are not known are left out, and addresses spelled in one way.
  const auto back = p2p::Ticket::parse(ticket->to_string());
  check(back && back->id == ticket->id && back->places.size() == ticket->places.size());
  check(back->to_string() == ticket->to_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest{data + 1, size - 1};
  switch (data[0]) {
    case 0:
      read_id(as_text(rest));
      break;
    case 1:
      read_address(as_text(rest));
      break;
    case 2:
      read_host_port(as_text(rest));
      break;
    case 3:
      read_contact(as_text(rest));
      break;
    case 4:
      edit_id(rest);
      break;
    case 5:
      read_ticket(rest);
      break;
    default:
      break;
  }
  return 0;
}
