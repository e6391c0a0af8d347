// One TLS configuration in OpenSSL's terms, shared by all sessions made from it.
#pragma once

#include "crypto/openssl/handles.hpp"
#include "crypto/tls_session.hpp"

namespace qpeer::crypto {

class OpensslContext final : public TlsContext,
                             public std::enable_shared_from_this<OpensslContext> {
 public:
  OpensslContext(TlsConfig config, Handle<ssl_ctx_st> context, std::vector<u8> alpn)
      : config_(std::move(config)), alpn_(std::move(alpn)), context_(std::move(context)) {}

  std::unique_ptr<TlsSession> new_session(Side side, std::string_view server_name,
                                          Bytes transport_parameters, TlsHandler& handler) override;

  const TlsConfig& config() const { return config_; }
  ssl_ctx_st* native() const { return context_.get(); }
  /// The protocols as the extension lists them: each after its length. RFC 7301 §3.1.
  Bytes alpn() const { return alpn_; }

 private:
  TlsConfig config_;
  std::vector<u8> alpn_;
  Handle<ssl_ctx_st> context_;
};

}  // namespace qpeer::crypto
