// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the endpoint does about datagrams that the operating system refuses to send. A refusal is not a
// lost packet: it shows something of the network interface, of the socket or of the local address, and
// the endpoint acts on that at once. RFC 9000 §9, §14.
#include <algorithm>
#include <utility>

#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/endpoint/implementation.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {
namespace {

std::size_t segment_size_of(const Transmit& transmit) {
  return transmit.segment_size != 0 ? transmit.segment_size : transmit.size;
}

constexpr std::string_view kLocalAddressGone = "the local address is gone";

/// Whether the connection, not the operating system, chose the address that the train leaves from.
bool names_source(const Transmit& transmit) {
  return transmit.path.local.valid() && !transmit.path.local.is_wildcard();
}

/// Why no attempt over the path of this train can succeed; empty when one may.
std::string_view why_hopeless(const Transmit& transmit, std::error_code error) {
  // RFC 9000 §14 [rfc9000-14-1].
  if (error == std::errc::message_size &&
      segment_size_of(transmit) <= wire::kMinInitialDatagramSize) {
    return "datagrams of 1,200 bytes are too large for the network interface";
  }
  if (error == std::errc::address_family_not_supported) {
    return "the socket does not reach addresses of this family";
  }
  if (error == std::errc::invalid_argument) {
    return names_source(transmit) ? kLocalAddressGone
                                  : "the operating system does not send to this address";
  }
  if (error == std::errc::address_not_available && names_source(transmit)) return kLocalAddressGone;
  return {};
}

/// Whether nothing can be sent from the local address that the train names, as far as is known.
bool is_source_refused(const Transmit& transmit, std::error_code error) {
  return names_source(transmit) &&
         (error == std::errc::invalid_argument || error == std::errc::address_not_available ||
          error == std::errc::network_unreachable);
}

}  // namespace

void Endpoint::on_refused(Instant now, const Transmit& transmit, std::error_code error) {
  const std::string_view reason = why_hopeless(transmit, error);
  if (!reason.empty()) {
    impl_->end_attempts(now, transmit.path, reason);
  } else if (error == std::errc::message_size && impl_->last_transmit) {
    Implementation::Entry& entry = *impl_->entries[*impl_->last_transmit];
    entry.connection->on_datagram_too_large(now, transmit.path, segment_size_of(transmit));
    impl_->touch(entry);
  }
  if (is_source_refused(transmit, error)) impl_->leave_local_address(now, transmit.path, error);
}

void Endpoint::Implementation::end_attempts(Instant now, const Path& path,
                                            std::string_view reason) {
  if (attempts == 0) return;
  for (const auto& entry : entries) {
    if (!entry || entry->incoming || !entry->in_handshake) continue;
    if (entry->connection->path() != path) continue;
    entry->connection->abandon(now, application_close(0, reason));
    touch(*entry);
  }
}

// A local address that is gone concerns all connections; an unreachable network concerns only the one that
// reported it. A handshake waits for the network to come back, but not for an address.
void Endpoint::Implementation::leave_local_address(Instant now, const Path& path,
                                                   std::error_code error) {
  if (last_transmit) {
    Entry& entry = *entries[*last_transmit];
    const bool waits = error == std::errc::network_unreachable && !entry.connection->is_confirmed();
    if (!waits) entry.connection->on_local_address_gone(now, path);
    touch(entry);
  }
  if (error != std::errc::network_unreachable) leave_local_address(now, path.local);
}

void Endpoint::Implementation::leave_local_address(Instant now, const SocketAddress& local) {
  for (const auto& entry : entries) {
    if (!entry || entry->incoming) continue;
    const Path path = entry->connection->path();
    if (!path.local.valid() || !path.local.same_host(local)) continue;
    entry->connection->on_local_address_gone(now, path);
    touch(*entry);
  }
}

void Endpoint::on_local_address_gone(Instant now, const SocketAddress& local) {
  impl_->leave_local_address(now, local);
}

// Connections to one server have one answer: it is asked for each remote address once in a row.
void Endpoint::on_routes_changed(Instant now, const SourceOf& source_of) {
  SocketAddress asked;
  SocketAddress source;
  for (const auto& entry : impl_->entries) {
    if (!entry || entry->incoming) continue;
    const Path path = entry->connection->path();
    if (!path.local.valid()) continue;
    if (path.remote != asked) {
      asked = path.remote;
      source = source_of(asked);
    }
    entry->connection->on_source_changed(now, source);
    impl_->touch(*entry);
  }
}

void Endpoint::on_network_changed(Instant now) {
  for (const auto& entry : impl_->entries) {
    if (!entry) continue;
    entry->connection->on_network_changed(now);
    impl_->touch(*entry);
  }
}

// Anybody can forge an ICMP message, but only a host on the path can quote our random connection ID.
void Endpoint::on_port_closed(Instant now, const SocketAddress& remote, Bytes quoted) {
  if (impl_->attempts == 0) return;
  const auto header = wire::InvariantHeader::decode(quoted, Implementation::kCidSize);
  if (!header || !header->long_form) return;
  // The source of our datagram is a connection ID of ours, so that no message costs a search.
  const Bytes source = header->source_connection_id;
  const auto slot = source.empty() ? impl_->zero_length : impl_->router.find(source);
  if (!slot) return;
  Implementation::Entry& entry = *impl_->entries[*slot];
  if (entry.incoming || !entry.in_handshake || !entry.ends_at_closed_port) return;
  ConnectionMachine& connection = *entry.connection;
  if (connection.path().remote != remote || connection.packets_received() != 0) return;
  if (!equal(connection.destination(), header->destination_connection_id)) return;
  connection.abandon(now, {.kind = CloseReason::Kind::port_closed, .reason = {}});
  impl_->touch(entry);
}

}  // namespace qpeer::transport
