// SPDX-License-Identifier: MIT OR BSD-3-Clause
// All figures of a running peer as OpenMetrics text, in a file that is replaced every few seconds.
#pragma once

#include <functional>
#include <string>

#include "qpeer/p2p/async/async_node.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::cli {

/// The text: see https://prometheus.io/docs/specs/om/open_metrics_spec/.
[[nodiscard]] std::string open_metrics(const p2p::NodeStats& node,
                                       const transport::EndpointStats& endpoint,
                                       const io::UdpStats& socket);
/// The same of a peer, as of now.
[[nodiscard]] std::string open_metrics(const p2p::AsyncNodeBase& peer);

/// How often the file is replaced.
inline constexpr Duration kMetricsInterval = 5s;

/// Gives the file at `path` what `text` returns, at once and then every kMetricsInterval, until it is
/// cancelled. Readers see all of the old text or all of the new. When that fails, a line on standard error
/// says why, once until it works again.
async::Task<void> keep_metrics(io::EventLoop& loop, std::string path,
                               std::function<std::string()> text);

}  // namespace qpeer::cli
