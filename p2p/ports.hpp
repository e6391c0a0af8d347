// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The one or two UDP ports of a Node, each with the transport endpoint behind it.
//
// Invariant: there is a probe port exactly when NodeConfig::probe_address is set. The trains of its endpoint
// get probe_address as their local address here, so that they are sent from there; the endpoint itself
// does not know that address.
#pragma once

#include <expected>
#include <optional>
#include <string_view>
#include <system_error>

#include "qpeer/p2p/node_config.hpp"
#include "qpeer/p2p/peer_connection.hpp"
#include "qpeer/p2p/trust.hpp"
#include "qpeer/transport/base/datagram.hpp"

namespace qpeer::p2p {

/// Where connections come from; tests have one of their own.
class ConnectionSource {
 public:
  virtual std::expected<transport::ConnectionHandle, transport::ConnectError> connect(
      Instant now, Port port, const SocketAddress& remote,
      const transport::ConnectOptions& options) = 0;
  /// To look at; null once the connection is gone. Good until the next call of the machine.
  [[nodiscard]] virtual const transport::Connection* find(
      Port port, transport::ConnectionHandle handle) const = 0;
  /// The same, to be changed: see transport::Endpoint::edit().
  [[nodiscard]] virtual transport::Connection* edit(Port port,
                                                    transport::ConnectionHandle handle) = 0;
  [[nodiscard]] virtual bool has_probe() const = 0;

  ConnectionSource() = default;
  ConnectionSource(const ConnectionSource&) = delete;
  ConnectionSource& operator=(const ConnectionSource&) = delete;

 protected:
  ~ConnectionSource() = default;
};

class Ports final : public ConnectionSource {
 public:
  Ports(const NodeConfig& config, const PeerTls& tls, crypto::KeyFactory& keys, Random& random);

  std::expected<transport::ConnectionHandle, transport::ConnectError> connect(
      Instant now, Port port, const SocketAddress& remote,
      const transport::ConnectOptions& options) override {
    return endpoint(port).connect(now, remote, options);
  }
  [[nodiscard]] const transport::Connection* find(
      Port port, transport::ConnectionHandle handle) const override {
    return (port == Port::probe ? *probe_ : first_).find(handle);
  }
  [[nodiscard]] transport::Connection* edit(Port port,
                                            transport::ConnectionHandle handle) override {
    return endpoint(port).edit(handle);
  }
  [[nodiscard]] bool has_probe() const override { return probe_.has_value(); }

  /// Where a datagram with this local address arrives, or is sent from.
  [[nodiscard]] Port port_of(const SocketAddress& local) const {
    return probe_ && local.port() == probe_address_.port() ? Port::probe : Port::first;
  }
  void on_datagram(Instant now, ReceivedDatagram datagram);
  /// Of the newest train that poll_transmit() gave.
  void on_refused(Instant now, Transmit transmit, std::error_code error);
  void on_local_address_gone(Instant now, const SocketAddress& local) {
    first_.on_local_address_gone(now, local);
    if (probe_) probe_->on_local_address_gone(now, local);
  }
  void on_routes_changed(Instant now, const transport::Endpoint::SourceOf& source_of) {
    first_.on_routes_changed(now, source_of);
  }
  void on_network_changed(Instant now) {
    first_.on_network_changed(now);
    if (probe_) probe_->on_network_changed(now);
  }
  void on_port_closed(Instant now, const SocketAddress& remote, Bytes quoted) {
    first_.on_port_closed(now, remote, quoted);
    if (probe_) probe_->on_port_closed(now, remote, quoted);
  }
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  /// Calls `on_event(port, event)` with the next event, those of the first port before those of the
  /// other; false when there is none.
  template <class F>
  bool poll_event(F&& on_event) {
    if (const auto event = first_.poll_event()) {
      on_event(Port::first, *event);
      return true;
    }
    if (!probe_) return false;
    const auto event = probe_->poll_event();
    if (event) on_event(Port::probe, *event);
    return event.has_value();
  }

  /// Of both together.
  [[nodiscard]] transport::EndpointStats stats() const {
    transport::EndpointStats out = first_.stats();
    if (probe_) out += probe_->stats();
    return out;
  }

  void shut_down(Instant now, ErrorCode code, std::string_view reason);
  [[nodiscard]] bool is_idle() const { return first_.idle() && (!probe_ || probe_->idle()); }
  /// Whether both endpoints agree with themselves. For assertions.
  [[nodiscard]] bool consistent() const {
    return first_.consistent() && (!probe_ || probe_->consistent());
  }

 private:
  transport::Endpoint& endpoint(Port port) { return port == Port::probe ? *probe_ : first_; }

  transport::Endpoint first_;
  std::optional<transport::Endpoint> probe_;
  SocketAddress probe_address_{};
  SocketAddress replaced_local_{};  ///< What the probe's endpoint named in its newest train.
};

}  // namespace qpeer::p2p
