// Turns a TlsConfig into an SSL_CTX, or says what is wrong with it.
#include "crypto/openssl/tls_context.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "crypto/openssl/certificate.hpp"
#include "crypto/openssl/tls_callbacks.hpp"
#include "crypto/openssl/tls_session.hpp"

namespace qpeer::crypto {
namespace {

const char* name_of(CipherSuite suite) {
  switch (suite) {
    case CipherSuite::aes_128_gcm_sha256:
      return "TLS_AES_128_GCM_SHA256";
    case CipherSuite::aes_256_gcm_sha384:
      return "TLS_AES_256_GCM_SHA384";
    case CipherSuite::chacha20_poly1305_sha256:
      return "TLS_CHACHA20_POLY1305_SHA256";
  }
  return nullptr;
}

// Our order is what a client offers; a server follows its client.
// RFC 9001 §5.3 [rfc9001-5.3-1] [rfc9001-5.4.1-1]: only suites whose header protection is known.
std::string set_cipher_suites(SSL_CTX* context, const std::vector<CipherSuite>& suites) {
  if (suites.empty()) return "no cipher suite";
  std::string list;
  for (const CipherSuite suite : suites) {
    const char* const name = name_of(suite);
    if (name == nullptr) return "an unknown cipher suite";
    if (!list.empty()) list += ':';
    list += name;
  }
  if (SSL_CTX_set_ciphersuites(context, list.c_str()) != 1) return "cipher suites not available";
  return {};
}

// RFC 9001 §8.1 [rfc9001-8.1-1]: ALPN always.
std::string encode_alpn(const std::vector<std::string>& protocols, std::vector<u8>& out) {
  if (protocols.empty()) return "no application protocol (ALPN)";
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) return "an ALPN name must be of 1 to 255 bytes";
    out.push_back(static_cast<u8>(protocol.size()));
    out.insert(out.end(), protocol.begin(), protocol.end());
  }
  if (out.size() > 0xffff) return "too many application protocols (ALPN)";
  return {};
}

std::string set_trust(SSL_CTX* context, const TlsConfig& config) {
  switch (config.trust) {
    case Trust::authorities:
      return config.authorities_pem.empty() ? trust_system(context)
                                            : trust_authorities(context, config.authorities_pem);
    case Trust::private_authority:
      if (config.authorities_pem.empty()) return "private_authority without authorities_pem";
      return trust_authorities(context, config.authorities_pem);
    case Trust::encrypt_only:
      return {};
  }
  return "an unknown trust mode";
}

std::string configure(SSL_CTX* context, const TlsConfig& config, std::vector<u8>& alpn) {
  // RFC 9001 §4.2 [rfc9001-4.2-1] [rfc9001-4.2-2]: nothing older than TLS 1.3.
  if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1) {
    return "OpenSSL cannot do TLS 1.3";
  }
  // The seam for resumption: no ticket is made, and none that comes is kept.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  install_context_callbacks(context, config.key_log != nullptr);
  if (auto wrong = encode_alpn(config.alpn, alpn); !wrong.empty()) return wrong;
  if (auto wrong = set_cipher_suites(context, config.cipher_suites); !wrong.empty()) return wrong;
  if (!config.groups.empty() && SSL_CTX_set1_groups_list(context, config.groups.c_str()) != 1) {
    return "a key exchange group that OpenSSL does not know: " + config.groups;
  }
  if (config.credentials) {
    if (auto wrong = use_credentials(context, *config.credentials); !wrong.empty()) return wrong;
  }
  return set_trust(context, config);
}

}  // namespace

std::unique_ptr<TlsSession> OpensslContext::new_session(Side side, std::string_view server_name,
                                                        Bytes transport_parameters,
                                                        TlsHandler& handler) {
  return std::make_unique<OpensslSession>(shared_from_this(), side, std::string(server_name),
                                          transport_parameters, handler);
}

std::expected<std::shared_ptr<TlsContext>, std::string> make_tls_context(TlsConfig config) {
  ERR_clear_error();
  Handle<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  if (context == nullptr) return std::unexpected("OpenSSL cannot make a context");
  std::vector<u8> alpn;
  std::string wrong = configure(context.get(), config, alpn);
  ERR_clear_error();
  if (!wrong.empty()) return std::unexpected(std::move(wrong));
  if (config.credentials) {  // OpenSSL has the key; no need for a second copy.
    std::string& key = config.credentials->private_key_pem;
    OPENSSL_cleanse(key.data(), key.size());
    key.clear();
  }
  return std::make_shared<OpensslContext>(std::move(config), std::move(context), std::move(alpn));
}

}  // namespace qpeer::crypto
