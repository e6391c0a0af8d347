// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/links/cell.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "qpeer/tests/links/stream_meter.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::links {
namespace {

using sim::Peer;
using sim::PeerConfig;
using sim::PeerNetwork;
using sim::StreamKind;

/// What is written where no size is given: more than any link moves.
constexpr std::uint64_t kEndless = std::uint64_t{1} << 40;
constexpr std::uint64_t kBriefSize = 32 << 20;
/// A transfer that has not ended after that stands still.
constexpr Duration kLongest = 1'200s;

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// One sender, its receiver, and what is counted of them.
struct Flow {
  Peer& sender;
  Peer& receiver;
  StreamMeter sent{};
  StreamMeter arrived{};
  StreamId stream{};
  std::uint64_t received_at_mark = 0;

  [[nodiscard]] std::uint64_t received() const { return receiver.received_bytes(); }
  [[nodiscard]] std::uint64_t since_mark() const { return received() - received_at_mark; }
};

/// Losses as the senders see them and as the link made them.
struct Losses {
  double sent = 0;
  double declared = 0;
  double dropped = 0;
};

class Cell {
 public:
  Cell(const ZooLink& link, std::span<const std::string> controllers, std::uint64_t seed,
       const CellOptions& options)
      : link_(link), options_(options), network_(seed) {
    for (const std::string& name : controllers) add_flow(name);
    if (link.fits_meter) {
      network_.on_send([this](const sim::Passing& datagram) {
        for (auto& flow : flows_) {
          if (datagram.from == flow->sender.address()) flow->sent.count(datagram);
        }
      });
      network_.on_delivery([this](const sim::Passing& datagram) {
        for (auto& flow : flows_) {
          if (datagram.from == flow->sender.address()) flow->arrived.count(datagram);
        }
      });
    }
  }

  CellRun run() {
    const bool finished = connect() && move();
    at(result_, Metric::finished) = finished ? 1 : 0;
    count_bytes();
    return {.result = result_,
            .packets = network_.stats().delivered,
            .trouble = finished ? "" : how_flows_stand()};
  }

 private:
  void add_flow(std::string_view controller) {
    PeerConfig config;
    config.connection.congestion_algorithm =
        transport::parse_congestion_algorithm(controller).value();
    if (link_.outage_end > 60s) config.connection.max_idle_timeout = 600s;
    config.endpoint.connection = config.connection;
    config.connection.observer = options_.observer;
    auto [sender, receiver] =
        network_.pair(sim::Link{.delay = link_.round_trip / 2}, config, config);
    flows_.push_back(std::make_unique<Flow>(Flow{sender, receiver}));
  }

  template <class F>
  [[nodiscard]] bool all(F&& holds) const {
    return std::ranges::all_of(flows_, [&](const auto& flow) { return holds(*flow); });
  }

  /// Handshakes over an undisturbed path; then the link is as it is to be.
  bool connect() {
    const bool confirmed = network_.run_until(
        [this] {
          return all([](const Flow& flow) {
            return flow.sender.confirmed()() && flow.receiver.confirmed()();
          });
        },
        30s);
    if (!confirmed) return false;
    start_ = network_.now();
    path_ = link_.make(start_, network_.random());
    for (auto& flow : flows_) {
      auto& forward = network_.pipe(flow->sender, flow->receiver);
      auto& back = network_.pipe(flow->receiver, flow->sender);
      forward.link = path_.forward;
      back.link = path_.back;
      forward.stages = path_.stages;
      back.stages = path_.back_stages;
    }
    path_.bottleneck->record_waits_from(start_ + from());
    return true;
  }

  [[nodiscard]] std::uint64_t size() const {
    return options_.brief ? std::min(link_.size, kBriefSize) : link_.size;
  }
  [[nodiscard]] Duration time() const { return options_.brief ? link_.short_time : link_.time; }
  [[nodiscard]] Duration from() const { return std::min(link_.from, time() / 2); }

  [[nodiscard]] bool move() {
    for (auto& flow : flows_) {
      auto& session = flow->sender.session();
      if (size() != 0) {
        session.sends(size(), StreamKind::unidirectional);
      } else if (!session.opens(kEndless, StreamKind::unidirectional)) {
        return false;
      }
      flow->stream = session.streams.begin()->first;
    }
    watch_outage();
    network_.at(start_ + from(), [this] { mark(); });
    if (size() != 0) return move_size();
    network_.run_for(time());
    measure(network_.now());
    if (is_broken()) return false;
    for (auto& flow : flows_) flow->sender.session().finishes(flow->stream);
    return completes();
  }

  bool move_size() {
    network_.run_until([this] { return has_arrived() || is_broken(); }, kLongest);
    const Instant end = network_.now();
    if (!has_arrived()) return false;
    at(result_, Metric::seconds) = seconds(end - start_);
    measure(end);
    return completes();
  }

  /// Waits until all is acknowledged, or never will be.
  [[nodiscard]] bool completes() {
    network_.run_until([this] { return is_done() || is_broken(); }, kLongest);
    return is_done();
  }
  /// A connection ended that still had bytes to move.
  [[nodiscard]] bool is_broken() const {
    return !all([](const Flow& flow) { return !flow.sender.session().closed(); });
  }

  [[nodiscard]] bool has_arrived() const {
    return all([this](const Flow& flow) { return flow.received() == size(); });
  }
  /// All was acknowledged, and as much as was written was read, byte by byte the same.
  [[nodiscard]] bool is_done() const {
    return all([](const Flow& flow) {
      return flow.sender.acknowledged()() &&
             flow.received() == flow.sender.session().streams.at(flow.stream).written;
    });
  }

  void watch_outage() {
    if (link_.outage_end == Duration{}) return;
    const Instant end = start_ + link_.outage_end;
    network_.at(end, [this] { before_outage_end_ = flows_.front()->received(); });
    if (link_.touched) {
      network_.at(end + 1ms, [this] {
        flows_.front()->receiver.connection().ping();
        flows_.front()->receiver.wake();
      });
    }
    network_.on_delivery([this, end](const sim::Passing& datagram) {
      const Flow& flow = *flows_.front();
      // What arrives now has been counted when the next datagram arrives.
      if (datagram.now <= end || at(result_, Metric::resumed_s) ||
          flow.received() == before_outage_end_) {
        return;
      }
      at(result_, Metric::resumed_s) = seconds(datagram.now - end);
    });
  }

  void mark() {
    for (auto& flow : flows_) flow->received_at_mark = flow->received();
    losses_at_mark_ = losses();
    marked_ = true;
  }

  [[nodiscard]] std::string how_flows_stand() const {
    std::string out;
    for (const auto& flow : flows_) {
      const auto& session = flow->sender.session();
      const auto stream = session.streams.find(flow->stream);
      out += fmt::format("written {}, received {}, {}\n",
                         stream == session.streams.end() ? 0 : stream->second.written,
                         flow->received(), session.close ? to_string(*session.close) : "open");
    }
    return out;
  }

  [[nodiscard]] Losses losses() {
    Losses sum;
    for (auto& flow : flows_) {
      if (flow->sender.session().closed()) continue;
      const auto stats = flow->sender.session().stats();
      sum.sent += static_cast<double>(stats.packets_sent);
      sum.declared += static_cast<double>(stats.packets_lost);
      sum.dropped +=
          static_cast<double>(network_.pipe(flow->sender, flow->receiver).stats.dropped());
    }
    return sum;
  }

  [[nodiscard]] double capacity(Instant from, Instant to) const {
    return static_cast<double>(path_.capacity.limited() ? path_.capacity.bytes_in(to - from)
                                                        : path_.bottleneck->capacity(from, to));
  }

  void measure(Instant end) {
    double total = 0;
    for (const auto& flow : flows_) total += static_cast<double>(flow->received());
    at(result_, Metric::utilisation_all) = total / capacity(start_, end);
    if (auto& waits = path_.bottleneck->waits_us(); !waits.empty()) {
      const auto quantile = [&waits](double share) {
        const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(waits.size() - 1));
        std::ranges::nth_element(waits, waits.begin() + at);
        return static_cast<double>(waits[static_cast<std::size_t>(at)]) / 1'000;
      };
      at(result_, Metric::queue_median_ms) = quantile(0.5);
      at(result_, Metric::queue_p95_ms) = quantile(0.95);
    }
    if (!marked_ || end <= start_ + from()) return;
    double measured = 0;
    double squares = 0;
    for (const auto& flow : flows_) {
      const auto bytes = static_cast<double>(flow->since_mark());
      measured += bytes;
      squares += bytes * bytes;
    }
    at(result_, Metric::utilisation) = measured / capacity(start_ + from(), end);
    if (flows_.size() > 1 && squares > 0) {
      at(result_, Metric::jain) =
          measured * measured / (static_cast<double>(flows_.size()) * squares);
    }
    const Losses now = losses();
    const double sent = now.sent - losses_at_mark_.sent;
    const double declared = now.declared - losses_at_mark_.declared;
    const double dropped = now.dropped - losses_at_mark_.dropped;
    if (sent > 0) at(result_, Metric::spurious) = std::max(0.0, declared - dropped) / sent;
  }

  void count_bytes() {
    if (!link_.fits_meter) return;
    double retransmitted = 0;
    double redundant = 0;
    for (const auto& flow : flows_) {
      retransmitted += flow->sent.repeated_share();
      redundant += flow->arrived.repeated_share();
    }
    at(result_, Metric::retransmitted) = retransmitted / static_cast<double>(flows_.size());
    at(result_, Metric::redundant) = redundant / static_cast<double>(flows_.size());
  }

  const ZooLink& link_;
  CellOptions options_;
  PeerNetwork network_;
  std::vector<std::unique_ptr<Flow>> flows_;
  ZooPath path_;
  Instant start_{};
  CellResult result_{};
  Losses losses_at_mark_{};
  bool marked_ = false;
  std::uint64_t before_outage_end_ = 0;
};

}  // namespace

std::string_view to_string(Metric metric) {
  constexpr std::array<std::string_view, kMetrics> kNames{
      "utilisation", "utilisation_all", "queue_median_ms", "queue_p95_ms", "retransmitted",
      "redundant",   "spurious",        "seconds",         "resumed_s",    "jain",
      "finished"};
  return kNames[static_cast<std::size_t>(metric)];
}

std::vector<std::string_view> controllers() {
  std::vector<std::string_view> names;
  for (const auto each : transport::kCongestionAlgorithms) names.push_back(to_string(each));
  return names;
}

std::vector<std::string> parse_flows(std::string_view text) {
  std::vector<std::string> flows;
  std::size_t count = 1;
  if (text.size() > 2 && text[0] >= '1' && text[0] <= '9' && text[1] == 'x') {
    count = static_cast<std::size_t>(text[0] - '0');
    text.remove_prefix(2);
  }
  for (bool more = true; more;) {
    const std::size_t end = std::min(text.find('+'), text.size());
    const std::string_view name = text.substr(0, end);
    if (!transport::parse_congestion_algorithm(name)) return {};
    flows.insert(flows.end(), count, std::string(name));
    more = end < text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return flows;
}

CellRun run_cell(const ZooLink& link, std::span<const std::string> flows, std::uint64_t seed,
                 const CellOptions& options) {
  return Cell(link, flows, seed, options).run();
}

}  // namespace qpeer::links
