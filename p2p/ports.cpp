// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/ports.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::p2p {
namespace {

transport::EndpointConfig first_port(const NodeConfig& config, const PeerTls& tls) {
  transport::EndpointConfig out = config.endpoint;
  out.connection = config.connection;
  out.server_tls = config.role == Role::node ? tls.server : nullptr;
  return out;
}

transport::EndpointConfig probe_port(const NodeConfig& config) {
  transport::EndpointConfig out = config.endpoint;
  out.server_tls = nullptr;
  out.reset_key =
      {};  // RFC 9000 §21.11 [rfc9000-21.11-2]: what one port resets may live at the other.
  return out;
}

}  // namespace

Ports::Ports(const NodeConfig& config, const PeerTls& tls, crypto::KeyFactory& keys, Random& random)
    : first_(first_port(config, tls), keys, random) {
  if (!config.probe_address) return;
  probe_.emplace(probe_port(config), keys, random);
  probe_address_ = *config.probe_address;
}

void Ports::on_datagram(Instant now, ReceivedDatagram datagram) {
  endpoint(port_of(datagram.path.local)).on_datagram(now, datagram);
}

void Ports::on_refused(Instant now, Transmit transmit, std::error_code error) {
  const Port port = port_of(transmit.path.local);
  // The endpoint finds the connection by the path that it named itself.
  if (port == Port::probe) transmit.path.local = replaced_local_;
  endpoint(port).on_refused(now, transmit, error);
}

std::optional<Transmit> Ports::poll_transmit(Instant now, TransmitBuffer& out) {
  if (auto transmit = first_.poll_transmit(now, out)) return transmit;
  if (!probe_) return std::nullopt;
  auto transmit = probe_->poll_transmit(now, out);
  if (transmit) replaced_local_ = std::exchange(transmit->path.local, probe_address_);
  return transmit;
}

Instant Ports::next_deadline() const {
  const Instant first = first_.next_deadline();
  return probe_ ? std::min(first, probe_->next_deadline()) : first;
}

void Ports::on_deadline(Instant now) {
  first_.on_deadline(now);
  if (probe_) probe_->on_deadline(now);
}

void Ports::shut_down(Instant now, ErrorCode code, std::string_view reason) {
  first_.shut_down(now, std::to_underlying(code), reason);
  if (probe_) probe_->shut_down(now, std::to_underlying(code), reason);
}

}  // namespace qpeer::p2p
