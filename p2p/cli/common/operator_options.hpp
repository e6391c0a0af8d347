// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The flags of commands that run for long, for those who operate them: log, figures.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/operator_log.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::cli {

struct OperatorOptions {
  std::string log;
  OperatorLog::Format format = OperatorLog::Format::text;
  bool verbose = false;
  std::string metrics;  ///< Where figures go: see keep_metrics(). Empty: nowhere.

  void declare(Arguments& arguments);
  /// What is wrong with the flags together; empty when nothing is.
  [[nodiscard]] std::string why_wrong() const;
  /// The log; null when none is asked for.
  [[nodiscard]] std::expected<std::shared_ptr<OperatorLog>, std::string> open_log() const;
};

/// Observers that write the life of each connection into the log, at level debug, after what `others` gives
/// has learned of it. `others` may be unset. `others` alone when the log does not take that level.
[[nodiscard]] transport::log::ObserverFactory logging_connections(
    std::shared_ptr<OperatorLog> log, transport::log::ObserverFactory others);

}  // namespace qpeer::cli
