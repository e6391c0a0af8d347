// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client with a link to a node, for the commands that do one thing and end.
#pragma once

#include "qpeer/qpeer.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"

namespace qpeer::cli {

struct DialOptions {
  PeerOptions peer;
  std::vector<PeerAddress> contacts{};  ///< One, or none: then the nodes of the cache are dialled.

  void declare(Arguments& arguments);  ///< All flags but the one that gives the contact.
  /// Arguments::parse, and a check that the flags go together.
  [[nodiscard]] std::optional<int> parse(Arguments& arguments, std::span<char* const> words) const;
};

struct Dialled {
  Client client;
  ServerPeer server;

  /// "PEERID@host:port" as far as known.
  [[nodiscard]] std::string name() const;
  [[nodiscard]] LinkInfo link() const;
};

/// A client with a link; else what was tried and why it failed, on one line. Meanwhile a line in the name of
/// `program` says when nothing comes back.
Task<std::expected<Dialled, std::string>> dial(EventLoop& loop, std::string_view program,
                                               const DialOptions& options);

/// Dials, does `work` with the link, and ends the link well. `program` begins the lines of failure.
int with_link(std::string_view program, const DialOptions& options,
              const std::function<Task<int>(Dialled&)>& work);

}  // namespace qpeer::cli
