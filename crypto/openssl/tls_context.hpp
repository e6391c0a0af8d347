// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One TLS configuration in OpenSSL's terms, shared by all sessions made from it.
#pragma once

#include "qpeer/crypto/openssl/handles.hpp"
#include "qpeer/crypto/openssl/ticket_keys.hpp"
#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::crypto {

/// The only amount of early data that QUIC knows. RFC 9001 §4.6.1.
inline constexpr std::uint32_t kUnlimitedEarlyData = 0xffffffff;

/// Seconds of the system's clock, by which tickets and certificates expire.
std::int64_t unix_time();

class OpensslContext final : public TlsContext,
                             public std::enable_shared_from_this<OpensslContext> {
 public:
  OpensslContext(TlsConfig config, Handle<ssl_ctx_st> context, std::vector<u8> alpn,
                 const Secret& session_key);

  using TlsContext::new_session;
  std::unique_ptr<TlsSession> new_session(Side side, std::string_view server_name,
                                          Bytes transport_parameters, TlsHandler& handler,
                                          const Resumption& resumption) override;

  const TlsConfig& config() const { return config_; }
  ssl_ctx_st* native() const { return context_.get(); }
  /// The protocols as the extension lists them: each after its length. RFC 7301 §3.1.
  Bytes alpn() const { return alpn_; }
  /// A hash of the trust settings: a session made under other settings is not resumed.
  const std::array<u8, 32>& trust() const { return trust_; }
  /// Follows from the credentials, so that only a client that has them can write a session for
  /// itself; empty without any.
  Bytes session_key() const { return session_key_.bytes(); }
  const TicketKeys& ticket_keys() const { return ticket_keys_; }
  ReplayRegister& replay_register() const { return *config_.tickets.replay_register; }

 private:
  TlsConfig config_;
  std::vector<u8> alpn_;
  std::array<u8, 32> trust_;
  Secret session_key_;
  TicketKeys ticket_keys_;
  Handle<ssl_ctx_st> context_;
};

}  // namespace qpeer::crypto
