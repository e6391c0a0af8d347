// The receiving end of qpeer's protocol: answers pings and stores files, over any number of
// connections at once. Nothing that a peer sends is trusted.
#pragma once

#include <qpeer/transport.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "p2p/cli/common/protocol.hpp"

namespace qpeer::cli {

struct ReceiverOptions {
  std::string store;  ///< The folder; must exist.
  std::uint64_t max_size = std::uint64_t{64} << 30;
  std::size_t max_transfers = 256;  ///< At once, of all connections.
};

/// What became of one file.
struct Received {
  std::string from;  ///< The sender's address.
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

  /// Serves all streams of a connection until it ends.
  Task<void> serve(AsyncConnection connection);

 private:
  class Slot;
  Task<void> serve_stream(AsyncStream stream, std::string from);
  Task<void> serve_put(AsyncStream& stream, const std::string& from);
  static Task<void> serve_ping(AsyncStream& stream);
  Task<std::optional<PutAnswer>> store(AsyncStream& stream, const PutRequest& request,
                                       std::string_view bad_name);
  Task<std::optional<PutAnswer>> store_body(AsyncStream& stream, const PutRequest& request);

  ReceiverOptions options_;
  OnReceived on_received_;
  std::size_t transfers_ = 0;
};

}  // namespace qpeer::cli
