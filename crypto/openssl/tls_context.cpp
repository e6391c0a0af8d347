// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Turns a TlsConfig into an SSL_CTX, or says what is wrong with it.
#include "qpeer/crypto/openssl/tls_context.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/openssl/certificate.hpp"
#include "qpeer/crypto/openssl/hkdf.hpp"
#include "qpeer/crypto/openssl/tls_callbacks.hpp"
#include "qpeer/crypto/openssl/tls_session.hpp"

namespace qpeer::crypto {
namespace {

constexpr std::chrono::seconds kLongestLifetime = std::chrono::hours(24 * 7);
constexpr std::size_t kMostTickets = 8;

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

// OpenSSL's default groups, without its tuples: there a server insists on the first tuple (ML-KEM)
// with HelloRetryRequest, which costs a round trip and all early data. '?': where it is known. '*': a
// client sends a share of it.
constexpr const char* kDefaultGroups =
    "?*X25519MLKEM768:?*X25519:?secp256r1:?X448:?secp384r1:?secp521r1:?ffdhe2048:?ffdhe3072";

std::string set_groups(SSL_CTX* context, const std::string& groups) {
  const char* const list = groups.empty() ? kDefaultGroups : groups.c_str();
  const bool is_text = groups.find('\0') == std::string::npos;
  if (is_text && SSL_CTX_set1_groups_list(context, list) == 1) return {};
  return "a key exchange group that OpenSSL does not know: " + groups;
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

// OpenSSL stores no session: a server's tickets hold everything, and a client's application gets each
// session. OpenSSL's own guard against replay would store sessions, and works within one context
// only; ReplayRegister is used instead.
bool set_tickets(SSL_CTX* context, TicketConfig& tickets) {
  tickets.lifetime = std::clamp(tickets.lifetime, std::chrono::seconds(1), kLongestLifetime);
  if (!tickets.replay_register) tickets.replay_register = std::make_shared<ReplayRegister>();
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_timeout(context, static_cast<long>(tickets.lifetime.count()));
  SSL_CTX_set_options(context, SSL_OP_NO_ANTI_REPLAY);
  // RFC 9001 §4.6.1 [rfc9001-4.6.1-1].
  const std::uint32_t early = tickets.early_data ? kUnlimitedEarlyData : 0;
  return SSL_CTX_set_num_tickets(context, std::min<std::size_t>(tickets.count, kMostTickets)) ==
             1 &&
         SSL_CTX_set_max_early_data(context, early) == 1 &&
         SSL_CTX_set_recv_max_early_data(context, early) == 1;
}

void update(Sha256& hash, std::string_view text) {
  std::array<u8, 8> size{};
  Writer(size).u64(text.size());
  hash.update(size);
  hash.update(as_bytes(text));
}

std::array<u8, 32> trust_of(const TlsConfig& config) {
  Sha256 hash;
  update(hash, "qpeer trust");
  const std::array<u8, 2> modes{static_cast<u8>(config.trust), static_cast<u8>(config.mutual)};
  hash.update(modes);
  update(hash, config.authorities_pem);
  return hash.finish();
}

std::expected<void, ConfigError> configure(SSL_CTX* context, TlsConfig& config,
                                           std::vector<u8>& alpn) {
  // RFC 9001 §4.2 [rfc9001-4.2-1] [rfc9001-4.2-2]: nothing older than TLS 1.3.
  if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1) {
    return config_error(ConfigPart::library, "OpenSSL cannot do TLS 1.3");
  }
  if (!set_tickets(context, config.tickets)) {
    return config_error(ConfigPart::tickets, "the ticket configuration is not usable");
  }
  install_context_callbacks(context, config.key_log != nullptr);
  if (auto wrong = encode_alpn(config.alpn, alpn); !wrong.empty()) {
    return config_error(ConfigPart::alpn, std::move(wrong));
  }
  if (auto wrong = set_cipher_suites(context, config.cipher_suites); !wrong.empty()) {
    return config_error(ConfigPart::cipher_suites, std::move(wrong));
  }
  if (auto wrong = set_groups(context, config.groups); !wrong.empty()) {
    return config_error(ConfigPart::groups, std::move(wrong));
  }
  if (config.credentials) {
    if (auto wrong = use_credentials(context, *config.credentials); !wrong.empty()) {
      return config_error(ConfigPart::credentials, std::move(wrong));
    }
  }
  // Sessions are bound to this on either side.
  const auto trust = trust_of(config);
  if (SSL_CTX_set_session_id_context(context, trust.data(), trust.size()) != 1) {
    return config_error(ConfigPart::library, "sessions cannot be bound to the trust");
  }
  if (auto wrong = set_trust(context, config); !wrong.empty()) {
    return config_error(ConfigPart::trust, std::move(wrong));
  }
  return {};
}

}  // namespace

OpensslContext::OpensslContext(TlsConfig config, Handle<ssl_ctx_st> context, std::vector<u8> alpn,
                               const Secret& session_key)
    : config_(std::move(config)),
      alpn_(std::move(alpn)),
      trust_(trust_of(config_)),
      session_key_(session_key),
      ticket_keys_(config_.tickets.key, config_.tickets.lifetime),
      context_(std::move(context)) {
  if (config_.tickets.key) OPENSSL_cleanse(config_.tickets.key->data(), 32);  // One copy will do.
}

std::unique_ptr<TlsSession> OpensslContext::new_session(Side side, std::string_view server_name,
                                                        Bytes transport_parameters,
                                                        TlsHandler& handler,
                                                        const Resumption& resumption) {
  return std::make_unique<OpensslSession>(shared_from_this(), side, std::string(server_name),
                                          transport_parameters, handler, resumption);
}

std::expected<std::shared_ptr<TlsContext>, ConfigError> make_tls_context(TlsConfig config) {
  ERR_clear_error();
  Handle<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  if (context == nullptr) return config_error(ConfigPart::library, "OpenSSL cannot make a context");
  std::vector<u8> alpn;
  auto configured = configure(context.get(), config, alpn);
  ERR_clear_error();
  if (!configured) return std::unexpected(std::move(configured.error()));
  Secret session_key;
  if (config.credentials) {  // OpenSSL has the key; no need for a second copy.
    std::string& key = config.credentials->private_key_pem;
    session_key = hmac(Hash::sha256, as_bytes(key),
                       {as_bytes("qpeer session"), as_bytes(config.credentials->certificate_pem)});
    OPENSSL_cleanse(key.data(), key.size());
    key.clear();
  }
  return std::make_shared<OpensslContext>(std::move(config), std::move(context), std::move(alpn),
                                          session_key);
}

}  // namespace qpeer::crypto
