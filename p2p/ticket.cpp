// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/ticket.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/base32.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/crc32.hpp"

namespace qpeer::p2p {
namespace {

using Error = std::unexpected<std::string>;
using Place = Ticket::Place;

constexpr char kVersion = '1';
constexpr std::size_t kChecksumSize = 4;
constexpr std::size_t kFixedSize = PeerId::kSize + 2;  // Before the entries.
constexpr std::size_t kMaxHostSize = 253;              // With the port it is at most 255 bytes.
constexpr std::size_t kMaxEntrySize = 2 + 255;
constexpr std::size_t kMaxSize = kFixedSize + Ticket::kMaxPlaces * kMaxEntrySize + kChecksumSize;
static_assert(Ticket::kPrefix.size() + 1 + (8 * kMaxSize + 4) / 5 <= Ticket::kMaxTextSize);

enum class Kind : u8 { ipv4 = 1, ipv6 = 2, name = 3 };

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a')
                                              : character;
}

std::array<u8, kChecksumSize> checksum_of(Bytes body) {
  std::array<u8, kChecksumSize> out{};
  const std::uint32_t crc = crc32(body);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<u8>(crc >> (8 * i));
  return out;
}

// --- writing -------------------------------------------------------------------------------------

bool is_writable(const Place& place) {
  return !place.host.empty() && place.host.size() <= kMaxHostSize;
}

void write_entry(Writer& out, const Place& place) {
  const auto address = place.address();
  if (address && address->scope_id() == 0) {
    out.byte(std::to_underlying(address->is_ipv4() ? Kind::ipv4 : Kind::ipv6));
    out.byte(static_cast<u8>(address->octets().size() + 2));
    out.bytes(address->octets());
    out.u16(place.port);
  } else {
    out.byte(std::to_underlying(Kind::name));
    out.byte(static_cast<u8>(2 + place.host.size()));
    out.u16(place.port);
    out.bytes(as_bytes(place.host));
  }
}

// --- reading -------------------------------------------------------------------------------------

// Fails for a value that is not of its kind. Nothing for a kind that is not known.
std::optional<Place> read_entry(Reader& in) {
  const Kind kind{in.byte()};
  const Bytes value = in.bytes(in.byte());
  Reader fields{value};
  std::optional<Place> out;
  if (kind == Kind::ipv4) {
    std::array<u8, 4> octets{};
    copy(fields.bytes(octets.size()), octets);
    out = Place::at(SocketAddress::ipv4(octets, fields.u16()));
  } else if (kind == Kind::ipv6) {
    std::array<u8, 16> octets{};
    copy(fields.bytes(octets.size()), octets);
    out = Place::at(SocketAddress::ipv6(octets, fields.u16()));
  } else if (kind == Kind::name) {
    const std::uint16_t port = fields.u16();
    out = Place{.host = std::string(as_text(fields.rest())), .port = port};
  }
  if (out && (!fields.ok() || !fields.empty() || !is_writable(*out))) in.fail();
  return out;
}

std::expected<std::vector<Place>, std::string> read_entries(Bytes entries) {
  std::vector<Place> out;
  Reader in{entries};
  while (!in.empty()) {
    auto place = read_entry(in);
    if (!place || !in.ok()) continue;
    if (out.size() == Ticket::kMaxPlaces) {
      return Error("the ticket has more than " + std::to_string(Ticket::kMaxPlaces) + " addresses");
    }
    out.push_back(std::move(*place));
  }
  if (!in.ok()) return Error("the ticket has an address that cannot be read");
  if (out.empty()) return Error("the ticket has no address that this version of qpeer knows");
  return out;
}

}  // namespace

bool Ticket::is_meant(std::string_view text) {
  return std::ranges::equal(text.substr(0, kPrefix.size()), kPrefix, {}, lower);
}

std::string Ticket::to_string() const {
  std::array<u8, kMaxSize> storage{};
  Writer out{storage};
  out.bytes(id.bytes());
  std::array<u8, kMaxPlaces * kMaxEntrySize> entry_storage{};
  Writer entries{entry_storage};
  std::size_t left = kMaxPlaces;
  for (const Place& place : places) {
    if (left == 0 || !is_writable(place)) continue;
    write_entry(entries, place);
    --left;
  }
  out.u16(static_cast<std::uint16_t>(entries.size()));
  out.bytes(entries.written());
  out.bytes(checksum_of(out.written()));
  return std::string(kPrefix) + kVersion + to_base32(out.written());
}

std::expected<Ticket, std::string> Ticket::parse(std::string_view text) {
  if (!is_meant(text)) return Error("a ticket begins with " + std::string(kPrefix));
  if (text.size() > kMaxTextSize) return Error("the ticket is longer than any");
  const std::size_t begin = kPrefix.size() + 1;
  if (text.size() < begin) return Error("the ticket was cut off");
  if (text[begin - 1] != kVersion) {
    return Error("the ticket is mistyped after \"" + std::string(kPrefix) +
                 "\", or of a later version of qpeer");
  }
  const Base32Bytes coded = from_base32(text.substr(begin));
  if (coded.wrong_at != std::string_view::npos) {
    return Error("a ticket has " + why_not_base32(text, begin + coded.wrong_at));
  }
  const Bytes all = coded.bytes;
  if (all.size() < kFixedSize + kChecksumSize) return Error("the ticket was cut off");
  const Bytes body = all.first(all.size() - kChecksumSize);
  Reader in{body};
  Ticket out;
  std::array<u8, PeerId::kSize> id{};
  copy(in.bytes(id.size()), id);
  out.id = PeerId{id};
  const std::size_t size = in.u16();
  if (!coded.is_exact || !equal(checksum_of(body), all.last(kChecksumSize))) {
    // The size tells a ticket that ends too early from one with a wrong character.
    return Error(size > in.remaining() ? "the ticket was cut off"
                                       : "the ticket is mistyped: its checksum does not match");
  }
  if (size != in.remaining()) return Error("the ticket does not have the size that it names");
  auto places = read_entries(in.rest());
  if (!places) return Error(std::move(places.error()));
  out.places = std::move(*places);
  return out;
}

}  // namespace qpeer::p2p
