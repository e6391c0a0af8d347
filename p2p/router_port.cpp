// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/router_port.hpp"

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

bool RouterPort::is_wanted(const Path& internet) const {
  const AddressScope scope = scope_of(internet.local);
  return config_.role == Role::node && config_.port_mapping && config_.advertised.empty() &&
         config_.listen_port != 0 && internet.remote.valid() && internet.local.port() != 0 &&
         (scope == AddressScope::private_use || scope == AddressScope::global);
}

// A public address may need nothing of the router.
bool RouterPort::is_expected() const {
  return internet_ && scope_of(internet_->local) == AddressScope::private_use;
}

// A router whose own address is a private one may say that it has none, although it leads to the internet.
bool RouterPort::is_double_nat() const {
  if (!is_expected()) return false;
  return failure_ == MappingFailure::address_mismatch ||
         (failure_ == MappingFailure::no_network && reaches_internet_);
}

void RouterPort::on_network(Instant now, const Path& internet) {
  if (shutting_down_) return;
  if (is_wanted(internet)) {
    if (internet_ == internet) return;
    internet_ = internet;
    reaches_internet_ = false;
    failure_.reset();
    set_external(std::nullopt);
    mapper_.start(now, internet.remote, internet.local);
  } else if (internet_) {
    internet_.reset();
    failure_.reset();
    set_external(std::nullopt);
    mapper_.remove(now);
  }
}

bool RouterPort::on_datagram(Instant now, const ReceivedDatagram& datagram) {
  const bool taken = mapper_.on_response(now, datagram.path.remote, datagram.payload);
  if (taken) take_events();
  return taken;
}

void RouterPort::on_deadline(Instant now) {
  if (now < mapper_.next_deadline()) return;
  mapper_.on_deadline(now);
  take_events();
}

void RouterPort::on_reached(const SocketAddress& peer) {
  if (!internet_ || reaches_internet_ || !is_global(peer)) return;
  const bool was_told = is_double_nat();
  reaches_internet_ = true;
  if (is_double_nat() && !was_told) tell_failure();
}

void RouterPort::shut_down(Instant now) {
  shutting_down_ = true;
  failure_.reset();
  if (internet_) mapper_.remove(now);
  internet_.reset();
  set_external(std::nullopt);
}

void RouterPort::set_external(const std::optional<SocketAddress>& external) {
  external_ = external;
  const auto port = external ? std::optional(external->port()) : std::nullopt;
  dialler_.set_mapped_port(ipv6_, port);
}

void RouterPort::take_events() {
  while (const auto event = mapper_.poll_event()) {
    if (const auto* mapping = std::get_if<PortMapping>(&*event)) {
      failure_.reset();
      set_external(mapping->external);
      known_.resume_all();  // Nodes that could not reach us may do so now.
      queue_.emit(PortMapped{.external = mapping->external,
                             .protocol = to_string(mapping->protocol),
                             .lifetime = mapping->lifetime,
                             .double_nat = mapping->double_nat});
    } else {
      const bool had_one = external_.has_value();
      set_external(std::nullopt);
      failure_ = std::get<NoPortMapping>(*event).why;
      if (is_expected() || had_one) tell_failure();
    }
  }
}

void RouterPort::tell_failure() {
  const bool has_nat_behind = is_double_nat();
  queue_.emit(
      PortMapFailed{.why = describe(has_nat_behind ? MappingFailure::address_mismatch : *failure_),
                    .double_nat = has_nat_behind});
}

bool RouterPort::consistent() const {
  return mapper_.consistent() && !(external_ && failure_) &&
         (internet_ ? !mapper_.is_idle() : !external_ && !failure_);
}

}  // namespace qpeer::p2p
