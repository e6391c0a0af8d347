// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/nat_box.hpp"

#include <algorithm>
#include <array>

namespace qpeer::sim {
namespace {

struct PortRange {
  std::uint32_t low;
  std::uint32_t size;
};
/// What internal ports from 1024 on are mapped to, and those below. RFC 4787 §4.2.1, REQ-3 a.
constexpr PortRange kPorts{.low = 1'024, .size = 65'536 - 1'024};
constexpr PortRange kWellKnownPorts{.low = 1, .size = 1'023};

SocketAddress part_of(const SocketAddress& remote, NatDependence dependence) {
  switch (dependence) {
    case NatDependence::endpoint_independent:
      return {};
    case NatDependence::address_dependent:
      return remote.with_port(0);
    case NatDependence::address_and_port_dependent:
      return remote;
  }
  return {};
}

}  // namespace

std::string_view to_string(NatFate fate) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"forwarded", "hairpinned", "unmapped", "filtered", "punished", "no hairpin", "table full"});
  return kWords[static_cast<std::size_t>(fate)];
}

NatBox::NatBox(const NatBoxConfig& config, const SocketAddress& outside, std::uint64_t seed)
    : config_(config),
      outside_(outside.with_port(0)),
      random_(seed),
      next_port_(static_cast<std::uint32_t>(random_.below(kPorts.size))) {}

// --- datagrams -----------------------------------------------------------------------------------

Translation NatBox::from_inside(Instant now, const SocketAddress& from, const SocketAddress& to) {
  expire(now);
  const bool returns = translates(from) && to.same_host(outside_);
  if (returns && config_.hairpin == Hairpin::off) return {.fate = NatFate::no_hairpin};
  const auto at = outbound(now, from, to);
  if (at == mappings_.end()) return {.fate = NatFate::table_full};
  auto& [external, mapping] = *at;
  const Instant until = now + config_.timeout;
  if (!mapping.forwarded) mapping.until = until;
  mapping.permitted.insert_or_assign(to, until);
  expire_not_after(until);
  if (!returns) return {.from = external, .to = to};
  const SocketAddress source = external;  // What follows may change the table.
  Translation out = from_outside(now, source, to);
  if (!out.passes()) return out;
  out.fate = NatFate::hairpinned;
  if (config_.hairpin == Hairpin::internal_source) out.from = from;
  return out;
}

Translation NatBox::from_outside(Instant now, const SocketAddress& from, const SocketAddress& to) {
  expire(now);
  const auto at = mappings_.find(to);
  if (at == mappings_.end()) return refuse(now, NatFate::unmapped, from, to);
  Mapping& mapping = at->second;
  if (!permits(mapping, from)) return refuse(now, NatFate::filtered, from, to);
  if (punished_.contains(from)) return {.fate = NatFate::punished};
  if (config_.refresh == NatRefresh::both) {
    const Instant until = now + config_.timeout;
    if (!mapping.forwarded) mapping.until = until;
    const auto permission = mapping.permitted.find(from);
    if (permission != mapping.permitted.end()) permission->second = until;
  }
  return {.from = from, .to = mapping.inside};
}

bool NatBox::permits(const Mapping& mapping, const SocketAddress& remote) const {
  if (mapping.forwarded) return true;
  switch (config_.filtering) {
    case NatDependence::endpoint_independent:
      return true;
    case NatDependence::address_dependent: {
      const auto at = mapping.permitted.lower_bound(remote.with_port(0));
      return at != mapping.permitted.end() && at->first.same_host(remote);
    }
    case NatDependence::address_and_port_dependent:
      return mapping.permitted.contains(remote);
  }
  return false;
}

Translation NatBox::refuse(Instant now, NatFate fate, const SocketAddress& from,
                           const SocketAddress& to) {
  if (config_.on_unsolicited == OnUnsolicited::punish) {
    punished_.insert_or_assign(from, now + kPunishTime);
    expire_not_after(now + kPunishTime);
  }
  if (config_.on_unsolicited == OnUnsolicited::remember && translates(to)) {
    remembered_.insert_or_assign(Pair{to, from}, now + kRememberTime);
    expire_not_after(now + kRememberTime);
  }
  return {.fate = fate};
}

// --- mappings ------------------------------------------------------------------------------------

NatBox::Mappings::iterator NatBox::outbound(Instant now, const SocketAddress& inside,
                                            const SocketAddress& remote) {
  // A flow that has a port of its own keeps it when a port is forwarded later.
  if (const auto at = by_inside_.find({inside, remote}); at != by_inside_.end()) {
    return mappings_.find(at->second);
  }
  if (const auto at = forwards_.find(inside); at != forwards_.end()) {
    return mappings_.find(at->second);
  }
  const SocketAddress part =
      translates(inside) ? part_of(remote, config_.mapping) : SocketAddress{};
  const auto at = by_inside_.find({inside, part});
  if (at == by_inside_.end()) return add(now, inside, remote, part);
  if (remembered_.contains({at->second, remote})) return add(now, inside, remote, remote);
  return mappings_.find(at->second);
}

NatBox::Mappings::iterator NatBox::add(Instant now, const SocketAddress& inside,
                                       const SocketAddress& remote,
                                       const SocketAddress& remote_part) {
  if (mappings_.size() >= config_.max_mappings) return mappings_.end();
  const auto external = translates(inside) ? assign(inside, remote) : inside;
  if (!external) return mappings_.end();
  by_inside_.emplace(Pair{inside, remote_part}, *external);
  return mappings_
      .emplace(*external, Mapping{.inside = inside, .remote = remote_part, .until = now})
      .first;
}

NatBox::Mappings::iterator NatBox::erase(Mappings::iterator at) {
  const Mapping& mapping = at->second;
  if (mapping.forwarded) {
    forwards_.erase(mapping.inside);
  } else {
    by_inside_.erase({mapping.inside, mapping.remote});
  }
  return mappings_.erase(at);
}

void NatBox::expire(Instant now) {
  if (now < next_expiry_) return;
  next_expiry_ = kNever;
  const auto ends = [&](const auto& entry) {
    expire_not_after(entry.second > now ? entry.second : kNever);
    return entry.second <= now;
  };
  for (auto at = mappings_.begin(); at != mappings_.end();) {
    Mapping& mapping = at->second;
    if (mapping.until <= now) {
      at = erase(at);
      continue;
    }
    expire_not_after(mapping.until);
    std::erase_if(mapping.permitted, ends);
    ++at;
  }
  std::erase_if(remembered_, ends);
  std::erase_if(punished_, ends);
}

// --- ports ---------------------------------------------------------------------------------------

std::optional<SocketAddress> NatBox::assign(const SocketAddress& inside,
                                            const SocketAddress& remote) {
  if (config_.ports == PortAssignment::preserve && is_free(inside.port(), remote)) {
    return outside_.with_port(inside.port());
  }
  PortRange range = inside.port() < kPorts.low ? kWellKnownPorts : kPorts;
  if (config_.ports == PortAssignment::block) {
    const auto block = block_of(inside);
    if (!block) return std::nullopt;
    range = {.low = *block, .size = config_.port_block};
  }
  const bool sequential = config_.ports == PortAssignment::sequential && range.low == kPorts.low;
  const std::uint32_t first =
      sequential ? next_port_ : static_cast<std::uint32_t>(random_.below(range.size));
  const std::uint32_t step = sequential ? config_.port_step : 1;
  for (std::uint32_t i = 0; i < range.size; ++i) {
    const std::uint32_t offset = (first + i * step) % range.size;
    const auto port = static_cast<std::uint16_t>(range.low + offset);
    if (!is_free(port, remote)) continue;
    if (sequential) next_port_ = offset + step;
    return outside_.with_port(port);
  }
  return std::nullopt;
}

bool NatBox::is_free(std::uint16_t port, const SocketAddress& remote) const {
  const SocketAddress external = outside_.with_port(port);
  return !mappings_.contains(external) && !retired_.contains(port) &&
         !remembered_.contains({external, remote});
}

std::optional<std::uint16_t> NatBox::block_of(const SocketAddress& inside) {
  const SocketAddress host = inside.with_port(0);
  if (const auto at = blocks_.find(host); at != blocks_.end()) return at->second;
  const std::uint32_t count = kPorts.size / config_.port_block;
  const auto first = static_cast<std::uint32_t>(random_.below(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto low =
        static_cast<std::uint16_t>(kPorts.low + (first + i) % count * config_.port_block);
    const bool taken =
        std::ranges::any_of(blocks_, [&](const auto& block) { return block.second == low; });
    if (taken) continue;
    blocks_.emplace(host, low);
    return low;
  }
  return std::nullopt;
}

// --- forwardings ---------------------------------------------------------------------------------

bool NatBox::forward(Instant now, const SocketAddress& inside, std::uint16_t port, Instant until) {
  expire(now);
  const SocketAddress external = translates(inside) ? outside_.with_port(port) : inside;
  const auto taken = mappings_.find(external);
  if (taken != mappings_.end() && taken->second.inside != inside) return false;
  if (taken == mappings_.end() && mappings_.size() >= config_.max_mappings) return false;
  Mapping mapping{.inside = inside, .remote = {}, .until = until, .forwarded = true};
  if (taken != mappings_.end()) {
    mapping.permitted = std::move(taken->second.permitted);
    erase(taken);
  }
  remove_forward(inside);
  mappings_.emplace(external, std::move(mapping));
  forwards_.emplace(inside, external);
  expire_not_after(until);
  return true;
}

void NatBox::remove_forward(const SocketAddress& inside) {
  const auto at = forwards_.find(inside);
  if (at != forwards_.end()) erase(mappings_.find(at->second));
}

std::optional<SocketAddress> NatBox::forwarded(Instant now, const SocketAddress& inside) {
  expire(now);
  const auto at = forwards_.find(inside);
  return at == forwards_.end() ? std::nullopt : std::optional(at->second);
}

// --- what happens to a box -----------------------------------------------------------------------

void NatBox::rebind() {
  for (const auto& [external, mapping] : mappings_) {
    if (!mapping.forwarded && translates(external)) retired_.insert(external.port());
  }
  forget_mappings();
}

void NatBox::forget_mappings() {
  for (auto at = mappings_.begin(); at != mappings_.end();) {
    at->second.permitted.clear();
    at = at->second.forwarded ? std::next(at) : erase(at);
  }
  remembered_.clear();
}

void NatBox::reboot() {
  mappings_.clear();
  by_inside_.clear();
  forwards_.clear();
  blocks_.clear();
  remembered_.clear();
  punished_.clear();
  retired_.clear();
}

void NatBox::set_outside(const SocketAddress& outside) {
  forget_mappings();
  outside_ = outside.with_port(0);
  Mappings forwarded;
  for (auto& [external, mapping] : mappings_) {
    const SocketAddress moved =
        translates(external) ? outside_.with_port(external.port()) : external;
    forwards_.insert_or_assign(mapping.inside, moved);
    forwarded.emplace(moved, std::move(mapping));
  }
  mappings_ = std::move(forwarded);
}

std::size_t NatBox::mappings(Instant now) {
  expire(now);
  return mappings_.size();
}

bool NatBox::consistent() const {
  if (by_inside_.size() + forwards_.size() != mappings_.size()) return false;
  return std::ranges::all_of(mappings_, [&](const auto& entry) {
    const auto& [external, mapping] = entry;
    if (!translates(mapping.inside) && external != mapping.inside) return false;
    if (translates(mapping.inside) && !external.same_host(outside_)) return false;
    if (mapping.until < next_expiry_) return false;
    if (mapping.forwarded) {
      const auto at = forwards_.find(mapping.inside);
      return at != forwards_.end() && at->second == external;
    }
    const auto at = by_inside_.find({mapping.inside, mapping.remote});
    return at != by_inside_.end() && at->second == external;
  });
}

}  // namespace qpeer::sim
