// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Sessions that the application keeps and passes back, the server's tickets, and early data.
// RFC 8446 §2.2, §4.2.10, §8; RFC 9001 §4.5, §4.6.
//
//   session, as the client keeps it    1 format | 32 bound to | 32 tag | DER of OpenSSL's SSL_SESSION
//   ticket data, in the server's       8 id of the replay register | TlsHandler::tls_ticket_data()
//
// OpenSSL does not check the certificate of a resumed session again. So it is checked here, before a
// client offers the session, and before a server accepts the ticket; if it is refused, the handshake
// is full, and the certificate is checked there. A session authenticates the peer, and us with the
// certificate that we showed. Therefore its tag is made with our private key: a client that has one
// does not accept a session written by another identity, or by anybody else who can write to the
// place where the client keeps its sessions.
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/openssl/certificate.hpp"
#include "qpeer/crypto/openssl/hkdf.hpp"
#include "qpeer/crypto/openssl/tls_session.hpp"

namespace qpeer::crypto {
namespace {

constexpr u8 kFormat = 2;
constexpr std::size_t kTagOffset = 1 + 32;
constexpr std::size_t kPrefixSize = kTagOffset + 32;

/// RFC 8446 §4.6.1: no session is kept for longer, whatever its server says.
constexpr std::uint64_t kLongestLifetime = 604'800;

// RFC 8446 §4.1.3: the random that makes a ServerHello a HelloRetryRequest.
constexpr std::array<u8, 32> kHelloRetryRandom{
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
constexpr std::size_t kRandomOffset = 4 + 2;  // After the message's header and the legacy version.

/// A hash of what a client's session is valid for: the trust settings under which the peer was
/// checked, and the server's name.
std::array<u8, 32> bound_to(const OpensslContext& context, std::string_view server_name) {
  Sha256 hash;
  hash.update(context.trust());
  hash.update(as_bytes(server_name));
  return hash.finish();
}

/// The tag of a session of this client, however it came here.
Secret tag_of(const OpensslContext& context, Bytes kept) {
  return hmac(Hash::sha256, context.session_key(),
              {kept.first(kTagOffset), kept.subspan(kPrefixSize)});
}

/// Whether the session carries that tag; compared in constant time.
bool has_tag(const OpensslContext& context, Bytes kept) {
  const Secret tag = tag_of(context, kept);
  return CRYPTO_memcmp(kept.data() + kTagOffset, tag.bytes().data(), tag.bytes().size()) == 0;
}

std::string_view alpn_of(const SSL_SESSION* session) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_alpn_selected(session, &data, &size);
  return as_text({data, size});
}

Bytes ticket_data_of(SSL_SESSION* session) {
  void* data = nullptr;
  std::size_t size = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || data == nullptr) return {};
  return {static_cast<const u8*>(data), size};
}

/// As text, absent like empty.
std::string_view text_of(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

/// Not time(), whose second begins some milliseconds after that of the clock which OpenSSL reads: a
/// session would be from the future.
std::int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// --- client --------------------------------------------------------------------------------------

void OpensslSession::resume(const Resumption& resumption) {
  const Bytes kept = resumption.session;
  if (kept.size() <= kPrefixSize || kept.size() > kMaxSessionSize || kept[0] != kFormat ||
      !equal(kept.subspan(1, 32), bound_to(*context_, server_name_)) || !has_tag(*context_, kept)) {
    return;
  }
  const Bytes encoded = kept.subspan(kPrefixSize);
  const unsigned char* at = encoded.data();
  const Handle<SSL_SESSION> session{
      d2i_SSL_SESSION(nullptr, &at, static_cast<long>(encoded.size()))};
  SSL* const ssl = ssl_.get();
  const auto& trust = context_->trust();
  // It was made under this name, though it does not say so if its server did not acknowledge that.
  if (session == nullptr || at != encoded.data() + encoded.size() || !is_usable(session.get()) ||
      SSL_SESSION_set1_id_context(session.get(), trust.data(), trust.size()) != 1 ||
      SSL_set_session(ssl, session.get()) != 1) {
    return;
  }
  const bool early =
      resumption.early_data && SSL_SESSION_get_max_early_data(session.get()) == kUnlimitedEarlyData;
  if (early && SSL_set_quic_tls_early_data_enabled(ssl, 1) != 1) {
    refuse(TransportErrorCode::internal_error, "early data cannot be enabled");
  }
}

/// Whether what came from a file may be offered at all.
bool OpensslSession::is_usable(SSL_SESSION* session) const {
  const TlsConfig& config = context_->config();
  const SSL_CIPHER* const cipher = SSL_SESSION_get0_cipher(session);
  if (SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION ||
      SSL_SESSION_is_resumable(session) != 1 || cipher == nullptr) {
    return false;
  }
  const auto suite = static_cast<CipherSuite>(SSL_CIPHER_get_protocol_id(cipher));
  if (std::ranges::find(config.cipher_suites, suite) == config.cipher_suites.end()) return false;
  if (std::ranges::find(config.alpn, alpn_of(session)) == config.alpn.end()) return false;
  const std::int64_t age = unix_time() - SSL_SESSION_get_time_ex(session);
  const std::uint64_t lifetime = SSL_SESSION_get_ticket_lifetime_hint(session);
  return age >= 0 && static_cast<std::uint64_t>(age) < std::min(lifetime, kLongestLifetime) &&
         is_trusted(session);
}

/// Whether the certificate that the session remembers would be accepted now. Its chain was checked
/// under the same trust settings, so that only its validity and verify_peer are left.
bool OpensslSession::is_trusted(const SSL_SESSION* session) const {
  const TlsConfig& config = context_->config();
  X509* const certificate = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  const bool expected = side_ == Side::client || config.mutual;
  if (certificate == nullptr) return !expected;
  if (config.trust != Trust::encrypt_only &&
      (X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0 ||
       X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)) {
    return false;
  }
  return !config.verify_peer || config.verify_peer(describe(certificate));
}

void OpensslSession::on_new_session(SSL_SESSION* session) {
  if (side_ != Side::client || error_) return;
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (size <= 0 || static_cast<std::size_t>(size) > kMaxSessionSize - kPrefixSize) return;
  std::vector<u8> kept(kPrefixSize + static_cast<std::size_t>(size));
  Writer out{kept};
  out.byte(kFormat);
  out.bytes(bound_to(*context_, server_name_));
  unsigned char* at = kept.data() + kPrefixSize;
  if (i2d_SSL_SESSION(session, &at) != size) return;
  out.bytes(tag_of(*context_, kept).bytes());
  handler_.on_tls_session(kept);
}

/// RFC 8446 §4.2.10: no early data goes with the ClientHello that follows a HelloRetryRequest. OpenSSL
/// would offer it again, and the server end it with an alert. False: wait for more of the message.
bool OpensslSession::look_for_hello_retry() {
  if (server_answered_ || read_level_ != EncryptionLevel::initial) return true;
  const Bytes hello = queue(EncryptionLevel::initial).peek();
  if (hello.size() < kRandomOffset + kHelloRetryRandom.size()) return false;
  server_answered_ = true;
  hello_retried_ = equal(hello.subspan(kRandomOffset, kHelloRetryRandom.size()), kHelloRetryRandom);
  if (hello_retried_) SSL_SESSION_set_max_early_data(SSL_get0_session(ssl_.get()), 0);
  return true;
}

EarlyData OpensslSession::early_data() const {
  if (!has_early_secret_) return EarlyData::none;
  if (side_ == Side::server) return EarlyData::accepted;
  if (hello_retried_) return EarlyData::rejected;
  if (!peer_transport_parameters_) return EarlyData::offered;  // They come with the answer.
  return SSL_get_early_data_status(ssl_.get()) == SSL_EARLY_DATA_ACCEPTED ? EarlyData::accepted
                                                                          : EarlyData::rejected;
}

bool OpensslSession::is_resumed() const {
  return ssl_ != nullptr && SSL_session_reused(ssl_.get()) == 1;
}

// --- server --------------------------------------------------------------------------------------

bool OpensslSession::on_ticket_made(SSL_SESSION* session) {
  const auto& id = context_->replay_register().id();
  std::vector<u8> data(id.begin(), id.end());
  const std::vector<u8> connection = handler_.tls_ticket_data();
  data.insert(data.end(), connection.begin(), connection.end());
  return SSL_SESSION_set1_ticket_appdata(session, data.data(), data.size()) == 1;
}

/// Whether a session may be resumed that a ticket of ours holds.
bool OpensslSession::on_ticket(SSL_SESSION* session) {
  ticket_use_ = TicketUse::refuse;
  const Bytes data = ticket_data_of(session);
  const auto& id = context_->replay_register().id();
  if (data.size() < id.size() || !is_trusted(session)) return false;
  ticket_use_ = handler_.on_tls_ticket(data.subspan(id.size()));
  // What was accepted elsewhere, or before a restart, nobody here knows.
  if (ticket_use_ == TicketUse::resume_with_early_data && !equal(data.first(id.size()), id)) {
    ticket_use_ = TicketUse::resume;
  }
  return ticket_use_ != TicketUse::refuse;
}

// RFC 8446 §4.2.10: the same suite, name and protocol as in the session, on a fresh ticket (OpenSSL
// looks at its age before it asks), and, RFC 9001 §9.2 [rfc9001-9.2-1], for the first time.
bool OpensslSession::on_early_data() {
  SSL* const ssl = ssl_.get();
  const SSL_SESSION* const session = SSL_get0_session(ssl);
  if (!context_->config().tickets.early_data || error_ ||
      ticket_use_ != TicketUse::resume_with_early_data) {
    return false;
  }
  const SSL_CIPHER* const before = SSL_SESSION_get0_cipher(session);
  const SSL_CIPHER* const now = SSL_get_pending_cipher(ssl);
  if (before == nullptr || now == nullptr ||
      SSL_CIPHER_get_protocol_id(before) != SSL_CIPHER_get_protocol_id(now) ||
      alpn_of(session) != alpn() ||
      text_of(SSL_SESSION_get0_hostname(session)) !=
          text_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))) {
    return false;
  }
  std::array<u8, 32> random{};
  return SSL_get_client_random(ssl, random.data(), random.size()) == random.size() &&
         context_->replay_register().first_use(random, unix_time());
}

}  // namespace qpeer::crypto
