// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From OpenSSL's callbacks to OpensslSession. No exception may pass through C: all are noexcept.
#include "qpeer/crypto/openssl/tls_callbacks.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/ssl.h>

#include "qpeer/crypto/openssl/tls_session.hpp"

namespace qpeer::crypto {
namespace {

OpensslSession& session_of(const SSL* ssl) {
  return *static_cast<OpensslSession*>(SSL_get_app_data(ssl));
}

OpensslSession& session_of(void* argument) { return *static_cast<OpensslSession*>(argument); }

// --- The QUIC hooks ------------------------------------------------------------------------------

int crypto_send(SSL*, const unsigned char* data, std::size_t size, std::size_t* consumed,
                void* argument) noexcept {
  session_of(argument).on_send({data, size});
  *consumed = size;
  return 1;
}

int crypto_receive(SSL*, const unsigned char** data, std::size_t* size, void* argument) noexcept {
  const auto lent = session_of(argument).on_receive();
  if (!lent) return 0;
  *data = lent->data();
  *size = lent->size();
  return 1;
}

int crypto_release(SSL*, std::size_t, void* argument) noexcept {
  session_of(argument).on_release();
  return 1;
}

int yield_secret(SSL*, std::uint32_t level, int direction, const unsigned char* secret,
                 std::size_t size, void* argument) noexcept {
  static_assert(OSSL_RECORD_PROTECTION_LEVEL_EARLY == int(EncryptionLevel::zero_rtt));
  static_assert(OSSL_RECORD_PROTECTION_LEVEL_HANDSHAKE == int(EncryptionLevel::handshake));
  static_assert(OSSL_RECORD_PROTECTION_LEVEL_APPLICATION == int(EncryptionLevel::one_rtt));
  const auto to = direction == 0 ? Direction::receive : Direction::send;
  return session_of(argument).on_secret(static_cast<EncryptionLevel>(level), to, {secret, size});
}

int got_transport_parameters(SSL*, const unsigned char* data, std::size_t size,
                             void* argument) noexcept {
  return session_of(argument).on_transport_parameters({data, size});
}

int alert(SSL*, unsigned char code, void* argument) noexcept {
  session_of(argument).on_alert(code);
  return 1;
}

template <class Function>
constexpr OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

// --- Callbacks of the context --------------------------------------------------------------------

int verify_certificate(X509_STORE_CTX* store, void*) noexcept {
  const void* const ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  return session_of(static_cast<const SSL*>(ssl)).on_certificate(store);
}

int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                const unsigned char* in, unsigned int in_size, void*) noexcept {
  const Bytes chosen = session_of(ssl).on_alpn_offer({in, in_size});
  if (chosen.empty()) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen.data();
  *out_size = static_cast<unsigned char>(chosen.size());
  return SSL_TLSEXT_ERR_OK;
}

// Acknowledges any name, so that it is bound to the session.
int acknowledge_server_name(SSL*, int*, void*) noexcept { return SSL_TLSEXT_ERR_OK; }

int client_hello(SSL* ssl, int* alert_code, void*) noexcept {
  if (session_of(ssl).on_client_hello()) return SSL_CLIENT_HELLO_SUCCESS;
  *alert_code = SSL_AD_HANDSHAKE_FAILURE;  // The session knows better.
  return SSL_CLIENT_HELLO_ERROR;
}

// --- Sessions and tickets ------------------------------------------------------------------------

int new_session(SSL* ssl, SSL_SESSION* session) noexcept {
  session_of(ssl).on_new_session(session);
  return 0;  // The reference stays OpenSSL's.
}

int ticket_made(SSL* ssl, void*) noexcept {
  return session_of(ssl).on_ticket_made(SSL_get_session(ssl)) ? 1 : 0;
}

// Always "renew": without it OpenSSL gives no new ticket.
SSL_TICKET_RETURN ticket_opened(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t,
                                SSL_TICKET_STATUS status, void*) noexcept {
  const bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!opened || !session_of(ssl).on_ticket(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return SSL_TICKET_RETURN_USE_RENEW;
}

int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
               EVP_MAC_CTX* mac, int sealing) noexcept {
  const TicketKeys& keys = session_of(ssl).context().ticket_keys();
  using Name = std::span<u8, TicketKeys::kNameSize>;
  using Iv = std::span<u8, TicketKeys::kIvSize>;
  const Name key_name(name, TicketKeys::kNameSize);
  const Iv key_iv(iv, TicketKeys::kIvSize);
  if (sealing != 0) return keys.seal(unix_time(), key_name, key_iv, cipher, mac) ? 1 : -1;
  return keys.open(unix_time(), key_name, key_iv, cipher, mac) ? 1 : 0;
}

int allow_early_data(SSL* ssl, void*) noexcept { return session_of(ssl).on_early_data() ? 1 : 0; }

void key_log(const SSL* ssl, const char* line) noexcept { session_of(ssl).on_key_log(line); }

}  // namespace

void install_context_callbacks(SSL_CTX* context, bool with_key_log) {
  SSL_CTX_set_cert_verify_callback(context, verify_certificate, nullptr);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, acknowledge_server_name);
  SSL_CTX_set_client_hello_cb(context, client_hello, nullptr);
  SSL_CTX_sess_set_new_cb(context, new_session);
  SSL_CTX_set_session_ticket_cb(context, ticket_made, ticket_opened, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key);
  SSL_CTX_set_allow_early_data_cb(context, allow_early_data, nullptr);
  if (with_key_log) SSL_CTX_set_keylog_callback(context, key_log);
}

bool install_session_callbacks(SSL* ssl, OpensslSession& session) {
  static const OSSL_DISPATCH kHooks[] = {
      entry(OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, crypto_send),
      entry(OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, crypto_receive),
      entry(OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, crypto_release),
      entry(OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, yield_secret),
      entry(OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, got_transport_parameters),
      entry(OSSL_FUNC_SSL_QUIC_TLS_ALERT, alert),
      OSSL_DISPATCH_END};
  return SSL_set_app_data(ssl, &session) == 1 && SSL_set_quic_tls_cbs(ssl, kHooks, &session) == 1;
}

}  // namespace qpeer::crypto
