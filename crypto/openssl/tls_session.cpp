// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Drives one SSL object: feeds it messages of the current level, passes on its output, and checks the
// outcome.
#include "qpeer/crypto/openssl/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "qpeer/crypto/openssl/certificate.hpp"
#include "qpeer/crypto/openssl/tls_callbacks.hpp"

namespace qpeer::crypto {
namespace {

using enum TransportErrorCode;

constexpr auto kInternalAlert = qpeer::crypto_error(SSL_AD_INTERNAL_ERROR);
constexpr auto kNoApplicationProtocol = qpeer::crypto_error(SSL_AD_NO_APPLICATION_PROTOCOL);
constexpr auto kMissingExtension = qpeer::crypto_error(SSL_AD_MISSING_EXTENSION);
constexpr auto kIllegalParameter = qpeer::crypto_error(SSL_AD_ILLEGAL_PARAMETER);

constexpr unsigned kAlpnExtension = TLSEXT_TYPE_application_layer_protocol_negotiation;
constexpr unsigned kTransportParametersExtension = 0x39;  // RFC 9001 §8.2.

constexpr auto kUnexpectedMessage = qpeer::crypto_error(SSL_AD_UNEXPECTED_MESSAGE);

constexpr u8 kHelloRequest = 0;  // RFC 8446 §4, and Appendix B.3.
constexpr u8 kCertificateRequest = 13;

bool has_extension(SSL* ssl, unsigned type) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  return SSL_client_hello_get0_ext(ssl, type, &data, &size) == 1;
}

}  // namespace

OpensslSession::OpensslSession(std::shared_ptr<const OpensslContext> context, Side side,
                               std::string server_name, Bytes transport_parameters,
                               TlsHandler& handler, const Resumption& resumption)
    : context_(std::move(context)),
      side_(side),
      server_name_(std::move(server_name)),
      transport_parameters_(transport_parameters.begin(), transport_parameters.end()),
      handler_(handler) {
  const TransportError error = set_up();
  if (error.code != no_error) {
    error_ = error;
  } else if (side_ == Side::client) {
    resume(resumption);
  }
  ERR_clear_error();
}

OpensslSession::~OpensslSession() {
  // Without the flags SSL_free takes the connection for broken, and spoils its session.
  if (ssl_ != nullptr) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

TransportError OpensslSession::set_up() {
  const TlsConfig& config = context_->config();
  ssl_.reset(SSL_new(context_->native()));
  SSL* const ssl = ssl_.get();
  if (ssl == nullptr) return {internal_error, "no TLS session"};
  if (side_ == Side::client) {
    SSL_set_connect_state(ssl);
  } else {
    SSL_set_accept_state(ssl);
  }
  if (!install_session_callbacks(ssl, *this) ||
      SSL_set_quic_tls_transport_params(ssl, transport_parameters_.data(),
                                        transport_parameters_.size()) != 1) {
    return {internal_error, "no TLS session"};
  }
  if (side_ == Side::server) {
    if (!config.credentials) return {internal_error, "a server needs credentials"};
    const int mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(ssl, config.mutual ? mode : SSL_VERIFY_NONE, nullptr);
    if (config.tickets.early_data && SSL_set_quic_tls_early_data_enabled(ssl, 1) != 1) {
      return {internal_error, "no early data"};
    }
    return {};
  }
  if (!set_up_client()) return {internal_error, "the server name is not usable"};
  return {};
}

// RFC 9001 §4.4 [rfc9001-4.4-1]: the name that we asked for, or verify_peer, says who the server is.
bool OpensslSession::set_up_client() {
  SSL* const ssl = ssl_.get();
  const TlsConfig& config = context_->config();
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  const Bytes alpn = context_->alpn();
  if (SSL_set_alpn_protos(ssl, alpn.data(), static_cast<unsigned>(alpn.size())) != 0) return false;

  if (server_name_.find('\0') != std::string::npos) return false;
  const bool checks_name = config.trust != Trust::encrypt_only;
  if (server_name_.empty()) return !checks_name || config.verify_peer != nullptr;
  X509_VERIFY_PARAM* const parameters = SSL_get0_param(ssl);
  if (is_ip_literal(server_name_)) {
    return !checks_name || X509_VERIFY_PARAM_set1_ip_asc(parameters, server_name_.c_str()) == 1;
  }
  if (SSL_set_tlsext_host_name(ssl, server_name_.c_str()) != 1) return false;
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return !checks_name ||
         X509_VERIFY_PARAM_set1_host(parameters, server_name_.data(), server_name_.size()) == 1;
}

Result OpensslSession::start() {
  if (error_) return std::unexpected(*error_);
  return side_ == Side::client ? advance() : Result{};
}

// OpenSSL reads them where they lie when it writes EncryptedExtensions.
void OpensslSession::set_transport_parameters(Bytes parameters) {
  transport_parameters_.assign(parameters.begin(), parameters.end());
  if (SSL_set_quic_tls_transport_params(ssl_.get(), transport_parameters_.data(),
                                        transport_parameters_.size()) != 1) {
    refuse(internal_error, "transport parameters are not taken");
  }
}

Result OpensslSession::on_data(EncryptionLevel level, Bytes data) {
  if (error_) return std::unexpected(*error_);
  if (data.empty()) return {};
  // RFC 9001 §8.3 [rfc9001-8.3-2]: no CRYPTO in 0-RTT. RFC 9001 §4.1.3 [rfc9001-4.1.3-1]
  // [rfc9001-4.1.3-2]: and nothing new at a level that we have left.
  if (level == EncryptionLevel::zero_rtt || level < read_level_) {
    refuse(protocol_violation, "handshake data at a wrong encryption level");
  } else if (!queue(level).append(data)) {
    refuse(crypto_buffer_exceeded, "too much handshake data waits");
  } else if (level == read_level_) {
    return advance();
  }
  if (error_) return std::unexpected(*error_);
  return {};
}

bool OpensslSession::is_complete() const {
  return !error_ && SSL_is_init_finished(ssl_.get()) == 1 && has_one_rtt_read_secret_ &&
         check_extensions().has_value();
}

std::string_view OpensslSession::alpn() const {
  const unsigned char* data = nullptr;
  unsigned size = 0;
  if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_.get(), &data, &size);
  return as_text({data, size});
}

std::string_view OpensslSession::server_name() const {
  if (ssl_ == nullptr) return {};
  const char* const name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

std::string OpensslSession::group() const {
  // A server without a whole ClientHello has no session, in which OpenSSL looks without a check.
  if (ssl_ == nullptr || SSL_get_session(ssl_.get()) == nullptr) return {};
  const char* const name = SSL_get0_group_name(ssl_.get());
  return name == nullptr ? std::string{} : std::string{name};
}

// Runs OpenSSL until it takes no more of what is here.
Result OpensslSession::advance() {
  ERR_clear_error();
  do {
    progress_ = false;
  } while (step() && progress_);
  ERR_clear_error();
  if (!error_ && peer_.der.empty() && is_resumed()) {
    peer_ = describe(SSL_get0_peer_certificate(ssl_.get()));
  }
  if (!error_ && SSL_is_init_finished(ssl_.get()) == 1) {
    if (auto checked = check_extensions(); !checked) error_ = checked.error();
  }
  if (error_) return std::unexpected(*error_);
  return {};
}

// One call of OpenSSL; false when the session has failed.
bool OpensslSession::step() {
  SSL* const ssl = ssl_.get();
  const int result =
      SSL_is_init_finished(ssl) == 1 ? SSL_read(ssl, nullptr, 0) : SSL_do_handshake(ssl);
  if (!error_ && result <= 0 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) {
    refuse(kInternalAlert, "TLS failed without an alert");
  }
  return !error_;
}

// RFC 9001 §8.1 [rfc9001-8.1-2] [rfc9001-8.1-3] [rfc9001-8.1-7], §8.2 [rfc9001-8.2-1]: OpenSSL
// leaves it to us to insist on a protocol of ours and on transport parameters.
Result OpensslSession::check_extensions() const {
  if (!peer_transport_parameters_) {
    return fail(kMissingExtension, "no transport parameters");
  }
  const auto& ours = context_->config().alpn;
  if (std::find(ours.begin(), ours.end(), alpn()) == ours.end()) {
    return fail(kNoApplicationProtocol, "no application protocol");
  }
  return {};
}

bool OpensslSession::refuse(TransportErrorCode code, std::string_view reason) {
  if (!error_) error_ = TransportError{code, reason};
  return false;
}

void OpensslSession::on_send(Bytes data) {
  // Nothing after an error: the connection closes with that.
  if (!error_) handler_.on_tls_data(write_level_, data);
}

std::optional<Bytes> OpensslSession::on_receive() {
  MessageQueue& from = queue(read_level_);
  // Of TLS 1.2, and reserved. OpenSSL's client passes over it, and Finished does not cover it.
  if (from.next_type() == kHelloRequest) {
    refuse(kUnexpectedMessage, "HelloRequest");
    return std::nullopt;
  }
  // RFC 9001 §4.4 [rfc9001-4.4-5]: a client shows its certificate in the handshake or never. OpenSSL
  // refuses it too, but with an alert; TLS KeyUpdate it refuses as it must, RFC 9001 §6 [rfc9001-6-3].
  if (read_level_ == EncryptionLevel::one_rtt && side_ == Side::client &&
      from.next_type() == kCertificateRequest) {
    refuse(protocol_violation, "post-handshake CertificateRequest");
    return std::nullopt;
  }
  if (has_early_secret_ && side_ == Side::client && !look_for_hello_retry()) return Bytes{};
  const Bytes lent = from.lend();
  progress_ |= !lent.empty();
  return lent;
}

void OpensslSession::on_release() {
  for (MessageQueue& each : queues_) each.take();  // One of them lent, perhaps of the level before.
}

bool OpensslSession::on_secret(EncryptionLevel level, Direction direction, Bytes secret) {
  if (error_) return false;
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl_.get());
  if (cipher == nullptr) return refuse(kInternalAlert, "a secret without a cipher suite");
  const auto suite = static_cast<CipherSuite>(SSL_CIPHER_get_protocol_id(cipher));
  if (level != EncryptionLevel::zero_rtt && direction == Direction::receive) {
    // RFC 9001 §4.1.3 [rfc9001-4.1.3-3]: nothing may be left of the level before.
    if (queue(read_level_).waiting() != 0) {
      return refuse(protocol_violation, "handshake data left behind when keys changed");
    }
    read_level_ = level;
    has_one_rtt_read_secret_ |= level == EncryptionLevel::one_rtt;
  }
  if (level != EncryptionLevel::zero_rtt && direction == Direction::send) write_level_ = level;
  has_early_secret_ |= level == EncryptionLevel::zero_rtt;
  handler_.on_tls_secret(level, direction, suite, secret);
  return true;
}

bool OpensslSession::on_transport_parameters(Bytes parameters) {
  if (peer_transport_parameters_) {  // The ClientHello after a HelloRetryRequest brings them again.
    return equal(*peer_transport_parameters_, parameters) ||
           refuse(kIllegalParameter, "the second ClientHello has other transport parameters");
  }
  peer_transport_parameters_.emplace(parameters.begin(), parameters.end());
  const Result accepted = handler_.on_tls_transport_parameters(parameters);
  if (!accepted && !error_) error_ = accepted.error();
  return accepted.has_value();
}

// RFC 9001 §4.8 [rfc9001-4.8-1]: any alert ends the connection. Two that OpenSSL raises have
// another code in QUIC; its error queue tells them apart.
void OpensslSession::on_alert(u8 code) {
  const char* where = nullptr;
  const int reason = ERR_GET_REASON(ERR_peek_last_error_func(&where));
  if (reason == SSL_R_INVALID_MAX_EARLY_DATA) {  // RFC 9001 §4.6.1 [rfc9001-4.6.1-2].
    refuse(protocol_violation, "a ticket that limits early data");
  } else if (where != nullptr && std::string_view(where) == "tls_parse_stoc_alpn") {
    // RFC 9001 §8.1 [rfc9001-8.1-7]: the server chose what we did not offer.
    refuse(kNoApplicationProtocol, "no application protocol");
  }
  refuse(qpeer::crypto_error(code), SSL_alert_desc_string_long(code));  // A literal of OpenSSL's.
}

// Comes when the peer's first flight is read up to its certificate: what must be in it is now.
bool OpensslSession::on_certificate(X509_STORE_CTX* store) {
  const auto reject = [store](int reason) {
    X509_STORE_CTX_set_error(store, reason);
    return false;
  };
  if (auto checked = check_extensions(); !checked) {
    refuse(checked.error().code, checked.error().reason);
    return reject(X509_V_ERR_APPLICATION_VERIFICATION);
  }
  const TlsConfig& config = context_->config();
  if (config.trust == Trust::encrypt_only) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
  } else if (X509_verify_cert(store) != 1) {
    if (X509_STORE_CTX_get_error(store) == X509_V_OK) return reject(X509_V_ERR_UNSPECIFIED);
    return false;
  }
  peer_ = describe(X509_STORE_CTX_get0_cert(store));
  if (config.verify_peer && !config.verify_peer(peer_)) return reject(X509_V_ERR_CERT_REJECTED);
  return true;
}

// RFC 9001 §8.1 [rfc9001-8.1-5] [rfc9001-8.1-6]: our preference among what the client offers.
// Empty, hence no_application_protocol, when there is nothing in common.
Bytes OpensslSession::on_alpn_offer(Bytes offered) {
  const Bytes ours = context_->alpn();
  unsigned char* chosen = nullptr;
  unsigned char size = 0;
  if (SSL_select_next_proto(&chosen, &size, ours.data(), static_cast<unsigned>(ours.size()),
                            offered.data(),
                            static_cast<unsigned>(offered.size())) != OPENSSL_NPN_NEGOTIATED) {
    return {};
  }
  return {chosen, size};
}

bool OpensslSession::on_client_hello() {
  SSL* const ssl = ssl_.get();
  // Without this extension it is older than TLS 1.3, and OpenSSL says so with the right alert.
  if (!has_extension(ssl, TLSEXT_TYPE_supported_versions)) return true;
  // RFC 9001 §8.4 [rfc9001-8.4-2]: TLS 1.3's disguise as an older version has no place here.
  const unsigned char* id = nullptr;
  if (SSL_client_hello_get0_session_id(ssl, &id) != 0) {
    return refuse(protocol_violation, "ClientHello in TLS compatibility mode");
  }
  if (!has_extension(ssl, kTransportParametersExtension)) {
    return refuse(kMissingExtension, "no transport parameters");
  }
  if (!has_extension(ssl, kAlpnExtension)) {
    return refuse(kNoApplicationProtocol, "no application protocol");
  }
  return true;
}

void OpensslSession::on_key_log(std::string_view line) { context_->config().key_log(line); }

}  // namespace qpeer::crypto
