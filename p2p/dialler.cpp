// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/dialler.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace qpeer::p2p {

// By the configuration alone: the address that peers report for us may be a lie of many. A node that dials
// itself all the same learns it from the key.
bool Dialler::is_ourselves(const SocketAddress& address) const {
  if (config_.role != Role::node) return false;
  return std::ranges::find(config_.advertised, address) != config_.advertised.end();
}

std::expected<ConnectionSlot, std::string> Dialler::dial(Instant now, const Candidate& candidate,
                                                         Purpose purpose, Port port) {
  if (shutting_down_) return std::unexpected("we are shutting down");
  if (candidate.id == tls_.id || is_ourselves(candidate.address)) {
    return std::unexpected("that is ourselves");
  }
  if (!candidate.id && tls_.needs_expected_id()) {
    return std::unexpected("its peer id is not known, which this trust mode needs");
  }
  if (candidate.hearsay && !known_.admit_hearsay(now, candidate.address)) {
    return std::unexpected("enough nodes that peers named were dialled for now");
  }
  if (!source_.has_probe()) port = Port::first;
  transport::ConnectOptions options;
  options.tls = tls_.client;
  options.connection = config_.connection;
  // Streams of a peer that we dialled are a violation; one of each kind is allowed so that it is seen.
  options.connection.streams.max_streams_bidi = 1;
  options.connection.streams.max_streams_uni = 1;
  if (!candidate.id && tls_.checks_names()) options.server_name = candidate.server_name;
  // A dial-back has to prove the key itself.
  const bool resumes = candidate.id && purpose == Purpose::link && port == Port::first;
  if (resumes) {
    // RFC 9001 §4.5 [rfc9001-4.5-1], RFC 9000 §8.1.3 [rfc9000-8.1.3-13]: once, so that no observer
    // can see that two connections are of the same peer.
    cache::Resumption kept = known_.take_resumption(*candidate.id);
    options.session_ticket = std::move(kept.ticket);
    options.address_token = std::move(kept.address_token);
    options.early_data = transport::EarlyDataPolicy::resend;
  }
  const auto handle = source_.connect(now, port, candidate.address, options);
  if (!handle) return std::unexpected(std::string(to_string(handle.error())));
  PeerConnection& connection = connections_.add(now, port, *handle);
  connection.dialled = true;
  connection.purpose = purpose;
  connection.candidate = candidate;
  connection.remote = candidate.address;
  introduce_early(connection);
  return connection.slot;
}

// Sends the introduction in the first flight, where the node that we dial gave us a ticket. When the node
// rejects early data, the transport sends it again after the handshake.
void Dialler::introduce_early(PeerConnection& connection) {
  transport::Connection* transport = connections_.transport(connection);
  if (transport == nullptr || transport->early_data() != crypto::EarlyData::offered) return;
  const auto control = transport->open_early_stream(true);
  if (!control) return;
  connection.control.open(*control);
  introduce(connection);
}

// Not zero, which would mean that we send no instance.
std::uint64_t Dialler::draw_instance(Random& random) {
  std::array<u8, 8> bytes{};
  random.fill_private(bytes);
  return std::max<std::uint64_t>(Reader(bytes).u64(), 1);
}

void Dialler::introduce(PeerConnection& connection) {
  Introduction message{.role = config_.role,
                       .purpose = connection.purpose,
                       .nonce = {},
                       .max_message_size = config_.max_message_size,
                       .advertised = {},
                       .instance = instance_};
  if (config_.role == Role::node) {
    for (const SocketAddress& address : config_.advertised) message.advertised.push_back(address);
    const bool by_ipv6 = connections_.transport(connection)->path().remote.is_ipv6();
    const auto& mapped = by_ipv6 ? mapped_port6_ : mapped_port4_;
    const std::uint16_t port = mapped.value_or(config_.listen_port);
    if (config_.advertised.empty() && port != 0) {
      message.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, port));
    }
  }
  connection.control.introduce(connections_.transport(connection), message, random_);
  // Together with the introduction, so that it is there when the dial-back is. A node of a lower minor
  // version skips it.
  const bool is_checked =
      config_.role == Role::node && connection.dialled && connection.purpose == Purpose::link;
  if (is_checked) connection.control.send(connections_.transport(connection), KnockMe{});
}

}  // namespace qpeer::p2p
