// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a client reads of what it stored: tickets, sessions, tokens. Whatever they are, they are left
// aside or read the same again once written, and the ClientHello is made.
//
// The first byte chooses: 0 a ticket, 1 a ticket's body, which gets format and checksum, 2 a token
// with where it is from, 3 a TLS session in DER, which gets the tag that it would have.
#include <algorithm>
#include <memory>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/openssl/hkdf.hpp"
#include "qpeer/fuzz/check.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using namespace qpeer::transport;

constexpr std::size_t kTagAt = 1 + 32;
constexpr std::size_t kDerAt = kTagAt + 32;

/// TLS of a client without credentials, whose sessions anybody can write.
std::shared_ptr<crypto::TlsContext> make_tls(Side side) {
  crypto::TlsConfig config;
  if (side == Side::server) {
    config.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "server");
  }
  config.alpn = {"sim"};
  config.mutual = false;
  config.tickets.early_data = true;
  auto made = crypto::make_tls_context(config);
  check(made.has_value());
  return *made;
}

struct Client {
  std::shared_ptr<crypto::TlsContext> tls = make_tls(Side::client);
  std::vector<u8> session;  ///< That a server gave it.

  Client() {
    sim::PeerNetwork network(1);
    sim::PeerConfig config;
    config.real_client_tls = tls;
    config.real_server_tls = make_tls(Side::server);
    config.keys = &crypto::openssl_keys();
    auto [client, server] = network.pair({}, config, config);
    network.run_until([&] { return !client.session().tickets.empty(); }, 5s);
    const auto ticket = SessionTicket::decode(client.session().tickets.at(0));
    check(ticket.has_value());
    session = ticket->session;
  }
};

struct Handler final : crypto::TlsHandler {
  bool said_hello = false;
  void on_tls_data(EncryptionLevel, Bytes) override { said_hello = true; }
  void on_tls_secret(EncryptionLevel, crypto::Direction, crypto::CipherSuite, Bytes) override {}
  Result on_tls_transport_parameters(Bytes) override { return {}; }
};

void use_ticket(Bytes bytes) {
  const auto ticket = SessionTicket::decode(bytes);
  if (!ticket) return;
  const auto written = ticket->encode();
  if (written.size() > SessionTicket::kMaxSize) return;
  const auto again = SessionTicket::decode(written);
  check(again && again->encode() == written);
  check(keeps_limits(ticket->parameters, again->parameters));
}

void use_token(Bytes bytes) {
  const auto token = StoredToken::decode(bytes);
  if (!token) return;
  check(!token->token.empty() && token->token.size() <= StoredToken::kMaxToken);
  const auto again = StoredToken::decode(token->encode());
  check(again && again->encode() == token->encode());
}

void use_session(Bytes der) {
  static const Client client;
  std::vector<u8> session(client.session.begin(), client.session.begin() + kDerAt);
  session.insert(session.end(), der.begin(), der.end());
  const Bytes all(session);
  const crypto::Secret tag =
      crypto::hmac(crypto::Hash::sha256, {}, {all.first(kTagAt), all.subspan(kDerAt)});
  copy(tag.bytes(), MutableBytes(session).subspan(kTagAt, 32));
  Handler handler;
  const auto tls = client.tls->new_session(Side::client, "", as_bytes("parameters"), handler,
                                           {.session = session, .early_data = true});
  // A suite or a key that is not what it says may still end it here, with an error.
  check(!tls->start() || handler.said_hello);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest{data + 1, size - 1};
  if (data[0] == 0) use_ticket(rest);
  if (data[0] == 1) {
    std::vector<u8> ticket(1 + 8);
    ticket[0] = 1;
    copy(Bytes(crypto::sha256(rest)).first(8), MutableBytes(ticket).subspan(1));
    ticket.insert(ticket.end(), rest.begin(), rest.end());
    use_ticket(ticket);
  }
  if (data[0] == 2) use_token(rest);
  if (data[0] == 3) use_session(rest);
  return 0;
}
