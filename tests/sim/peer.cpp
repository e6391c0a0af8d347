// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/peer.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

namespace qpeer::sim {

Peer::Peer(Network& network, PeerConfig config, SocketAddress address)
    : network_(network),
      config_(std::move(config)),
      random_(network.random().split()),
      client_tls_(config_.real_client_tls ? config_.real_client_tls
                                          : make_test_tls(random_, config_.tls)),
      server_tls_(config_.real_server_tls ? config_.real_server_tls
                                          : make_test_tls(random_, config_.tls)),
      endpoint_(make_endpoint()),
      host_(network.add_host(make_node(), address)) {
  host_.max_segments = config_.max_segments;
}

std::unique_ptr<transport::Endpoint> Peer::make_endpoint() {
  transport::EndpointConfig config = config_.endpoint;
  if (config_.listens) config.server_tls = server_tls_;
  drained = false;
  crypto::KeyFactory& keys = config_.keys != nullptr ? *config_.keys : null_keys_;
  return std::make_unique<transport::Endpoint>(std::move(config), keys, random_);
}

std::unique_ptr<Node> Peer::make_node() {
  const auto handler = [this](const transport::EndpointEvent& event) { on_event(event); };
  return std::make_unique<MachineNode<transport::Endpoint, decltype(handler)>>(*endpoint_, handler);
}

Session& Peer::connect(const SocketAddress& to, std::vector<u8> address_token) {
  transport::ConnectOptions options;
  options.address_token = std::move(address_token);
  options.tls = client_tls_;
  options.server_name = config_.server_name;
  options.connection = config_.connection;
  options.session_ticket = config_.session_ticket;
  options.early_data = config_.early_data;
  const auto handle = endpoint_->connect(network_.now(), to, options);
  Session& session = add_session(handle.value_or(transport::ConnectionHandle{}), false);
  if (!handle) {
    by_handle_.erase(0);
    session.close = transport::CloseReason{
        .kind = transport::CloseReason::Kind::local_transport,
        .code = static_cast<std::uint64_t>(TransportErrorCode::internal_error),
        .reason = std::string(to_string(handle.error()))};
  }
  wake();
  return session;
}

void Peer::sends(std::uint64_t size, StreamKind kind) {
  if (has_session()) return session().sends(size, kind);
  jobs_.push_back({size, kind});
}

void Peer::restart() {
  crash();
  if (config_.real_server_tls) server_tls_ = config_.real_server_tls;
  endpoint_ = make_endpoint();
  network_.replace(host_, make_node());
}

void Peer::crash() {
  network_.detach(host_);
  by_handle_.clear();
  for (const auto& session : sessions_) session->lost_ = true;
  endpoint_.reset();
}

Session& Peer::session(std::size_t index) const {
  if (index >= sessions_.size()) {
    ADD_FAILURE() << "there is no session " << index;
    std::abort();
  }
  return *sessions_[index];
}

Session& Peer::add_session(transport::ConnectionHandle handle, bool incoming) {
  sessions_.push_back(std::make_unique<Session>(*this, handle, incoming));
  Session& session = *sessions_.back();
  by_handle_[handle.value] = &session;
  for (const auto& job : std::exchange(jobs_, {})) session.sends(job.size, job.kind);
  return session;
}

void Peer::on_event(const transport::EndpointEvent& event) {
  EXPECT_FALSE(drained) << "an event after Drained";
  drained = std::holds_alternative<transport::Drained>(event);
  if (drained) return;
  const auto& activity = std::get<transport::ConnectionActivity>(event);
  const auto found = by_handle_.find(activity.connection.value);
  Session& session = found != by_handle_.end()
                         ? *found->second
                         : add_session(activity.connection, activity.incoming);
  EXPECT_EQ(session.incoming(), activity.incoming);
  session.on_event(network_.now(), activity.event);
}

Predicate Peer::connected() const {
  return [this] { return has_session() && session().connected(); };
}

Predicate Peer::confirmed() const {
  return [this] { return has_session() && session().confirmed_at.has_value(); };
}

Predicate Peer::closed() const {
  return [this] {
    return has_session() &&
           std::ranges::all_of(sessions_, [](const auto& s) { return s->closed(); });
  };
}

Predicate Peer::received(std::uint64_t size) const {
  return [this, size] { return received_ >= size; };
}

Predicate Peer::acknowledged() const {
  return [this] {
    return has_session() && jobs_.empty() &&
           std::ranges::all_of(sessions_, [](const auto& s) { return s->unacknowledged == 0; });
  };
}

}  // namespace qpeer::sim
