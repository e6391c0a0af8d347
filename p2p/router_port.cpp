// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/router_port.hpp"

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

bool RouterPort::is_wanted(const Path& internet) const {
  return config_.role == Role::node && config_.port_mapping && config_.advertised.empty() &&
         config_.listen_port != 0 && internet.remote.valid() && internet.local.port() != 0 &&
         scope_of(internet.local) == AddressScope::private_use;
}

void RouterPort::on_network(Instant now, const Path& internet) {
  if (shutting_down_) return;
  if (is_wanted(internet)) {
    if (internet_ == internet) return;
    internet_ = internet;
    set_external(std::nullopt);
    mapper_.start(now, internet.remote, internet.local);
  } else if (internet_) {
    internet_.reset();
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

void RouterPort::shut_down(Instant now) {
  shutting_down_ = true;
  if (internet_) mapper_.remove(now);
  internet_.reset();
  set_external(std::nullopt);
}

void RouterPort::set_external(const std::optional<SocketAddress>& external) {
  external_ = external;
  dialler_.set_mapped_port(external ? std::optional(external->port()) : std::nullopt);
}

void RouterPort::take_events() {
  while (const auto event = mapper_.poll_event()) {
    if (const auto* mapping = std::get_if<PortMapping>(&*event)) {
      set_external(mapping->external);
      known_.resume_all();  // Nodes that could not reach us may do so now.
      queue_.emit(PortMapped{.external = mapping->external,
                             .protocol = to_string(mapping->protocol),
                             .lifetime = mapping->lifetime,
                             .double_nat = mapping->double_nat});
    } else {
      set_external(std::nullopt);
      queue_.emit(PortMapFailed{.why = describe(std::get<NoPortMapping>(*event).why)});
    }
  }
}

bool RouterPort::consistent() const {
  return mapper_.consistent() && (internet_ ? !mapper_.is_idle() : !external_);
}

}  // namespace qpeer::p2p
