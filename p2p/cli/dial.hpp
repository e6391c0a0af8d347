// A connection to a node, for the commands that need one.
#pragma once

#include <qpeer/transport.hpp>

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/peer_id.hpp"
#include "p2p/cli/common/arguments.hpp"
#include "p2p/cli/common/transport_options.hpp"

namespace qpeer::cli {

struct DialOptions {
  std::string to;
  std::string key;
  std::optional<PeerId> expected_id{};
  Duration timeout = 10s;
  TransportOptions transport{};

  void declare(Arguments& arguments);  ///< All flags, but not how `to` is given.
  /// Arguments::parse, then whether `to` can be an address at all.
  [[nodiscard]] std::optional<int> parse(Arguments& arguments, std::span<char* const> words) const;
};

struct Dialled {
  AsyncEndpoint endpoint;
  AsyncConnection connection;
};

/// Tries each address that the name has; else what was tried and why it failed, in words.
Task<std::expected<Dialled, std::string>> dial(EventLoop& loop, const DialOptions& options);

}  // namespace qpeer::cli
