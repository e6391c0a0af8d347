// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/network_probe.hpp"

#include <algorithm>
#include <variant>

#include "qpeer/p2p/nat/probe_target.hpp"
#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/base/assert.hpp"

namespace qpeer::p2p {
namespace {

using Outcome = StunResult::Outcome;

}  // namespace

// --- questions -----------------------------------------------------------------------------------

void NetworkProbe::start(Instant now, std::span<const SocketAddress> servers, const Path& gateway,
                         bool more_follows) {
  QPEER_ASSERT(step_ == Step::idle);
  step_ = Step::probing;
  limit_ = now + config_.time_limit;
  more_follows_ = more_follows;
  ask(now, servers);
  if (gateway.remote.valid() && gateway.local.port() != 0) {
    gateway_.gateway = gateway.remote.with_port(0);
    mapper_.start(now, gateway.remote, gateway.local);
    mapper_open_ = true;
  }
  report_if_done(now);
}

void NetworkProbe::add(Instant now, std::span<const SocketAddress> servers,
                       const FoundFiltering& found) {
  if (!std::exchange(more_follows_, false)) return;
  ipv4_.found = found.ipv4;
  ipv6_.found = found.ipv6;
  ask(now, servers);
  report_if_done(now);
}

void NetworkProbe::ask(Instant now, std::span<const SocketAddress> servers) {
  for (const SocketAddress& server :
       servers.first(std::min(servers.size(), kMaxServers - servers_.size()))) {
    const auto query = bindings_.ask(now, {.local = {}, .remote = server});
    servers_.emplace_back(query.value_or(0), ServerReport{.server = server});
  }
}

StunQuery NetworkProbe::test(Instant now, const SocketAddress& server, const StunDetour& detour) {
  return tests_.ask(now, {.local = {}, .remote = server}, detour).value_or(0);
}

// --- answers -------------------------------------------------------------------------------------

void NetworkProbe::on_datagram(Instant now, ReceivedDatagram datagram) {
  received_at_ = datagram.path.local;
  if (const auto message = StunMessage::decode(datagram.payload)) {
    if (const auto query = tests_.sent_by_us(*message)) {
      for (Family* family : {&ipv4_, &ipv6_}) {
        if (family->hairpin != query) continue;
        family->has_hairpin = true;
        tests_.cancel(*query);
      }
    } else if (!bindings_.on_message(now, datagram.path, *message)) {
      tests_.on_message(now, datagram.path, *message);
    }
  } else {
    mapper_.on_response(now, datagram.path.remote, datagram.payload);
  }
  take_results(now);
}

void NetworkProbe::take_results(Instant now) {
  while (const auto result = bindings_.poll_event()) on_binding(now, *result);
  while (const auto result = tests_.poll_event()) on_test(now, *result);
  while (const auto event = mapper_.poll_event()) {
    if (step_ != Step::probing) continue;
    mapper_open_ = false;
    if (const auto* mapping = std::get_if<PortMapping>(&*event)) {
      gateway_.mapping = *mapping;
      gateway_.failure.reset();
    } else {
      gateway_.mapping.reset();
      gateway_.failure = std::get<NoPortMapping>(*event).why;
    }
  }
  report_if_done(now);
}

void NetworkProbe::on_binding(Instant now, const StunResult& result) {
  const auto found =
      std::ranges::find(servers_, result.query, &std::pair<StunQuery, ServerReport>::first);
  if (found == servers_.end()) return;
  ServerReport& server = found->second;
  server.outcome = result.outcome;
  server.round_trip = result.round_trip;
  if (result.outcome != Outcome::answered) return;
  server.seen = *result.mapped_address;
  Family& family = family_of(result.server);
  family.sightings.push_back(
      {.server = result.server, .own = received_at_, .seen = *result.mapped_address});
  if (family.hairpin == 0 && server.seen != received_at_) {
    family.hairpin = test(now, server.seen, {.change = {}, .answers_from = server.seen});
  }
  on_other_address(now, family, result);
}

// The address is what a stranger says. It must be as far away as the server itself, at no port of a service.
void NetworkProbe::on_other_address(Instant now, Family& family, const StunResult& result) {
  const SocketAddress& server = result.server;
  const SocketAddress other = result.other_address.value_or(SocketAddress{});
  if (family.detours.server.valid() || other.is_ipv4() != server.is_ipv4() ||
      scope_of(other) != scope_of(server) || other.same_host(server) ||
      !is_probe_port(other.port()) || other.port() == server.port()) {
    return;
  }
  const bool is_asked = std::ranges::any_of(
      servers_, [&](const auto& each) { return each.second.server.same_host(other); });
  if (is_asked) return;
  Detours& detours = family.detours;
  detours.server = server;
  detours.other = other;
  detours.host_and_port =
      test(now, server, {.change = {.host = true, .port = true}, .answers_from = other});
  detours.port = test(
      now, server,
      {.change = {.host = false, .port = true}, .answers_from = server.with_port(other.port())});
}

void NetworkProbe::on_test(Instant now, const StunResult& result) {
  for (Family* family : {&ipv4_, &ipv6_}) {
    if (result.query == family->hairpin) {
      family->has_hairpin = false;
      return;
    }
    Detours& detours = family->detours;
    if (result.query == detours.host_and_port || result.query == detours.port) {
      (result.query == detours.port ? detours.from_port : detours.from_host_and_port) =
          result.outcome;
      if (detours.from_port && detours.from_host_and_port) on_detours_known(now, *family);
      return;
    }
  }
  if (result.outcome != Outcome::answered) return;
  family_of(result.server)
      .sightings.push_back(
          {.server = result.server, .own = received_at_, .seen = *result.mapped_address});
}

// Only now may we write to the other address. RFC 5780 §4.3.
void NetworkProbe::on_detours_known(Instant now, Family& family) {
  if (mapping_of(family.sightings) == NatMapping::none) return;
  const Detours& detours = family.detours;
  for (const std::uint16_t port : {detours.server.port(), detours.other.port()}) {
    const SocketAddress server = detours.other.with_port(port);
    test(now, server, {.change = {}, .answers_from = server});
  }
}

// --- time ----------------------------------------------------------------------------------------

std::optional<Transmit> NetworkProbe::poll_transmit(Instant now, TransmitBuffer& out) {
  if (step_ == Step::probing) {
    if (auto transmit = bindings_.poll_transmit(now, out)) return transmit;
    if (auto transmit = tests_.poll_transmit(now, out)) return transmit;
  }
  return mapper_.poll_transmit(now, out);
}

Instant NetworkProbe::next_deadline() const {
  if (step_ != Step::probing) return mapper_.next_deadline();
  return std::min(
      {limit_, bindings_.next_deadline(), tests_.next_deadline(), mapper_.next_deadline()});
}

void NetworkProbe::on_deadline(Instant now) {
  if (bindings_.next_deadline() <= now) bindings_.on_deadline(now);
  if (tests_.next_deadline() <= now) tests_.on_deadline(now);
  if (mapper_.next_deadline() <= now) mapper_.on_deadline(now);
  take_results(now);
  if (step_ == Step::probing && limit_ <= now) give_report(now);
}

// --- the report ----------------------------------------------------------------------------------

void NetworkProbe::report_if_done(Instant now) {
  if (step_ != Step::probing || is_waiting()) return;
  give_report(now);
}

void NetworkProbe::give_report(Instant now) {
  step_ = Step::reported;
  limit_ = kNever;
  more_follows_ = false;
  NetworkReport out;
  out.ipv4 = report_of(ipv4_);
  out.ipv6 = report_of(ipv6_);
  for (const auto& [query, server] : servers_) {
    out.servers.push_back(server);
    FamilyReport& family = server.server.is_ipv4() ? out.ipv4 : out.ipv6;
    ++family.asked;
    if (server.outcome == Outcome::answered) ++family.answered;
  }
  out.gateway = gateway_;
  const bool is_online = out.ipv4.answered > 0;
  out.double_nat = gateway_.failure == MappingFailure::address_mismatch ||
                   (gateway_.failure == MappingFailure::no_network && is_online);
  if (gateway_.mapping) out.set_mapping(*gateway_.mapping);
  report_ = std::move(out);
  if (!mapper_.is_idle()) mapper_.remove(now);
}

// What servers nearby see says nothing of the NATs behind them.
FamilyReport NetworkProbe::report_of(const Family& family) {
  FamilyReport out;
  int farthest = 0;
  for (const Sighting& each : family.sightings) {
    farthest = std::max(farthest, distance_of(each.seen));
  }
  std::vector<Sighting> counting = family.sightings;
  std::erase_if(counting, [&](const Sighting& each) { return distance_of(each.seen) < farthest; });
  if (counting.empty()) return out;
  out.own = counting.front().own;
  out.seen = counting.front().seen;
  out.mapping = mapping_of(counting);
  out.filtering = filtering_of(family.detours);
  if (out.filtering == NatFiltering::unknown) out.filtering = family.found;
  if (out.mapping != NatMapping::none) out.hairpin = family.has_hairpin;
  return out;
}

NatMapping NetworkProbe::mapping_of(std::span<const Sighting> sightings) {
  if (std::ranges::all_of(sightings, [](const Sighting& each) { return each.seen == each.own; })) {
    return NatMapping::none;
  }
  bool several_hosts = false;
  bool all_equal = true;
  bool ports_agree = false;  // Of one host.
  bool ports_differ = false;
  for (auto a = sightings.begin(); a != sightings.end(); ++a) {
    for (auto b = std::next(a); b != sightings.end(); ++b) {
      const bool equal = a->seen == b->seen;
      all_equal = all_equal && equal;
      if (!a->server.same_host(b->server)) {
        several_hosts = true;
      } else if (a->server != b->server) {
        (equal ? ports_agree : ports_differ) = true;
      }
    }
  }
  if (ports_differ) return NatMapping::by_address_and_port;
  if (all_equal) return several_hosts ? NatMapping::independent : NatMapping::unknown;
  return ports_agree ? NatMapping::by_address : NatMapping::by_destination;
}

// RFC 5780 §4.4. What is no answer, and no silence, says nothing.
NatFiltering NetworkProbe::filtering_of(const Detours& detours) {
  if (detours.from_host_and_port == Outcome::answered) return NatFiltering::independent;
  if (detours.from_host_and_port != Outcome::timed_out) return NatFiltering::unknown;
  if (detours.from_port == Outcome::answered) return NatFiltering::by_address;
  if (detours.from_port != Outcome::timed_out) return NatFiltering::unknown;
  return NatFiltering::by_address_and_port;
}

bool NetworkProbe::consistent() const {
  if (!bindings_.consistent() || !tests_.consistent() || !mapper_.consistent()) return false;
  if (servers_.size() > kMaxServers) return false;
  switch (step_) {
    case Step::idle:
      return servers_.empty() && limit_ == kNever && !report_;
    case Step::probing:
      return limit_ != kNever && !report_ && is_waiting();
    case Step::reported:
      return limit_ == kNever;
  }
  return false;
}

}  // namespace qpeer::p2p
