// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client that stays: it joins, prints what happens to its links, and sends the requests that it is
// given.
#pragma once

#include "qpeer/qpeer.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/p2p/cli/common/line_reader.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"

namespace qpeer::cli {

class ClientSession {
 public:
  /// `reporter` must outlive the session. `metrics`: see OperatorOptions.
  ClientSession(EventLoop& loop, Client client, std::vector<PeerAddress> contacts,
                std::string metrics, const Reporter& reporter);

  /// Runs until stop(), or until the end of `input`, a descriptor of which each line is a request.
  /// Returns the exit status.
  Task<int> run(std::optional<int> input);
  void stop();

 private:
  Task<bool> join();
  Task<bool> ask(const std::string& text);
  Task<void> stay();

  EventLoop& loop_;
  Client client_;
  std::vector<PeerAddress> contacts_;
  std::string metrics_;
  const Reporter& reporter_;
  std::optional<LineReader> lines_;
  bool stopping_ = false;
  TaskGroup tasks_;
};

}  // namespace qpeer::cli
