// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/port_mapper.hpp"

#include <algorithm>
#include <chrono>

#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/base/assert.hpp"

namespace qpeer::p2p {
namespace {

/// A protocol that does not answer for so long does not keep the other one, or its owner, waiting.
constexpr Duration kPatience = 250ms;
/// How long an error of NAT-PMP, which does not say so, is taken to last: one that may pass soon, others.
constexpr Duration kPassingError = 60s;
constexpr Duration kLastingError = 30min;

MappingFailure failure_of(PcpResult result) {
  switch (result) {
    case PcpResult::not_authorized:
      return MappingFailure::refused;
    case PcpResult::network_failure:
      return MappingFailure::no_network;
    case PcpResult::no_resources:
    case PcpResult::user_exceeded_quota:
      return MappingFailure::no_resources;
    case PcpResult::address_mismatch:
      return MappingFailure::address_mismatch;
    default:
      return MappingFailure::error;
  }
}

// RFC 6886 §3.5 [rfc6886-3.5-10] [rfc6886-3.5-11]: results that we do not know are errors like others.
MappingFailure failure_of(NatPmpResult result) {
  switch (result) {
    case NatPmpResult::not_authorized:
      return MappingFailure::refused;
    case NatPmpResult::network_failure:
      return MappingFailure::no_network;
    case NatPmpResult::out_of_resources:
      return MappingFailure::no_resources;
    default:
      return MappingFailure::error;
  }
}

}  // namespace

bool may_be_outside(const SocketAddress& address) {
  return address.valid() && !address.is_wildcard() && !is_multicast(address) &&
         !is_loopback(address);
}

bool is_behind_nat(const SocketAddress& external) {
  const AddressScope scope = scope_of(external);
  return scope == AddressScope::private_use || scope == AddressScope::link_local;
}

// --- begin and end -------------------------------------------------------------------------------

void PortMapper::start(Instant now, const SocketAddress& gateway, const SocketAddress& internal) {
  QPEER_ASSERT(gateway.valid() && internal.valid() && internal.port() != 0);
  stop_all();
  gateway_ = gateway.with_port(kGatewayPort);
  internal_ = internal;
  mapping_.reset();
  reported_.reset();
  event_.reset();
  pcp_ = {};
  nat_pmp_ = {};
  // RFC 6887 §11.2 [rfc6887-11.2-5]: another nonce for each gateway, and each time.
  random_.fill_private(pcp_.nonce);
  probe(now);
}

void PortMapper::restart(Instant now) {
  if (state_ == State::idle || state_ == State::removing) return;
  if (mapping_) return begin_removal(mapping_->protocol, true);
  probe(now);
}

void PortMapper::remove(Instant now) {
  event_.reset();
  probes_after_removal_ = false;
  if (state_ == State::removing) return;
  const auto protocol = mapping_ ? std::optional(mapping_->protocol) : requested(now);
  protocol ? begin_removal(*protocol, false) : end_removal(now);
}

// A request that is not answered yet may have been granted.
std::optional<MappingProtocol> PortMapper::requested(Instant now) const {
  if (nat_pmp_.step == NatPmpStep::map && nat_pmp_.requests.sent > 0) {
    return MappingProtocol::nat_pmp;
  }
  const Requests& pcp = pcp_.requests;
  const bool is_recent = pcp.at != kNever && pcp.at - pcp.interval + 2 * kPatience > now;
  return pcp.sent > 0 && is_recent ? std::optional(MappingProtocol::pcp) : std::nullopt;
}

void PortMapper::stop_all() {
  report_at_ = retry_at_ = renew_at_ = expires_at_ = kNever;
  pcp_.requests.stop();
  nat_pmp_.requests.stop();
  nat_pmp_.step = NatPmpStep::none;
}

// RFC 6887 §A [rfc6887-A-1], RFC 6886 §1.1 [rfc6886-1.1-2]: PCP first, each time.
void PortMapper::probe(Instant now) {
  stop_all();
  state_ = State::probing;
  failure_.reset();
  pcp_.requests = {.due = true};
  nat_pmp_.requests = {};
  if (may_use_nat_pmp()) nat_pmp_.requests.at = now + kPatience;
  report_at_ = now + 2 * kPatience;
}

// RFC 6886 §3 [rfc6886-3-2].
bool PortMapper::may_use_nat_pmp() const {
  return internal_.is_ipv4() && scope_of(internal_) == AddressScope::private_use;
}

// RFC 6886 §3.1 [rfc6886-3.1-1] [rfc6886-3.1-2]: one request after the other, first for the address.
void PortMapper::begin_nat_pmp() {
  nat_pmp_.step = NatPmpStep::external_address;
  nat_pmp_.requests = {.due = true};
}

void PortMapper::begin_removal(MappingProtocol protocol, bool probes_afterwards) {
  stop_all();
  state_ = State::removing;
  probes_after_removal_ = probes_afterwards;
  if (protocol == MappingProtocol::pcp) {
    pcp_.requests = {.due = true};
  } else {
    nat_pmp_.step = NatPmpStep::map;
    nat_pmp_.requests = {.due = true};
  }
}

void PortMapper::end_removal(Instant now) {
  stop_all();
  mapping_.reset();
  state_ = State::idle;
  if (probes_after_removal_) probe(now);
}

// --- answers -------------------------------------------------------------------------------------

// RFC 6886 §3.2 [rfc6886-3.2-4], §3.2.1 [rfc6886-3.2.1-5], §3.3 [rfc6886-3.3-15]; RFC 6887 §8.3: only from
// the gateway.
bool PortMapper::on_response(Instant now, const SocketAddress& from, Bytes datagram) {
  if (state_ == State::idle || from != gateway_) return false;
  bool taken = false;
  if (const auto pcp = PcpResponse::decode(datagram)) {
    taken = on_pcp(now, *pcp);
  } else if (const auto nat_pmp = NatPmpResponse::decode(datagram)) {
    taken = on_nat_pmp(now, *nat_pmp);
  }
  ++(taken ? stats_.responses : stats_.ignored);
  return taken;
}

bool PortMapper::on_pcp(Instant now, const PcpResponse& response) {
  if (response.result == PcpResult::unsupported_version) {
    return on_unsupported_version(now, response);
  }
  if (response.opcode == PcpOpcode::map) return on_pcp_map(now, response);
  if (response.result != PcpResult::success || state_ == State::removing) return false;
  // RFC 6887 §14.1.3 [rfc6887-14.1.3-5]: an announcement.
  const bool plausible = pcp_.epoch.on_pcp(now, response.epoch);
  if (!plausible || state_ == State::probing) recreate_soon(now);
  return true;
}

// RFC 6887 §9 [rfc6887-9-2] [rfc6887-9-4]. A gateway that speaks PCP alone answers NAT-PMP so, too.
bool PortMapper::on_unsupported_version(Instant now, const PcpResponse& response) {
  if (state_ != State::probing) return false;
  if (response.version == kPcpVersion) {
    if (nat_pmp_.step == NatPmpStep::none) return false;
    nat_pmp_.step = NatPmpStep::none;
    nat_pmp_.requests.stop();
    return true;
  }
  if (pcp_.requests.sent == 0 || !pcp_.requests.under_way()) return false;
  pcp_.requests.stop();
  retry_at_ = std::min(retry_at_, now + kMaxErrorTime);
  if (may_use_nat_pmp() && nat_pmp_.requests.sent == 0) begin_nat_pmp();
  return true;
}

// RFC 6887 §8.3 [rfc6887-8.3-1] [rfc6887-8.3-2], §8 [rfc6887-8-2]: at any time, when the nonce is ours.
bool PortMapper::on_pcp_map(Instant now, const PcpResponse& response) {
  const PcpMapping& mapping = response.mapping;
  if (pcp_.requests.sent == 0 || mapping.nonce != pcp_.nonce ||
      mapping.internal_port != internal_.port()) {
    return false;
  }
  // What the answer grants is good after a restart of the gateway too: it is newer.
  (void)pcp_.epoch.on_pcp(now, response.epoch);
  const std::chrono::seconds lifetime{response.lifetime};
  if (state_ == State::removing) {
    if (response.result != PcpResult::success || lifetime == 0s) end_removal(now);
  } else if (response.result != PcpResult::success) {
    fail(now, MappingProtocol::pcp, failure_of(response.result), lifetime);
  } else if (lifetime != 0s) {
    adopt(now, MappingProtocol::pcp, mapping.external, lifetime);
  } else if (state_ == State::mapped) {
    recreate_soon(now);  // The gateway deleted it.
  }
  return true;
}

bool PortMapper::on_nat_pmp(Instant now, const NatPmpResponse& response) {
  const bool is_map = response.opcode == NatPmpOpcode::map_udp;
  const auto step = is_map ? NatPmpStep::map : NatPmpStep::external_address;
  const bool awaited = nat_pmp_.step == step && nat_pmp_.requests.sent > 0;
  if (!is_map && !awaited) return on_announced_address(now, response);
  // An error may come without the port. RFC 6886 §3.5.
  const bool is_ours = !is_map || response.internal_port == internal_.port() ||
                       (response.result != NatPmpResult::success && response.internal_port == 0);
  if (!awaited || !is_ours) return false;
  if (response.result != NatPmpResult::success) {
    if (state_ == State::removing) {
      end_removal(now);
    } else {
      const MappingFailure why = failure_of(response.result);
      const bool passes = why == MappingFailure::no_network || why == MappingFailure::no_resources;
      fail(now, MappingProtocol::nat_pmp, why, passes ? kPassingError : kLastingError);
    }
    return true;
  }
  (void)nat_pmp_.epoch.on_nat_pmp(now, response.epoch);
  const std::chrono::seconds lifetime{response.lifetime};
  if (!is_map) {
    on_external_address(now, response.external_address);
  } else if (state_ == State::removing) {
    if (lifetime == 0s) end_removal(now);
  } else if (lifetime != 0s) {
    adopt(now, MappingProtocol::nat_pmp, nat_pmp_.external.with_port(response.external_port),
          lifetime);
  }
  return true;
}

void PortMapper::on_external_address(Instant now, const SocketAddress& external) {
  nat_pmp_.external = external;
  if (!may_be_outside(external)) {
    return fail(now, MappingProtocol::nat_pmp, MappingFailure::no_network, kPassingError);
  }
  nat_pmp_.step = NatPmpStep::map;
  nat_pmp_.requests = {.due = true};
}

// RFC 6886 §3.2.1.
bool PortMapper::on_announced_address(Instant now, const NatPmpResponse& response) {
  if (response.result != NatPmpResult::success || state_ == State::removing) return false;
  bool is_news = !nat_pmp_.epoch.on_nat_pmp(now, response.epoch);
  if (state_ == State::probing) {
    is_news = is_news || nat_pmp_.step == NatPmpStep::none;
  } else if (mapping_->protocol == MappingProtocol::nat_pmp) {
    is_news = is_news || response.external_address != nat_pmp_.external;
  }
  if (is_news) recreate_soon(now);
  return true;
}

// --- what comes of them --------------------------------------------------------------------------

void PortMapper::adopt(Instant now, MappingProtocol protocol, const SocketAddress& external,
                       std::chrono::seconds lifetime) {
  // RFC 6887 §11.2 [rfc6887-11.2-2]: whatever port it is. But it must be one.
  if (!may_be_outside(external) || external.port() == 0) {
    return fail(now, protocol, MappingFailure::no_network, kPassingError);
  }
  const PortMapping mapped{.external = external,
                           .protocol = protocol,
                           .lifetime = std::min<Duration>(lifetime, kMaxLifetime),
                           .double_nat = is_behind_nat(external)};
  const bool changed =
      !mapping_ || mapping_->external != external || mapping_->protocol != protocol;
  stop_all();
  mapping_ = mapped;
  state_ = State::mapped;
  failure_.reset();
  reported_.reset();
  expires_at_ = now + mapped.lifetime;
  renew_later(now);
  if (changed) event_ = mapped;
}

// The other protocol is asked next, or goes on. RFC 6887 §8.3 [rfc6887-8.3-4], §11.4 [rfc6887-11.4-1]
// [rfc6887-11.4-5]: this one, when its error is over.
void PortMapper::fail(Instant now, MappingProtocol protocol, MappingFailure why,
                      Duration error_time) {
  if (mapping_ && mapping_->protocol != protocol) return;  // An answer that came late.
  if (mapping_) {
    stop_all();
    mapping_.reset();
    state_ = State::probing;
    nat_pmp_.requests = {};
  }
  if (protocol == MappingProtocol::pcp) {
    pcp_.requests.stop();
    if (may_use_nat_pmp() && nat_pmp_.requests.sent == 0) begin_nat_pmp();
  } else {
    nat_pmp_.requests.stop();
    nat_pmp_.step = NatPmpStep::none;
  }
  // No room for a mapping may be due to the lack of an address.
  if (!failure_ || why == MappingFailure::no_network) failure_ = why;
  retry_at_ = std::min(retry_at_, now + std::clamp(error_time, kMinErrorTime, kMaxErrorTime));
  const bool other_goes_on = pcp_.requests.under_way() || nat_pmp_.requests.under_way();
  report_at_ = std::min(report_at_, now + kPatience);
  if (!other_goes_on) report_failure();
}

void PortMapper::report_failure() {
  report_at_ = kNever;
  const MappingFailure why = failure_.value_or(MappingFailure::no_answer);
  if (reported_ == why) return;
  reported_ = why;
  event_ = NoPortMapping{.why = why};
}

// --- time ----------------------------------------------------------------------------------------

Instant PortMapper::next_deadline() const {
  return std::min(
      {report_at_, retry_at_, renew_at_, expires_at_, pcp_.requests.at, nat_pmp_.requests.at});
}

void PortMapper::on_deadline(Instant now) {
  if (expires_at_ <= now) {
    mapping_.reset();
    failure_ = MappingFailure::expired;
    report_failure();
    probe(now);
  }
  if (retry_at_ <= now) probe(now);
  if (renew_at_ <= now) renew(now);
  on_pcp_deadline(now);
  on_nat_pmp_deadline(now);
  if (report_at_ <= now) report_failure();
}

void PortMapper::on_pcp_deadline(Instant now) {
  Requests& requests = pcp_.requests;
  if (requests.at > now) return;
  requests.at = kNever;
  if (state_ == State::removing && requests.sent >= max_removals()) return end_removal(now);
  requests.due = true;
}

// RFC 6886 §3.1 [rfc6886-3.1-5] [rfc6886-3.1-7].
void PortMapper::on_nat_pmp_deadline(Instant now) {
  Requests& requests = nat_pmp_.requests;
  if (requests.at > now) return;
  requests.at = kNever;
  if (nat_pmp_.step == NatPmpStep::none) return begin_nat_pmp();
  if (state_ == State::removing && requests.sent >= max_removals()) return end_removal(now);
  if (requests.sent < config_.max_nat_pmp_requests) {
    requests.due = true;
  } else {
    nat_pmp_.step = NatPmpStep::none;
  }
}

bool PortMapper::consistent() const {
  const bool may_expire = expires_at_ != kNever;
  const auto in_order = [](const Requests& each) { return !each.due || each.at == kNever; };
  if (!in_order(pcp_.requests) || !in_order(nat_pmp_.requests)) return false;
  switch (state_) {
    case State::idle:
      return !mapping_ && next_deadline() == kNever && !pcp_.requests.due && !nat_pmp_.requests.due;
    case State::probing:
      return !mapping_ && !may_expire &&
             (pcp_.requests.under_way() || nat_pmp_.requests.under_way() || retry_at_ != kNever);
    case State::mapped:
      return mapping_ && may_expire && report_at_ == kNever && retry_at_ == kNever;
    case State::removing:
      return !may_expire && (pcp_.requests.under_way() || nat_pmp_.requests.under_way());
  }
  return false;
}

}  // namespace qpeer::p2p
