// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/transport/async/in_background.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {
namespace {

class MetricsText {
 public:
  void counter(std::string_view name, std::uint64_t value, std::string_view help) {
    family(name, "counter", help);
    fmt::format_to(std::back_inserter(out_), "qpeer_{}_total {}\n", name, value);
  }
  void gauge(std::string_view name, std::uint64_t value, std::string_view help) {
    family(name, "gauge", help);
    fmt::format_to(std::back_inserter(out_), "qpeer_{} {}\n", name, value);
  }
  /// One counter for each reason, which `E` enumerates from 0 on.
  template <class E>
  void counters(std::string_view name, std::span<const std::uint64_t> values,
                std::string_view help) {
    family(name, "counter", help);
    for (std::size_t i = 0; i < values.size(); ++i) {
      fmt::format_to(std::back_inserter(out_), "qpeer_{}_total{{reason=\"{}\"}} {}\n", name,
                     to_string(static_cast<E>(i)), values[i]);
    }
  }
  [[nodiscard]] std::string end() { return std::move(out_) + "# EOF\n"; }

 private:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(out_), "# TYPE qpeer_{} {}\n# HELP qpeer_{} {}\n", name, type,
                   name, help);
  }
  std::string out_;
};

void add(MetricsText& out, const p2p::NodeStats& node) {
  out.gauge("links", node.links, "Links that are up.");
  out.gauge("peer_connections", node.connections, "Connections to peers, of all kinds.");
  out.counter("dial_backs", node.dial_backs, "Dial-backs begun.");
  out.counter("dial_backs_failed", node.dial_backs_failed, "Dial-backs without a proof.");
  out.counter("violations", node.violations, "Connections closed for what the peer did.");
  out.counters<p2p::Refusal>("refused", node.refused, "Who dialled us and was turned away.");
  out.gauge("inbox_bytes", node.inbox_bytes, "What arrives or waits to be taken.");
  out.gauge("outbox_bytes", node.outbox_bytes, "What peers do not have yet.");
  out.gauge("candidates_learned", node.candidates_learned, "Nodes that peers named.");
  out.counter("stun_answers", node.stun_answers, "Answers to STUN requests.");
  out.counter("stun_rate_limited", node.stun_rate_limited,
              "STUN requests beyond what is answered.");
  out.counter("stun_ignored", node.stun_ignored, "STUN messages that no request waits for.");
}

void add(MetricsText& out, const transport::EndpointStats& endpoint) {
  out.counters<DropReason>("dropped", endpoint.dropped, "Datagrams and packets discarded.");
  out.counter("endpoint_datagrams_received", endpoint.datagrams_received,
              "Datagrams that the endpoint was given.");
  out.counter("accepted", endpoint.accepted, "Connections begun for clients.");
  out.counter("connected", endpoint.connected, "Handshakes complete, in both directions.");
  out.counters<transport::Rejection>("rejected", endpoint.rejected,
                                     "Clients that got no connection.");
  out.counter("retries_sent", endpoint.retries_sent, "Retry packets.");
  out.counter("tokens_accepted", endpoint.tokens_accepted, "Tokens of NEW_TOKEN frames.");
  out.counter("version_negotiations_sent", endpoint.version_negotiations_sent,
              "Version Negotiation packets.");
  out.counter("stateless_resets_sent", endpoint.stateless_resets_sent, "Stateless resets.");
  out.counter("handed_over", endpoint.handed_over, "Datagrams given to other threads.");
  out.counter("taken_over", endpoint.taken_over, "Datagrams taken from other threads.");
  out.gauge("connections", endpoint.connections, "Connections now.");
  out.gauge("handshakes", endpoint.handshakes, "Handshakes of clients in flight.");
  out.gauge("attempts", endpoint.attempts, "Handshakes of our own in flight.");
  out.gauge("receive_credit_bytes", endpoint.receive_credit, "Granted to peers and not read.");
  out.gauge("send_buffered_bytes", endpoint.send_buffered, "Written and not acknowledged.");
  out.gauge("datagram_memory_bytes", endpoint.datagram_memory, "Kept for datagrams.");
}

void add(MetricsText& out, const io::UdpStats& socket) {
  out.counter("udp_datagrams_sent", socket.datagrams_sent, "Datagrams that the kernel took.");
  out.counter("udp_sent_bytes", socket.bytes_sent, "Bytes of UDP payload sent.");
  out.counter("udp_send_calls", socket.send_calls, "System calls to send.");
  out.counter("udp_send_blocked", socket.send_blocked, "Sends that would have blocked.");
  out.counter("udp_datagrams_lost", socket.datagrams_lost, "Datagrams that the kernel refused.");
  out.counter("udp_datagrams_received", socket.datagrams_received, "Datagrams received.");
  out.counter("udp_received_bytes", socket.bytes_received, "Bytes of UDP payload received.");
  out.counter("udp_receive_calls", socket.receive_calls, "System calls to receive.");
  out.counter("udp_receive_errors", socket.receive_errors, "Errors of receive calls.");
  out.counter("udp_truncated", socket.truncated, "Received trains that did not fit.");
}

}  // namespace

std::string open_metrics(const p2p::NodeStats& node, const transport::EndpointStats& endpoint,
                         const io::UdpStats& socket) {
  MetricsText out;
  add(out, node);
  add(out, endpoint);
  add(out, socket);
  return out.end();
}

std::string open_metrics(const p2p::AsyncNodeBase& peer) {
  return open_metrics(peer.stats(), peer.endpoint_stats(), peer.udp_stats());
}

async::Task<void> keep_metrics(io::EventLoop& loop, std::string path,
                               std::function<std::string()> text) {
  bool failed = false;
  for (;;) {
    // A disk may be slow: the loop goes on meanwhile.
    auto write = [path, contents = text()]() -> FileResult {
      return replace_file(path, as_bytes(contents), 0644);
    };
    auto writing = async::in_background(loop, std::move(write));
    const FileResult written = co_await writing;
    if (!written && !failed) complain("--metrics: {}", written.error());
    failed = !written;
    co_await async::sleep_for(loop, kMetricsInterval);
  }
}

}  // namespace qpeer::cli
