// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Connections whose NAT box changes in the middle of a transfer: every byte arrives, in order.
#include <functional>
#include <utility>

#include "qpeer/tests/sim/nat_types.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

/// A connection through a box that forgets its mappings five times, while data flows both ways, or to the
/// client alone.
class ForgetfulBox {
 public:
  ForgetfulBox(PeerNetwork& network, const NatBoxConfig& box, std::function<void(Router&)> forget)
      : network_(network), forget_(std::move(forget)) {
    PeerConfig config;
    config.listens = false;
    config.connection.keep_alive = 12s;  // As the peer layer has it.
    client_ = &network.add_peer(config, SocketAddress::ipv4({192, 168, 1, 2}, 4433));
    server_ = &network.add_peer({}, network.new_address());
    router_ = &network.behind(box, *client_);
    network.connect(client_->host(), server_->host(),
                    Link{.delay = 20ms, .rate = 20_mbit, .loss = 0.005});
    client_->connect(*server_);
    EXPECT_TRUE(network.run_until(client_->confirmed(), 5s));
  }

  void transfers(std::uint64_t up, std::uint64_t down) {
    if (up > 0) client_->sends(up);
    if (down > 0) server_->sends(down);
    for (int i = 0; i < 5; ++i) {
      network_.run_for(60ms);
      forget_(*router_);
    }
    EXPECT_TRUE(network_.run_until(server_->received(up), 60s));
    EXPECT_TRUE(network_.run_until(client_->received(down), 60s));
    EXPECT_TRUE(network_.run_until(server_->acknowledged(), 60s));
    EXPECT_FALSE(client_->closed()());
    EXPECT_FALSE(server_->closed()());
  }

 private:
  PeerNetwork& network_;
  std::function<void(Router&)> forget_;
  Peer* client_ = nullptr;
  Peer* server_ = nullptr;
  Router* router_ = nullptr;
};

/// Runs both kinds of transfer through each kind of box.
void test_transfers(PeerNetwork& network, const std::function<void(Router&)>& forget) {
  for (const NatBoxConfig& box : {full_cone(), port_restricted(), symmetric()}) {
    ForgetfulBox(network, box, forget).transfers(512_KiB, 512_KiB);
    ForgetfulBox(network, box, forget).transfers(0, 512_KiB);
  }
}

SIMULATE(NatTransfers, SurviveRebindings) {
  test_transfers(network, [](Router& router) { router.box.rebind(); });
}

SIMULATE(NatTransfers, SurviveReboots) {
  test_transfers(network, [](Router& router) { router.box.reboot(); });
}

SIMULATE(NatTransfers, SurviveOtherExternalAddresses) {
  u8 lines = 0;
  test_transfers(network, [&](Router& router) {
    network.change_address(router, SocketAddress::ipv4({151, 1, ++lines, 1}, 0));
  });
}

}  // namespace
}  // namespace qpeer::sim
