// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/interop/relay/wiretap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "qpeer/transport/wire/header.hpp"

namespace qpeer::relay {
namespace {

using wire::PacketType;
using PacketSeen = std::function<void(const wire::ProtectedHeader&)>;

// Each packet of a datagram whose header can be read without knowing the connection.
void walk(Bytes datagram, Sightings& seen, const PacketSeen& packet_seen) {
  const u8* const begin = datagram.data();
  while (!datagram.empty()) {
    // What follows a packet without either bit is padding; a first packet may be greased (RFC 9287).
    const bool padding = (datagram[0] & (wire::kLongFormBit | wire::kFixedBit)) == 0;
    if (padding && datagram.data() != begin) return;
    const auto invariant = wire::InvariantHeader::decode(datagram, 0);
    if (invariant && invariant->long_form) {
      if (invariant->version == 0) ++seen.version_negotiation;
      const auto version = static_cast<Version>(invariant->version);
      if (version != Version::v1 && version != Version::v2) {
        if (invariant->version != 0) ++seen.other_version;
        return;
      }
    }
    const auto header = wire::decode_header(datagram, 0, true);
    if (!header) return;
    packet_seen(*header);
    datagram = datagram.subspan(std::min(header->size, datagram.size()));
  }
}

void count(const wire::ProtectedHeader& header, Sightings& seen) {
  const bool v2 = header.version == Version::v2;
  switch (header.type) {
    case PacketType::initial:
      ++(v2 ? seen.initial_v2 : seen.initial_v1);
      break;
    case PacketType::handshake:
      ++(v2 ? seen.handshake_v2 : seen.handshake_v1);
      break;
    case PacketType::zero_rtt:
      ++seen.zero_rtt;
      seen.zero_rtt_bytes += header.size;
      break;
    case PacketType::retry:
      ++seen.retry;
      break;
    case PacketType::one_rtt:
      ++seen.one_rtt;
      seen.one_rtt_bytes += header.size;
      break;
    default:
      break;
  }
}

std::string_view name_of(PacketType type) {
  switch (type) {
    case PacketType::initial:
      return "Initial";
    case PacketType::zero_rtt:
      return "0-RTT";
    case PacketType::handshake:
      return "Handshake";
    case PacketType::retry:
      return "Retry";
    case PacketType::one_rtt:
      return "1-RTT";
    default:
      return "other";
  }
}

}  // namespace

void Wiretap::from_client(std::uint64_t flow, Bytes datagram, Ecn ecn) {
  ++client_.ecn[static_cast<std::size_t>(ecn)];
  walk(datagram, client_, [&](const wire::ProtectedHeader& header) {
    count(header, client_);
    if (header.type != PacketType::initial) return;
    const Bytes id = header.source_connection_id.bytes();
    connections_.emplace(flow, std::vector<u8>(id.begin(), id.end()));
  });
}

void Wiretap::at_server(Proof& proof, Bytes datagram) {
  if (proof.proved) return;
  proof.to_server += datagram.size();
  Sightings unused;
  walk(datagram, unused, [&](const wire::ProtectedHeader& header) {
    if (header.type == PacketType::handshake || header.type == PacketType::one_rtt) {
      proof.proved = true;
    }
    if (header.type == PacketType::initial && !header.token.empty()) proof.proved = true;
  });
}

void Wiretap::from_server(Proof& proof, Bytes datagram, Ecn ecn) {
  ++server_.ecn[static_cast<std::size_t>(ecn)];
  walk(datagram, server_, [&](const wire::ProtectedHeader& header) { count(header, server_); });
  if (proof.proved) return;
  proof.to_client += datagram.size();
  const std::uint64_t received = std::max<std::uint64_t>(proof.to_server, 1);
  amplification_ = std::max(amplification_, proof.to_client * 100 / received);
}

std::string outline(Bytes datagram) {
  std::string out;
  Sightings seen;
  walk(datagram, seen, [&](const wire::ProtectedHeader& header) {
    if (!out.empty()) out += ' ';
    out += name_of(header.type);
  });
  if (seen.version_negotiation != 0) return "Version Negotiation";
  return out.empty() ? "other" : out;
}

std::string describe(const Sightings& seen, const std::string& prefix) {
  std::string out;
  const auto line = [&](const char* name, std::uint64_t value) {
    out += fmt::format("{}{} {}\n", prefix, name, value);
  };
  line("ect0", seen.ecn[static_cast<std::size_t>(Ecn::ect0)]);
  line("ect1", seen.ecn[static_cast<std::size_t>(Ecn::ect1)]);
  line("ce", seen.ecn[static_cast<std::size_t>(Ecn::ce)]);
  line("not_ect", seen.ecn[static_cast<std::size_t>(Ecn::not_ect)]);
  line("initial_v1", seen.initial_v1);
  line("initial_v2", seen.initial_v2);
  line("handshake_v1", seen.handshake_v1);
  line("handshake_v2", seen.handshake_v2);
  line("zero_rtt", seen.zero_rtt);
  line("zero_rtt_bytes", seen.zero_rtt_bytes);
  line("one_rtt", seen.one_rtt);
  line("one_rtt_bytes", seen.one_rtt_bytes);
  line("retry", seen.retry);
  line("version_negotiation", seen.version_negotiation);
  line("other_version", seen.other_version);
  return out;
}

}  // namespace qpeer::relay
