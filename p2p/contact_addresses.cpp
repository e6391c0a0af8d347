// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/contact_addresses.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "qpeer/p2p/ticket.hpp"
#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

/// A machine may have many addresses of one network; others must find room.
constexpr std::size_t kMaxOfKind = 2;

std::array<u8, 16> loopback6() { return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}; }

// Those at which the socket receives, with its port.
std::vector<SocketAddress> addresses_of_machine(const AddressSources& sources) {
  const SocketAddress& bound = sources.bound;
  if (!bound.is_wildcard()) return {bound};
  std::vector<SocketAddress> out;
  std::array<std::size_t, 4> of_kind{};
  for (const SocketAddress& address : sources.interfaces) {
    if (is_loopback(address) || (bound.is_ipv4() && !address.is_ipv4())) continue;
    const std::size_t kind = (is_global(address) ? 0U : 2U) + (address.is_ipv4() ? 0U : 1U);
    const SocketAddress at_port = address.with_port(bound.port());
    if (std::ranges::find(out, at_port) != out.end() || of_kind[kind] == kMaxOfKind) continue;
    ++of_kind[kind];
    out.push_back(at_port);
  }
  return out;
}

class Choice {
 public:
  void add(const SocketAddress& address) {
    if (out_.size() == Ticket::kMaxPlaces || std::ranges::find(out_, address) != out_.end()) return;
    out_.push_back(address);
  }
  void add(const std::vector<SocketAddress>& all, AddressScope scope) {
    for (const SocketAddress& address : all) {
      if (scope_of(address) == scope) add(address);
    }
  }
  [[nodiscard]] bool empty() const { return out_.empty(); }
  [[nodiscard]] std::vector<SocketAddress> take() { return std::move(out_); }

 private:
  std::vector<SocketAddress> out_;
};

}  // namespace

std::vector<SocketAddress> contact_addresses(const AddressSources& sources) {
  std::vector<SocketAddress> all = addresses_of_machine(sources);
  if (sources.mapped) all.insert(all.begin(), *sources.mapped);
  // The port at which a NAT shows us is not open to others; the one that the router maps is.
  const bool is_mapped_host =
      sources.observed && sources.mapped && sources.observed->same_host(*sources.mapped);
  if (sources.observed && !is_mapped_host) all.push_back(*sources.observed);

  Choice choice;
  for (const SocketAddress& address : sources.advertised) {
    if (address.port() != 0 && !address.is_wildcard()) choice.add(address);
  }
  choice.add(all, AddressScope::global);
  choice.add(all, AddressScope::private_use);
  choice.add(all, AddressScope::loopback);
  if (!choice.empty()) return choice.take();
  const SocketAddress& bound = sources.bound;
  if (!bound.is_wildcard()) return {bound};
  choice.add(SocketAddress::loopback4(bound.port()));
  if (bound.is_ipv6()) choice.add(SocketAddress::ipv6(loopback6(), bound.port()));
  return choice.take();
}

}  // namespace qpeer::p2p
