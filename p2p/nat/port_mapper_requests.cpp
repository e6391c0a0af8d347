// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a PortMapper asks for, and when it asks again.
#include <algorithm>
#include <chrono>

#include "qpeer/p2p/nat/port_mapper.hpp"

namespace qpeer::p2p {
namespace {

std::uint32_t seconds_of(Duration duration) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

}  // namespace

std::optional<Transmit> PortMapper::poll_transmit(Instant now, TransmitBuffer& out) {
  Writer writer{out.storage};
  if (pcp_.requests.due) {
    write_pcp(now, writer);
  } else if (nat_pmp_.requests.due) {
    write_nat_pmp(now, writer);
  } else {
    return std::nullopt;
  }
  ++stats_.requests;
  sent_at_ = now;
  return Transmit{.path = {.local = internal_, .remote = gateway_},
                  .size = writer.size(),
                  .segment_size = writer.size()};
}

// RFC 6887 §8.1.1 [rfc6887-8.1.1-1] [rfc6887-8.1.1-2] [rfc6887-8.1.1-3] [rfc6887-8.1.1-4] [rfc6887-8.1.1-5] [rfc6887-8.1.1-6]. Of a mapping there is one request at a time of
// renewal. A deletion, §15.1 [rfc6887-15.1-4], is sent again as one of NAT-PMP is.
void PortMapper::write_pcp(Instant now, Writer& out) {
  const bool removes = state_ == State::removing;
  PcpMapRequest request{.client = internal_,
                        .lifetime = removes ? 0 : seconds_of(config_.lifetime),
                        .mapping = {.nonce = pcp_.nonce, .internal_port = internal_.port()}};
  SocketAddress& external = request.mapping.external;
  if (internal_.is_ipv6()) external = SocketAddress::ipv6({}, 0);
  // RFC 6887 §11.2.1 [rfc6887-11.2.1-2], §11.4 [rfc6887-11.4-4]: what we have, or else our own port.
  if (!removes) external = mapping_ ? mapping_->external : external.with_port(internal_.port());
  request.encode(out);

  Requests& requests = pcp_.requests;
  requests.due = false;
  ++requests.sent;
  if (removes) {
    requests.at = now + config_.nat_pmp_interval * (1U << std::min(requests.sent - 1, 8U));
  } else if (state_ == State::probing) {
    requests.interval = jittered(
        requests.sent == 1 ? config_.pcp_interval
                           : std::min<Duration>(2 * requests.interval, config_.max_pcp_interval));
    requests.at = now + requests.interval;
  }
}

// RFC 6886 §3.1 [rfc6886-3.1-4], §3.3 [rfc6886-3.3-3] [rfc6886-3.3-17], §3.4 [rfc6886-3.4-4].
void PortMapper::write_nat_pmp(Instant now, Writer& out) {
  NatPmpRequest request;
  if (nat_pmp_.step == NatPmpStep::map) {
    request.opcode = NatPmpOpcode::map_udp;
    request.internal_port = internal_.port();
    if (state_ != State::removing) {
      request.external_port = mapping_ ? mapping_->external.port() : internal_.port();
      request.lifetime = seconds_of(config_.lifetime);
    }
  }
  request.encode(out);
  Requests& requests = nat_pmp_.requests;
  requests.due = false;
  requests.at = now + config_.nat_pmp_interval * (1U << std::min(requests.sent, 8U));
  ++requests.sent;
}

// RFC 6887 §11.2.1 [rfc6887-11.2.1-1] [rfc6887-11.2.1-3] [rfc6887-11.2.1-4] [rfc6887-11.2.1-5], §11.4
// [rfc6887-11.4-3]: between 1/2 and 5/8 of the time that is left, again and again. RFC 6886 §3.3
// [rfc6886-3.3-16].
void PortMapper::renew_later(Instant now) {
  const Duration left = expires_at_ - now;
  const Instant at = now + std::max<Duration>(left / 2 + up_to(left / 8), kMinInterval);
  renew_at_ = at < expires_at_ ? at : kNever;
}

void PortMapper::renew(Instant now) {
  renew_at_ = kNever;
  if (state_ == State::probing) return probe(now);
  renew_later(now);
  if (mapping_->protocol == MappingProtocol::pcp) {
    pcp_.requests = {.due = true};
  } else {
    begin_nat_pmp();
  }
}

// RFC 6886 §3.7 [rfc6886-3.7-3] [rfc6886-3.7-4], RFC 6887 §14.1.3 [rfc6887-14.1.3-5]: not all hosts of the
// network at once. Nor more often than every few seconds, however many announcements come.
void PortMapper::recreate_soon(Instant now) {
  const Instant at = std::max(now + up_to(5s), sent_at_ + kMinInterval);
  renew_at_ = std::min(renew_at_, at);
}

Duration PortMapper::up_to(Duration bound) {
  return Duration{
      static_cast<Duration::rep>(random_.uniform(static_cast<std::uint64_t>(bound.count()) + 1))};
}

Duration PortMapper::jittered(Duration about) { return about - about / 10 + up_to(about / 5); }

}  // namespace qpeer::p2p
