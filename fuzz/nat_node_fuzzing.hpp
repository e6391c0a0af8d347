// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Parts of the harness of a node behind a NAT box: kinds of boxes and gateways, forged answers of gateways, and the
// bounds of what a node sends beside QUIC.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/nat/probe_target.hpp"
#include "qpeer/p2p/nat/stun_message.hpp"
#include "qpeer/tests/sim/link.hpp"
#include "qpeer/tests/sim/nat_gateway.hpp"
#include "qpeer/tests/sim/nat_types.hpp"

namespace qpeer::fuzz {

inline constexpr std::uint32_t kStunAnswers = 30;
inline constexpr std::uint32_t kStunAnswersOfSite = 5;
inline constexpr std::uint32_t kKnocks = 5;

inline sim::NatBoxConfig box_config(u8 options) {
  sim::NatBoxConfig out;
  if ((options & 4) != 0) out = sim::symmetric();
  if ((options & 8) != 0) {
    out.ports = sim::PortAssignment::sequential;
    out.port_step = 2;
  }
  out.translates = (options & 3) != 3;
  if ((options & 3) == 0) out.filtering = sim::NatDependence::endpoint_independent;
  if ((options & 3) == 1) out.filtering = sim::NatDependence::address_dependent;
  if ((options & 16) != 0) out.timeout = 20s;
  if ((options & 32) != 0) out.on_unsolicited = sim::OnUnsolicited::remember;
  if ((options & 64) != 0) out.on_unsolicited = sim::OnUnsolicited::punish;
  if ((options & 128) != 0) out.hairpin = sim::Hairpin::off;
  return out;
}

inline sim::NatGatewayConfig gateway_config(u8 options) {
  sim::NatGatewayConfig out;
  out.nat_pmp = (options & 1) != 0;
  out.pcp = (options & 2) != 0;
  out.refuses = (options & 4) != 0;
  out.ignores_suggestion = (options & 8) != 0;
  if ((options & 16) != 0) out.min_lifetime = out.max_lifetime = std::chrono::seconds(8);
  return out;
}

inline std::vector<u8> encoded(const p2p::StunMessage& message) {
  std::vector<u8> out(p2p::kMaxStunSize);
  Writer writer{out};
  message.encode(writer);
  out.resize(writer.size());
  return out;
}

/// That there are at most so many events in any second.
class Rate {
 public:
  void add(Instant now, std::size_t most) {
    while (!times_.empty() && times_.front() + 1s <= now) times_.pop_front();
    times_.push_back(now);
    check(times_.size() <= most);
  }

 private:
  std::deque<Instant> times_;
};

/// Watches what the target sends beside QUIC, and claims its bounds.
class NatBounds {
 public:
  void on_sent(const sim::Passing& datagram) {
    if (datagram.to == sim::kGateway4) {
      ++requests;
      newest_request.assign(datagram.payload.begin(), datagram.payload.end());
      return;
    }
    const auto message = p2p::StunMessage::decode(datagram.payload);
    if (!message) return;
    if (message->message_class == p2p::StunClass::indication) {
      check(message->knock_token.has_value() && datagram.payload.size() == 48);
      check(p2p::is_probe_target(datagram.to));
      knocks_.add(datagram.now, kKnocks);
      knocks_of_site_[site_of(datagram.to)].add(datagram.now, 1);
    } else {
      check(message->message_class != p2p::StunClass::request);
      ++answers;
      answered += datagram.payload.size();
      check(answers <= asked_messages && 10 * answered <= 26 * asked);
      answers_.add(datagram.now, kStunAnswers);
      answers_of_site_[site_of(datagram.to)].add(datagram.now, kStunAnswersOfSite);
    }
  }
  void on_asked(std::size_t size) {
    ++asked_messages;
    asked += size;
  }

  std::uint64_t requests = 0;  ///< To the gateway.
  std::vector<u8> newest_request;
  std::uint64_t answers = 0;
  std::uint64_t asked_messages = 0;
  std::size_t answered = 0;  ///< Bytes.
  std::size_t asked = 0;

 private:
  Rate answers_;
  Rate knocks_;
  std::map<SocketAddress, Rate> answers_of_site_;
  std::map<SocketAddress, Rate> knocks_of_site_;
};

/// The answer of a gateway to the newest request of PCP, but for what the input says.
inline std::vector<u8> pcp_answer(std::vector<u8> out, unsigned x, Reader& in) {
  if (out.size() < 60) return out;
  out[1] |= 0x80;
  out[3] = static_cast<u8>((x & 4) != 0 ? in.byte() % 16 : 0);
  for (const std::size_t at : {6U, 7U, 10U, 11U, 42U, 43U}) out[at] = in.byte();
  if ((x & 1) != 0) std::ranges::copy(std::array<u8, 6>{0xff, 0xff, 150, 0, 0, 1}, &out[54]);
  if ((x & 2) != 0) out[24] ^= 1;  // The nonce.
  return out;
}
/// The same of NAT-PMP, for an internal port.
inline std::vector<u8> nat_pmp_answer(std::uint16_t port, unsigned x, Reader& in) {
  std::vector<u8> out((x & 1) != 0 ? 16 : 12);
  out[1] = (x & 1) != 0 ? 129 : 128;
  out[3] = static_cast<u8>((x & 4) != 0 ? in.byte() % 6 : 0);
  out[7] = in.byte();
  if ((x & 1) != 0) {
    Writer writer{MutableBytes(out).subspan(8)};
    writer.u16(port);
    writer.u16(static_cast<std::uint16_t>(in.byte() << 8 | 1));
    writer.u32((x & 2) != 0 ? 0 : in.byte() * 16U);
  } else {
    std::ranges::copy(std::array<u8, 4>{in.byte(), 0, 0, 1}, &out[8]);
  }
  return out;
}

}  // namespace qpeer::fuzz
