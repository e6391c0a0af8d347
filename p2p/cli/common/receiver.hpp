// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The serving end of qpeer's protocol: stores the files that come on streams and hands them out
// again, to any number of peers at once. Nothing that a peer sends is trusted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/async/peer_stream.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"

namespace qpeer::cli {

struct ReceiverOptions {
  std::string store;  ///< The folder, which must exist; empty stores and gives nothing.
  std::uint64_t max_size = std::uint64_t{64} << 30;
  std::size_t max_transfers = 256;  ///< At once, of all peers.
};

/// What became of one file.
struct Received {
  PeerId from;
  std::string name;  ///< As stored, or as asked for; safe to print.
  std::uint64_t size = 0;
  std::array<u8, 32> sha256{};
  std::string failure;  ///< Why it was not stored; empty when it was.
};

/// Outlives the tasks that serve() makes.
class Receiver {
 public:
  using OnReceived = std::function<void(const Received&)>;

  /// `on_received` is told of each file, after its sender.
  Receiver(ReceiverOptions options, OnReceived on_received)
      : options_(std::move(options)), on_received_(std::move(on_received)) {}

  /// Serves one stream to its end.
  async::Task<void> serve(p2p::PeerStream stream);
  /// The names of the files in the store, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  class Slot;
  async::Task<void> serve_put(p2p::PeerStream& stream);
  async::Task<void> serve_get(p2p::PeerStream& stream);
  async::Task<std::optional<PutAnswer>> store(p2p::PeerStream& stream, const PutRequest& request,
                                              std::string_view bad_name);
  async::Task<std::optional<PutAnswer>> store_body(p2p::PeerStream& stream,
                                                   const PutRequest& request);

  ReceiverOptions options_;
  OnReceived on_received_;
  std::size_t transfers_ = 0;
};

}  // namespace qpeer::cli
