// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client that comes again: two endpoints over OpenSSL's TLS, and the ticket of a first connection.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace qpeer::sim {
using transport::EarlyDataPolicy;

struct Contexts {
  crypto::TlsConfig client;
  crypto::TlsConfig server;

  Contexts() {
    static const auto kClient =
        crypto::generate_credentials(crypto::KeyType::ed25519, "client.example");
    static const auto kServer =
        crypto::generate_credentials(crypto::KeyType::ed25519, "server.example");
    client.credentials = kClient;
    server.credentials = kServer;
    client.alpn = server.alpn = {"sim"};
    server.tickets.early_data = true;
  }
};

inline std::shared_ptr<crypto::TlsContext> make(const crypto::TlsConfig& config) {
  auto made = crypto::make_tls_context(config);
  EXPECT_TRUE(made.has_value()) << (made ? "" : to_string(made.error()));
  return made ? *made : nullptr;
}

inline constexpr Link kLink{.delay = 20ms};

/// A server and a client that has been there before, and has tickets.
struct ResumptionPair {
  explicit ResumptionPair(PeerNetwork& net, const Contexts& contexts = {},
                          PeerConfig client_config = {}, PeerConfig server_config = {},
                          const Link& link = kLink)
      : network(net), client(connect_pair(contexts, client_config, server_config, link)) {
    client.connect(*server);
    EXPECT_TRUE(network.run_until([&] { return client.session().tickets.size() >= 2; }, 5s));
    client.session().closes(0, "");
    network.run_for(10s);
    ticket = client.session().tickets.front();
  }

  /// Comes again, with an early stream of `early` bytes if there may be one.
  Session& again(std::uint64_t early = 0, EarlyDataPolicy policy = EarlyDataPolicy::resend) {
    client.config().session_ticket = ticket;
    client.config().early_data = early == 0 ? EarlyDataPolicy::none : policy;
    Session& session = client.connect(*server);
    if (early != 0) early_stream = session.sends_early(early);
    return session;
  }
  [[nodiscard]] Session& at_server() const { return *server->sessions().back(); }
  /// All of the early stream is there, and the handshake over.
  [[nodiscard]] bool arrives(std::uint64_t size) {
    const std::uint64_t before = server->received_bytes();
    return network.run_until(
        [&, before] {
          return server->received_bytes() >= before + size &&
                 client.sessions().back()->confirmed_at.has_value();
        },
        10s);
  }

  PeerNetwork& network;
  Peer* server = nullptr;
  Peer& client;
  std::vector<u8> ticket;
  std::optional<StreamId> early_stream;

 private:
  Peer& connect_pair(const Contexts& contexts, PeerConfig& client_config, PeerConfig& server_config,
                     const Link& link) {
    client_config.real_client_tls = make(contexts.client);
    server_config.real_server_tls = make(contexts.server);
    client_config.keys = server_config.keys = &crypto::openssl_keys();
    client_config.server_name = "server.example";
    auto [from, to] = network.quiet_pair(link, client_config, server_config);
    server = &to;
    return from;
  }
};

}  // namespace qpeer::sim
