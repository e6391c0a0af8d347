// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How a connection begins, for its observer. Other events come where things happen.
#include <span>

#include "qpeer/transport/connection/connection_machine.hpp"

namespace qpeer::transport {

void ConnectionMachine::start_log() {
  if (log_ == nullptr) return;
  log_->emit(log::ConnectionStarted{
      .path = path(), .local_cid = local_cids_.initial(), .remote_cid = remote_cids_.current()});
  log_->emit(log::TupleAssigned{.tuple_id = 0, .path = path()});
  log_state(log::ConnectionState::attempted);
  recovery_.set_log(*log_);
  streams_.set_log(*log_);
  key_phases_.set_log(*log_, side());
  remote_cids_.set_log(*log_);
  paths_.set_log(*log_);
}

void ConnectionMachine::log_handshake_complete() const {
  const auto ours = std::span<const Version>(config_.versions.begin(), config_.versions.end());
  const auto& information = peer_parameters().version_information;
  const auto theirs = information ? information->available_versions() : std::span<const Version>{};
  const bool client = side() == Side::client;
  log_->emit(log::VersionInformation{.server_versions = client ? theirs : ours,
                                     .client_versions = client ? ours : theirs,
                                     .chosen_version = version()});
  log_->emit(log::AlpnInformation{.chosen_alpn = alpn()});
  log_state(log::ConnectionState::handshake_complete);
}

}  // namespace qpeer::transport
