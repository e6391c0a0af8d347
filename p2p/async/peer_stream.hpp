// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A raw stream to a peer whose operations are awaited: bidirectional between a client and a node,
// one way between nodes.
#pragma once

#include <memory>

#include "qpeer/p2p/async/operations.hpp"
#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/async/stream_handle.hpp"

namespace qpeer::p2p {

/// One stream; keeps the node. See async::StreamHandle for what it does: `closed` means that the
/// link or the node has ended. Of the loop's thread.
class PeerStream final : public async::StreamHandle {
 public:
  /// Whose it is: the peer that opened it, or to whom we did.
  [[nodiscard]] const PeerId& peer() const;
  /// Names it in the events of the node.
  [[nodiscard]] OperationId id() const;

 private:
  friend detail::NodeState;
  PeerStream(std::shared_ptr<detail::NodeState> node, detail::PeerStreamState& state);
};

}  // namespace qpeer::p2p
