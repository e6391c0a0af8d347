// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/own_address.hpp"

#include <algorithm>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

// Best first: the internet's IPv4 and IPv6, then a local network's.
std::size_t kind_of(const SocketAddress& address) {
  return (is_global(address) ? 0U : 2U) + (address.is_ipv4() ? 0U : 1U);
}

bool is_local(const SocketAddress& address) {
  const AddressScope scope = scope_of(address);
  return scope != AddressScope::none && scope != AddressScope::global;
}

}  // namespace

bool OwnAddress::on_observed(Instant now, const PeerId& reporter,
                             const SocketAddress& reporter_address, const SocketAddress& observed) {
  std::erase_if(reports_, [&](const Report& each) { return now - each.at > config_.max_age; });
  if (!is_dialable(observed) || scope_of(reporter_address) == AddressScope::none) return false;
  const std::size_t kind = kind_of(observed);
  const SocketAddress voter = voter_of(reporter_address, observed);
  std::erase_if(reports_, [&](const Report& each) {
    return each.kind == kind && (each.reporter == reporter || each.voter == voter);
  });
  if (reports_.size() >= config_.max_reports && !reports_.empty()) reports_.erase(reports_.begin());
  reports_.push_back(
      {.reporter = reporter, .voter = voter, .observed = observed, .kind = kind, .at = now});

  SocketAddress& agreed = agreed_[kind];
  if (agreed == observed) return false;
  const std::size_t needed =
      agreed.valid() ? std::max(config_.agreement, votes(agreed) + 1) : config_.agreement;
  if (votes(observed) < needed) return false;
  agreed = observed;
  return true;
}

SocketAddress OwnAddress::voter_of(const SocketAddress& reporter,
                                   const SocketAddress& observed) const {
  // On our address on the internet all peers of a local network have one vote together.
  if (!config_.local_reporters_count_each || !is_local(reporter) || !is_local(observed)) {
    return network_of(reporter);
  }
  return is_loopback(reporter) ? reporter : reporter.with_port(0);
}

std::size_t OwnAddress::votes(const SocketAddress& observed) const {
  return static_cast<std::size_t>(std::ranges::count(reports_, observed, &Report::observed));
}

std::optional<SocketAddress> OwnAddress::current() const {
  const auto all = addresses();
  return all.empty() ? std::nullopt : std::optional(all[0]);
}

InlineVector<SocketAddress, OwnAddress::kKinds> OwnAddress::addresses() const {
  InlineVector<SocketAddress, kKinds> out;
  for (const SocketAddress& agreed : agreed_) {
    if (agreed.valid()) out.push_back(agreed);
  }
  return out;
}

}  // namespace qpeer::p2p
