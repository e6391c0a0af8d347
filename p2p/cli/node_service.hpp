// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node at work: joins, prints what happens, stores and serves files, answers requests. When no peer
// can reach the node, the program goes on as a client, unless that is forbidden.
#pragma once

#include "qpeer/qpeer.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/p2p/cli/client_session.hpp"
#include "qpeer/p2p/cli/common/receiver.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"

namespace qpeer::cli {

struct ServiceOptions {
  std::vector<PeerAddress> contacts{};
  ReceiverOptions receiver = ReceiverOptions();
  std::string greeting{};                 ///< A message sent to each node with a new link.
  std::string metrics{};                  ///< See OperatorOptions.
  bool node_only = false;                 ///< Never go on as a client.
  bool once = false;                      ///< End after one transfer.
  NodeOptions as_client = NodeOptions();  ///< How to go on as a client.
};

class NodeService {
 public:
  /// `reporter` must outlive the service.
  NodeService(EventLoop& loop, Node node, ServiceOptions options, Reporter& reporter);

  /// Runs until stop(), or until the end that the options name. Returns the exit status.
  Task<int> run();
  void stop();

 private:
  void on_event(const NodeEvent& event);
  void show_ticket();
  void on_received(const Received& file);
  Task<void> join();
  [[nodiscard]] SocketAddress address_of(const PeerId& peer) const;
  Task<void> greet(NodePeer peer);
  Task<void> answer(IncomingRequest request);
  void take(Arrival arrival);
  [[nodiscard]] bool wants_to_join() const;
  [[nodiscard]] std::optional<std::string> answer_to(std::string_view text) const;
  [[nodiscard]] std::string list_peers() const;
  Task<int> go_on_as_client();

  EventLoop& loop_;
  Node node_;
  ServiceOptions options_;
  Reporter& reporter_;
  Receiver receiver_;
  TaskGroup tasks_;
  std::optional<ClientSession> client_;
  bool stopping_ = false;
  bool refused_ = false;  ///< In this bootstrap, a peer found that it cannot reach us.
  bool unreachable_ = false;
  std::optional<bool> first_stored_;
  std::string ticket_;  ///< As shown.
};

}  // namespace qpeer::cli
