// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a Node or a Client is started with, and the error of bootstrap() and connect().
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/p2p/identity.hpp"
#include "qpeer/p2p/node_config.hpp"
#include "qpeer/p2p/trust.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::p2p {

/// Of AsyncNode::start and AsyncClient::start.
struct NodeOptions {
  Identity identity = Identity();  ///< Who we are.
  Trust trust = Trust::pinned();   ///< Whom we believe.
  /// Where to bind. Unspecified is any address, IPv6 and IPv4; port 0 is one that the system chooses.
  SocketAddress listen{};
  /// Node: where others reach us, at most four. Empty: at the host that they see us from, and the
  /// port we listen on. Say it when a port is forwarded.
  std::vector<SocketAddress> advertise{};
  /// Node: peers are dialled back from a second port. Their firewall may let packets from the first one
  /// through because they have sent to it, so that a dial-back from there proves little. False: there is
  /// one socket for all.
  bool probe_port = true;
  /// The file of nodes that we can rejoin through, read at start and kept up to date; it may be
  /// missing. Empty keeps the cache in memory only.
  std::string cache_path{};
  /// How long after a change the cache is saved, so that many changes are saved at once.
  Duration save_delay = 2s;
  /// Everything else. `role`, `listen_port`, `advertised`, `probe_address`, `other_port_mapper`,
  /// `remembered` and `unix_time_at_zero` are set by start().
  NodeConfig config = NodeConfig();
  PeerTlsOptions tls = PeerTlsOptions();  ///< Cipher suites, and SSLKEYLOGFILE.
  io::UdpOptions socket{};                ///< Buffers and offloads of the socket.
  /// Called with one readable line for a problem after which everything goes on: a cache that is damaged or
  /// cannot be saved. Called in the loop's thread, or by start().
  std::function<void(std::string_view)> on_warning{};
};

/// Why there is no link: each candidate that was tried, with its reason. A name that could not be
/// looked up is there too.
struct BootstrapError {
  /// A candidate that failed.
  struct Attempt {
    std::string candidate;  ///< As "PEERID@address:port", or as far as known.
    std::string why;        ///< For people.
  };
  /// Each candidate that failed.
  std::vector<Attempt> attempts{};
  std::string why{};  ///< When it is not for a candidate: none to try, shut down, one under way.
};
/// Lines for people: the reason, or one candidate a line.
std::string to_string(const BootstrapError& error);

}  // namespace qpeer::p2p
