// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What connections of the simulator tell their observers, and the qlog files that come of it.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/tests/unit/log/qlog_schema.hpp"
#include "qpeer/transport/log/qlog.hpp"

namespace qpeer::sim {
namespace {

namespace log = transport::log;

/// Counts what it is told.
class Counter final : public log::Observer {
 public:
  void on_event(const log::Source&, Instant now, const log::Event& event) override {
    EXPECT_GE(now, last_);
    last_ = now;
    ++counts[event.index()];
    if (const auto* sent = std::get_if<log::PacketSent>(&event)) {
      sent_bytes += sent->length;
    } else if (const auto* received = std::get_if<log::PacketReceived>(&event)) {
      received_bytes += received->length;
    } else if (const auto* metrics = std::get_if<log::RecoveryMetricsUpdated>(&event)) {
      latest = *metrics;
    } else if (const auto* closed = std::get_if<log::ConnectionClosed>(&event)) {
      closed_code = closed->application_error;
    }
  }
  template <class E>
  [[nodiscard]] std::uint64_t count() const {
    const auto found = counts.find(log::Event(E{}).index());
    return found == counts.end() ? 0 : found->second;
  }

  std::map<std::size_t, std::uint64_t> counts;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  log::RecoveryMetricsUpdated latest;
  std::optional<std::uint64_t> closed_code;

 private:
  Instant last_ = Instant::min();
};

log::ObserverFactory giving(const std::shared_ptr<Counter>& observer) {
  return [observer](const log::Source&) { return observer; };
}

SIMULATE(Qlog, ObserversSeeWhatTheFiguresSay) {
  const auto seen = std::make_shared<Counter>();
  PeerConfig ours;
  ours.connection.observer = giving(seen);
  auto [client, server] = network.pair(
      Link{.delay = 20ms, .rate = 20_mbit, .loss = 0.03, .reorder = 0.02}, std::move(ours));
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 60s));
  const transport::ConnectionStats stats = client.session().stats();
  EXPECT_EQ(seen->count<log::PacketSent>(), stats.packets_sent);
  EXPECT_EQ(seen->count<log::PacketReceived>(), stats.packets_received);
  EXPECT_EQ(seen->count<log::PacketDropped>(), stats.packets_dropped);
  EXPECT_GE(seen->count<log::PacketLost>(),
            stats.packets_lost);  // PMTU probes are no losses there.
  EXPECT_GT(stats.packets_lost, 0U);
  EXPECT_GT(seen->count<log::MarkedForRetransmit>(), 0U);
  EXPECT_EQ(seen->sent_bytes, stats.bytes_sent);
  EXPECT_EQ(seen->latest.congestion_window, stats.congestion_window);
  EXPECT_EQ(seen->latest.smoothed_rtt, stats.smoothed_rtt);
  client.session().closes(77, "enough");
  EXPECT_EQ(seen->count<log::ConnectionClosed>(), 1U);
  EXPECT_EQ(seen->closed_code, 77U);
}

/// Goes with its files.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "qpeer-qlog.XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// What is in the one file that ends so.
  [[nodiscard]] std::string contents(std::string_view suffix) const {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (!entry.path().string().ends_with(suffix)) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      return {std::istreambuf_iterator<char>(in), {}};
    }
    ADD_FAILURE() << "no file *" << suffix;
    return {};
  }

  std::string path;
};

/// The names of the events in a file.
std::set<std::string> names_in(const std::string& text) {
  std::set<std::string> out;
  const auto records = test::parse_json_sequence(text);
  EXPECT_TRUE(records);
  for (const test::JsonValue& record : *records) out.insert(record.at("name"));
  return out;
}

SIMULATE(Qlog, FilesOfALossyTransferAreAsTheDraftHasThem) {
  const Folder folder;
  PeerConfig client_config;
  PeerConfig server_config;
  client_config.connection.observer = log::qlog_files({.directory = folder.path});
  server_config.endpoint.connection.observer = log::qlog_files({.directory = folder.path});
  auto [client, server] = network.pair(
      Link{.delay = 10ms, .rate = 50_mbit, .loss = 0.05, .reorder = 0.02, .duplicate = 0.01},
      std::move(client_config), std::move(server_config));
  client.sends(300'000);
  server.sends(300'000);
  ASSERT_TRUE(run_until(server.received(300'000), 60s));
  ASSERT_TRUE(run_until(client.received(300'000), 60s));
  EXPECT_TRUE(client.session().connection().initiate_key_update());
  client.session().sends(20'000);
  ASSERT_TRUE(run_until(server.received(320'000), 60s));
  client.session().closes(7, "\xff\xfe done \"");
  run_for(5s);
  const test::QlogSchema schema;
  for (const std::string_view side : {"_client.sqlog", "_server.sqlog"}) {
    const std::string text = folder.contents(side);
    EXPECT_EQ(schema.check_file(text), "") << side;
    const std::set<std::string> names = names_in(text);
    for (const std::string_view name : {"connection_started",
                                        "connection_closed",
                                        "connection_state_updated",
                                        "tuple_assigned",
                                        "mtu_updated",
                                        "version_information",
                                        "alpn_information",
                                        "parameters_set",
                                        "packet_sent",
                                        "packet_received",
                                        "packet_lost",
                                        "marked_for_retransmit",
                                        "udp_datagrams_sent",
                                        "udp_datagrams_received",
                                        "stream_state_updated",
                                        "key_updated",
                                        "key_discarded",
                                        "recovery_parameters_set",
                                        "recovery_metrics_updated",
                                        "timer_updated"}) {
      EXPECT_TRUE(names.contains("quic:" + std::string(name))) << name << side;
    }
  }
}

SIMULATE(Qlog, AnObserverChangesNothing) {
  const Folder folder;
  const auto bytes_sent = [&](std::uint64_t seed, bool observed) {
    PeerNetwork other(seed);
    PeerConfig config;
    if (observed) config.connection.observer = log::qlog_files({.directory = folder.path});
    auto [client, server] =
        other.pair(Link{.delay = 10ms, .rate = 50_mbit, .loss = 0.05}, std::move(config));
    client.sends(200'000);
    EXPECT_TRUE(other.run_until(server.received(200'000), 60s));
    return client.session().stats().bytes_sent;
  };
  for (std::uint64_t seed = 1; seed < 4; ++seed) {
    EXPECT_EQ(bytes_sent(seed, true), bytes_sent(seed, false));
  }
}

SIMULATE(Qlog, AConnectionWhoseFactoryWantsNoneIsNotObserved) {
  PeerConfig config;
  config.connection.observer = [](const log::Source&) { return nullptr; };
  auto [client, server] = network.pair(Link{.delay = 5ms}, std::move(config));
  client.sends(1'000);
  EXPECT_TRUE(run_until(server.received(1'000), 5s));
}

}  // namespace
}  // namespace qpeer::sim
