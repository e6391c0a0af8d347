// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Two TLS sessions that talk to each other through vectors, and remember what they were told.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/tests/unit/crypto/hex.hpp"

namespace qpeer::crypto {

struct Flight {
  EncryptionLevel level;
  std::vector<u8> bytes;
};

struct SecretEvent {
  EncryptionLevel level;
  Direction direction;
  CipherSuite suite;
  std::vector<u8> secret;
};

/// One side: a session, and a handler that records.
class TlsPeer final : public TlsHandler {
 public:
  TlsPeer(const std::shared_ptr<TlsContext>& context, Side side, std::string_view name,
          std::string_view parameters = "parameters", const Resumption& resumption = {})
      : session(context->new_session(side, name, as_bytes(parameters), *this, resumption)) {}

  void on_tls_data(EncryptionLevel level, Bytes data) override {
    sent.push_back({level, to_vector(data)});
    log += "data" + std::to_string(int(level)) + " ";
  }
  void on_tls_secret(EncryptionLevel level, Direction direction, CipherSuite suite,
                     Bytes secret) override {
    secrets.push_back({level, direction, suite, to_vector(secret)});
    log += (direction == Direction::send ? "send" : "receive") + std::to_string(int(level)) + " ";
  }
  Result on_tls_transport_parameters(Bytes parameters) override {
    peer_parameters = std::string(as_text(parameters));
    ++parameter_calls;
    log += "parameters ";
    return parameters_answer;
  }

  void on_tls_session(Bytes kept) override { sessions.push_back(to_vector(kept)); }
  std::vector<u8> tls_ticket_data() override { return {1, 2, 3}; }
  TicketUse on_tls_ticket(Bytes ticket_data) override {
    EXPECT_EQ(to_vector(ticket_data), tls_ticket_data());
    return ticket_answer;
  }

  [[nodiscard]] const SecretEvent* secret(EncryptionLevel level, Direction direction) const {
    for (const auto& each : secrets) {
      if (each.level == level && each.direction == direction) return &each;
    }
    return nullptr;
  }

  std::deque<Flight> sent;
  std::vector<SecretEvent> secrets;
  std::string peer_parameters;
  int parameter_calls = 0;
  Result parameters_answer;
  std::vector<std::vector<u8>> sessions;  ///< A client's, to be resumed.
  TicketUse ticket_answer = TicketUse::resume_with_early_data;
  std::string log;  ///< The order of calls; levels as numbers.
  std::unique_ptr<TlsSession> session;
};

/// A configuration with credentials of its own.
inline TlsConfig basic_config() {
  static const Credentials credentials = generate_credentials(KeyType::ed25519, "server.test");
  TlsConfig config;
  config.credentials = credentials;
  config.alpn = {"qpeer-test"};
  return config;
}

inline std::shared_ptr<TlsContext> context_of(TlsConfig config) {
  auto made = make_tls_context(std::move(config));
  if (!made) ADD_FAILURE() << to_string(made.error());
  return made ? *made : nullptr;
}

/// A client and a server. run() carries bytes until both are quiet or one fails.
class TlsPair {
 public:
  explicit TlsPair(TlsConfig client_config = basic_config(),
                   TlsConfig server_config = basic_config(), std::string_view name = "server.test")
      : TlsPair(context_of(std::move(client_config)), context_of(std::move(server_config)), name) {}
  TlsPair(const std::shared_ptr<TlsContext>& client_context,
          const std::shared_ptr<TlsContext>& server_context, std::string_view name = "server.test",
          const Resumption& resumption = {})
      : client(client_context, Side::client, name, "from the client", resumption),
        server(server_context, Side::server, "", "from the server") {}

  /// Carries each flight in pieces of `piece` bytes, after `change` had its way with it.
  void run(std::size_t piece = 100'000) {
    if (!started_) note(client_result, client.session->start());
    if (!started_) note(server_result, server.session->start());
    started_ = true;
    while (client_result && server_result && (!client.sent.empty() || !server.sent.empty())) {
      carry(client, server, server_result, piece);
      carry(server, client, client_result, piece);
    }
  }

  [[nodiscard]] bool complete() const {
    return client_result && server_result && client.session->is_complete() &&
           server.session->is_complete();
  }
  [[nodiscard]] static std::uint64_t code(const Result& result) {
    return result ? 0 : static_cast<std::uint64_t>(result.error().code);
  }
  [[nodiscard]] std::uint64_t client_code() const { return code(client_result); }
  [[nodiscard]] std::uint64_t server_code() const { return code(server_result); }

  TlsPeer client;
  TlsPeer server;
  Result client_result;
  Result server_result;
  std::function<void(const TlsPeer& from, Flight&)> change;

 private:
  static void note(Result& to, const Result& result) {
    if (to) to = result;
  }
  void carry(TlsPeer& from, TlsPeer& to, Result& result, std::size_t piece) {
    while (!from.sent.empty() && result) {
      Flight flight = std::move(from.sent.front());
      from.sent.pop_front();
      if (change) change(from, flight);
      for (std::size_t at = 0; at < flight.bytes.size() && result; at += piece) {
        const Bytes rest = Bytes(flight.bytes).subspan(at);
        note(result, to.session->on_data(flight.level, rest.first(std::min(piece, rest.size()))));
      }
    }
  }
  bool started_ = false;
};

}  // namespace qpeer::crypto
