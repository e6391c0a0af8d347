// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A network of Peers, and SIMULATE, in which a scenario reads like a sentence:
//
//   SIMULATE(Transfer, SurvivesLoss) {
//     auto [client, server] = network.pair(Link{.delay = 20ms, .loss = 0.10});
//     client.sends(1_MiB);
//     EXPECT_TRUE(run_until(server.received(1_MiB), 60s));
//   }
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/network.hpp"
#include "qpeer/tests/sim/peer.hpp"
#include "qpeer/tests/sim/simulate.hpp"

namespace qpeer::sim {

class PeerNetwork : public Network {
 public:
  using Network::Network;

  Peer& add_peer(PeerConfig config = {}, SocketAddress address = {}) {
    peers_.push_back(std::make_unique<Peer>(*this, std::move(config), address));
    return *peers_.back();
  }

  /// A client and a server with a link between them; the client dials when time begins to run.
  std::pair<Peer&, Peer&> pair(const Link& link = {}, PeerConfig client = {},
                               PeerConfig server = {}) {
    auto both = quiet_pair(link, std::move(client), std::move(server));
    both.first.connect(both.second);
    return both;
  }

  /// The same without the dialling. The client does not listen.
  std::pair<Peer&, Peer&> quiet_pair(const Link& link = {}, PeerConfig client = {},
                                     PeerConfig server = {}) {
    client.listens = false;
    Peer& from = add_peer(std::move(client));
    Peer& to = add_peer(std::move(server));
    Network::connect(from.host(), to.host(), link);
    return {from, to};
  }

  using Network::behind;
  /// Puts a peer behind a router ...
  void behind(Router& router, const Peer& peer) { behind(router, peer.host()); }
  /// ... or behind one of its own.
  Router& behind(const NatBoxConfig& config, const Peer& peer) {
    Router& router = add_router(config);
    behind(router, peer);
    return router;
  }

  /// The direction from one peer to another.
  Pipe& pipe(const Peer& from, const Peer& to) { return Network::pipe(from.host(), to.host()); }

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace qpeer::sim

#define SIMULATE(Suite, Name) SIMULATE_IN(::qpeer::sim::PeerNetwork, Suite, Name)
