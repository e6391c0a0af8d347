// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/router_port.hpp"

#include <utility>

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
    reported_.clear();
    set_external(std::nullopt);
    set_wanted(std::nullopt);
    mapper_.start(now, internet.remote, internet.local);
  } else if (internet_) {
    internet_.reset();
    failure_.reset();
    set_external(std::nullopt);
    set_wanted(std::nullopt);
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
  if (is_double_nat() && !was_told) report_failure();
}

void RouterPort::shut_down(Instant now) {
  shutting_down_ = true;
  failure_.reset();
  if (internet_) mapper_.remove(now);
  internet_.reset();
  set_external(std::nullopt);
  set_wanted(std::nullopt);
}

// --- the owner's mapper --------------------------------------------------------------------------

void RouterPort::on_mapped(Instant now, const SocketAddress& external, Duration lifetime) {
  if (!wanted_) return;
  if (!may_be_outside(external) || external.port() == 0) {
    return on_mapping_failed(now, describe(MappingFailure::no_network));
  }
  is_owners_ = true;
  mapper_.remove(now);
  if (external_ == external) return;
  report({.external = external,
          .protocol = to_string(MappingProtocol::upnp),
          .lifetime = lifetime,
          .double_nat = is_behind_nat(external)});
}

void RouterPort::on_mapping_failed(Instant now, std::string_view why) {
  if (!wanted_) return;
  if (std::exchange(is_owners_, false)) {
    set_external(std::nullopt);
    mapper_.start(now, internet_->remote, internet_->local);
  }
  report_failure(why);
}

void RouterPort::set_wanted(const std::optional<Path>& wanted) {
  if (wanted_ == wanted) return;
  wanted_ = wanted;
  is_owners_ = false;
  queue_.emit(MappingWanted{});
}

// --- what comes of it ----------------------------------------------------------------------------

void RouterPort::set_external(const std::optional<SocketAddress>& external) {
  external_ = external;
  const auto port = external ? std::optional(external->port()) : std::nullopt;
  dialler_.set_mapped_port(ipv6_, port);
}

void RouterPort::report(const PortMapped& mapped) {
  failure_.reset();
  reported_.clear();
  set_external(mapped.external);
  known_.resume_all();  // Nodes that could not reach us may do so now.
  queue_.emit(mapped);
}

void RouterPort::report_failure(std::string_view of_owner) {
  const bool has_nat_behind = is_double_nat();
  std::string why;
  if (failure_) why = describe(has_nat_behind ? MappingFailure::address_mismatch : *failure_);
  if (!why.empty() && !of_owner.empty()) why += ", and ";
  why += of_owner;
  if (why == reported_) return;
  reported_ = why;
  queue_.emit(PortMapFailed{.why = std::move(why), .double_nat = has_nat_behind});
}

void RouterPort::take_events() {
  while (const auto event = mapper_.poll_event()) {
    if (const auto* mapping = std::get_if<PortMapping>(&*event)) {
      set_wanted(std::nullopt);
      report({.external = mapping->external,
              .protocol = to_string(mapping->protocol),
              .lifetime = mapping->lifetime,
              .double_nat = mapping->double_nat});
      continue;
    }
    const bool had_one = external_.has_value();
    set_external(std::nullopt);
    failure_ = std::get<NoPortMapping>(*event).why;
    const bool may_ask_owner = config_.other_port_mapper && !ipv6_ && is_expected();
    if (may_ask_owner && !is_double_nat()) {
      set_wanted(internet_);  // What the owner says is reported with it.
    } else if (is_expected() || had_one) {
      report_failure();
    }
  }
}

bool RouterPort::consistent() const {
  if (!mapper_.consistent() || (external_ && failure_)) return false;
  if ((wanted_ && wanted_ != internet_) || (is_owners_ && !(wanted_ && external_))) return false;
  // Beside the owner's mapping a request that may have been granted is still being taken back.
  return internet_ ? is_owners_ || !mapper_.is_idle() : !external_ && !failure_;
}

}  // namespace qpeer::p2p
