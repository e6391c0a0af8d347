// SPDX-License-Identifier: MIT OR BSD-3-Clause
// All of qpeer: the peer-to-peer layer, and the transport that it stands on.
//
//   #include <qpeer/qpeer.hpp>
//   using namespace qpeer;
//
//   Task<void> ask(Client& client, PeerAddress contact) {
//     auto server = co_await client.bootstrap(contact);        // A link, or what was tried and why not.
//     auto reply = co_await server->request(as_bytes("hello"));
//   }
//
//   Task<void> serve(Node& node) {
//     while (auto request = co_await node.next_request()) co_await request->reply(request->data());
//   }
//
// See docs/guide.md, and docs/examples/ for whole programs.
#pragma once

#include "qpeer/transport.hpp"

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/async/async_node.hpp"
#include "qpeer/p2p/async/node_options.hpp"
#include "qpeer/p2p/async/peers.hpp"
#include "qpeer/p2p/identity.hpp"
#include "qpeer/p2p/node_config.hpp"
#include "qpeer/p2p/node_event.hpp"
#include "qpeer/p2p/peer_address.hpp"
#include "qpeer/p2p/trust.hpp"

namespace qpeer {

/// A worker of the network.
using Node = p2p::AsyncNode;
/// A consumer of the network.
using Client = p2p::AsyncClient;
using p2p::Arrival;
using p2p::BootstrapError;
using p2p::Datagram;
using p2p::Identity;
using p2p::IncomingRequest;
using p2p::LinkInfo;
using p2p::load_identity;
using p2p::load_or_create_identity;
using p2p::make_identity;
using p2p::Message;
using p2p::NodeConfig;
using p2p::NodeEvent;
using p2p::NodeOptions;
using p2p::NodePeer;
using p2p::PeerAddress;
using p2p::PeerError;
using p2p::PeerStream;
using p2p::Role;
using p2p::ServerPeer;
using p2p::Trust;

}  // namespace qpeer
