// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which operation each stream of the application belongs to, by connection.
//
// Invariant: no operation has two streams, and no id is given out twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/p2p/peer_connection.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::p2p {

class StreamIndex {
 public:
  using Streams = std::map<StreamId, OperationId>;

  /// For an operation that has no stream yet.
  [[nodiscard]] OperationId new_id() { return {++last_id_}; }

  void add(ConnectionSlot connection, StreamId stream, OperationId id) {
    if (connection >= by_connection_.size()) by_connection_.resize(connection + std::size_t{1});
    by_connection_[connection].emplace(stream, id);
  }
  void remove(ConnectionSlot connection, StreamId stream) {
    if (connection < by_connection_.size()) by_connection_[connection].erase(stream);
  }
  [[nodiscard]] std::optional<OperationId> find(ConnectionSlot connection, StreamId stream) const {
    if (connection >= by_connection_.size()) return std::nullopt;
    const auto at = by_connection_[connection].find(stream);
    if (at == by_connection_[connection].end()) return std::nullopt;
    return at->second;
  }
  /// All streams of a connection, which has none from then on.
  [[nodiscard]] Streams take_all(ConnectionSlot connection) {
    if (connection >= by_connection_.size()) return {};
    return std::exchange(by_connection_[connection], {});
  }

  [[nodiscard]] std::size_t size() const {
    std::size_t out = 0;
    for (const Streams& streams : by_connection_) out += streams.size();
    return out;
  }

 private:
  std::vector<Streams> by_connection_;  ///< By slot: slots are small and used again.
  std::uint64_t last_id_ = 0;
};

}  // namespace qpeer::p2p
