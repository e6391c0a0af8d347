// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An invariant that does not hold ends its connection, and nothing else.
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/recovery/congestion.hpp"

namespace qpeer::sim {
namespace {

/// Deep inside a machine: finds an invariant broken once so many packets were acknowledged.
class BrokenController final : public transport::CongestionController {
 public:
  explicit BrokenController(unsigned after) : left_(after) {}

  void on_packet_sent(Instant, std::uint64_t, std::uint64_t) override {}
  void on_ack(const transport::AckSample&) override {
    QPEER_INVARIANT(left_ != 0, return);
    --left_;
  }
  void on_loss(const transport::LossSample&) override {}
  void on_ecn_ce(Instant, Instant) override {}
  void on_mtu_changed(std::uint16_t) override {}
  [[nodiscard]] std::uint64_t window() const override { return 100'000; }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return std::nullopt; }

 private:
  unsigned left_;
};

/// The first connection breaks after some acknowledgements, the others never do.
PeerConfig whose_first_connection_breaks() {
  PeerConfig config;
  // Shared: each connection has a copy of its configuration.
  config.connection.congestion_controller = [made = std::make_shared<int>(0)](std::uint16_t) {
    return std::make_unique<BrokenController>((*made)++ == 0 ? 10 : 1'000'000);
  };
  return config;
}

SIMULATE(BrokenInvariant, EndsItsConnectionWithInternalErrorAndNoOther) {
  auto [client, server] = network.quiet_pair(Link{.delay = 10ms}, whose_first_connection_breaks());
  Session& broken = client.connect(server);
  Session& whole = client.connect(server);
  broken.sends(1_MiB);
  whole.sends(1_MiB);
  if (kAssertions) {
    EXPECT_DEATH(run_for(10s), "invariant does not hold: left_ != 0");
    return;
  }
  ASSERT_TRUE(run_until([&broken] { return broken.closed(); }, 10s));
  EXPECT_EQ(broken.close->kind, transport::CloseReason::Kind::local_transport);
  EXPECT_EQ(broken.close->code, static_cast<std::uint64_t>(TransportErrorCode::internal_error));
  EXPECT_EQ(broken.close->reason, "left_ != 0");

  EXPECT_TRUE(run_until([&whole] { return whole.unacknowledged == 0; }, 10s));
  EXPECT_FALSE(whole.closed());
  ASSERT_EQ(server.sessions().size(), 2U);
  const Session& other_side = *server.sessions().front();
  ASSERT_TRUE(other_side.closed());
  EXPECT_EQ(other_side.close->kind, transport::CloseReason::Kind::peer_transport);
  EXPECT_EQ(other_side.close->code, static_cast<std::uint64_t>(TransportErrorCode::internal_error));
}

}  // namespace
}  // namespace qpeer::sim
