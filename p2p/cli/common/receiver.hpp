// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The serving end of qpeer's protocol: stores the files that arrive on streams, and serves them to any
// number of peers at once. Nothing that a peer sends is trusted, and a transfer without progress is
// aborted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/async/peers.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"
#include "qpeer/p2p/cli/common/store.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/counts.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::cli {

struct ReceiverOptions {
  std::string store;  ///< The folder, which must exist; when empty, no file is stored or served.
  StoreLimits limits{};
  std::size_t max_transfers = 256;            ///< At once, of all peers.
  std::size_t max_transfers_of_peer = 16;     ///< At once, of one.
  std::size_t max_transfers_of_network = 64;  ///< At once, of one /24 or /48.
  bool anyone_stores = false;                 ///< Every peer may store files.
  std::vector<PeerId> storers{};              ///< Who may store files unless every peer may.
  /// A stream on which fewer than `least_progress` bytes of a file moved within this time is reset.
  Duration patience = 30s;
  std::uint64_t least_progress = 32 << 10;
  std::uint64_t send_buffer =
      1 << 20;  ///< Of a stream: bytes written by us and not yet acknowledged by the peer.
};

/// What became of one file.
struct Received {
  PeerId from;
  std::string name;  ///< As stored, or as asked for; safe to print.
  std::uint64_t size = 0;
  std::array<u8, 32> sha256{};
  std::string failure;  ///< Why it was not stored; empty when it was.
};

/// Serves the streams of peers. Must outlive the tasks that serve() makes.
class Receiver {
 public:
  using OnReceived = std::function<void(const Received&)>;

  /// `on_received` is called for each file, after the answer to its sender was written. The loop must
  /// outlive this object.
  Receiver(io::EventLoop& loop, ReceiverOptions options, OnReceived on_received)
      : loop_(loop),
        options_(std::move(options)),
        on_received_(std::move(on_received)),
        store_(options_.store, options_.limits) {}

  /// Serves one stream to its end. `address` is the peer's.
  async::Task<void> serve(p2p::PeerStream stream, SocketAddress address);
  /// The names of the files in the store, sorted.
  [[nodiscard]] std::vector<std::string> names() const { return store_.names(); }

 private:
  class Slot;
  /// One stream that is served.
  struct Transfer {
    p2p::PeerStream stream;
    SocketAddress network;               ///< Of its peer, a /24 or /48.
    Progress progress{{}, 0, true};      ///< Not printed.
    bool written = false;                ///< Get: all is written, but perhaps not acknowledged.
    std::optional<Received> received{};  ///< Put: set once the request was read.
  };
  async::Task<void> serve_request(Transfer& transfer);
  async::Task<void> until_it_stands_still(const Transfer& transfer);
  async::Task<void> serve_put(Transfer& transfer);
  async::Task<void> serve_get(Transfer& transfer);
  async::Task<std::optional<PutAnswer>> store(Transfer& transfer, const PutRequest& request,
                                              std::string_view bad_name);
  async::Task<std::optional<PutAnswer>> store_body(Transfer& transfer, const PutRequest& request);
  [[nodiscard]] bool may_store(const PeerId& peer) const;
  [[nodiscard]] bool is_busy(const Transfer& transfer) const;

  io::EventLoop& loop_;
  ReceiverOptions options_;
  OnReceived on_received_;
  Store store_;
  Counts<PeerId> transfers_;           ///< Transfers with a body that are under way.
  Counts<SocketAddress> of_networks_;  ///< The same, by the networks of the peers.
};

}  // namespace qpeer::cli
