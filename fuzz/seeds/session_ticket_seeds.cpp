// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/crypto/identity.hpp"
#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace qpeer::fuzz {

using namespace qpeer::sim;

/// What a client stores after a handshake with OpenSSL: the one input that is not the same each time.
void add_seeds(Corpus& corpus) {
  crypto::TlsConfig tls;
  tls.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "server");
  tls.alpn = {"sim"};
  tls.mutual = false;
  tls.tickets.early_data = true;
  PeerConfig config;
  config.real_server_tls = *crypto::make_tls_context(tls);
  tls.credentials.reset();
  config.real_client_tls = *crypto::make_tls_context(tls);
  config.keys = &crypto::openssl_keys();
  PeerNetwork network(1);
  auto [client, server] = network.pair({}, config, config);
  Session& session = client.session();
  network.run_until([&] { return !session.tickets.empty() && !session.tokens.empty(); }, 5s);
  const Bytes ticket = session.tickets.at(0);
  constexpr std::size_t kTicketHeader = 1 + 8;
  constexpr std::size_t kSessionHeader = 1 + 32 + 32;
  corpus.add(join({Input{0}, ticket}));
  corpus.add(join({Input{1}, ticket.subspan(kTicketHeader)}));
  corpus.add(join({Input{2}, session.tokens.at(0)}));
  const auto decoded = transport::SessionTicket::decode(ticket);
  corpus.add(join({Input{3}, Bytes(decoded.value().session).subspan(kSessionHeader)}));
}

}  // namespace qpeer::fuzz
