// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client that stays: it joins, tells of its links, and asks what it is given to ask.
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
  /// `reporter` stays longer. With `input`, its lines are requests, and its end is the session's.
  ClientSession(EventLoop& loop, Client client, std::vector<PeerAddress> contacts,
                const Reporter& reporter);

  /// To the end: of the input (the lines of a descriptor), or by stop(). Gives the exit status.
  Task<int> run(std::optional<int> input);
  void stop();

 private:
  Task<bool> join();
  Task<bool> ask(const std::string& text);
  Task<void> stay();

  EventLoop& loop_;
  Client client_;
  std::vector<PeerAddress> contacts_;
  const Reporter& reporter_;
  std::optional<LineReader> lines_;
  bool stopping_ = false;
};

}  // namespace qpeer::cli
