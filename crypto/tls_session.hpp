// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The TLS 1.3 handshake behind CRYPTO frames. RFC 9001 §4.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/resumption.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/config_error.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::crypto {

/// Whether a secret protects what we send or what we receive.
enum class Direction : u8 { send, receive };

/// The owner of a TlsSession, usually a connection: gets what the handshake yields. Called only from
/// within the TlsSession's own calls.
class TlsHandler {
 public:
  virtual ~TlsHandler() = default;
  /// Handshake bytes to send in CRYPTO frames at `level`, after what came before at that level.
  virtual void on_tls_data(EncryptionLevel level, Bytes data) = 0;
  /// A traffic secret is ready. RFC 9001 §4.1.4 gives the order.
  virtual void on_tls_secret(EncryptionLevel level, Direction direction, CipherSuite suite,
                             Bytes secret) = 0;
  /// The peer's quic_transport_parameters extension, not yet authenticated. An error fails the
  /// handshake: TlsSession::on_data() returns it.
  virtual Result on_tls_transport_parameters(Bytes parameters) = 0;
  /// Client: the server issued a session, for Resumption::session of one later connection. A secret.
  /// At most kMaxSessionSize bytes; a larger session is dropped without a call.
  virtual void on_tls_session(Bytes /*session*/) {}
  /// Server: application data for the ticket that is being made; only we can read it.
  virtual std::vector<u8> tls_ticket_data() { return {}; }
  /// Server: a client showed a ticket of ours with this data. Returns what the ticket may be used
  /// for. RFC 9001 §4.6.1, §4.6.2.
  virtual TicketUse on_tls_ticket(Bytes /*ticket_data*/) { return TicketUse::refuse; }
};

/// The largest session that TlsHandler::on_tls_session gets, in bytes.
inline constexpr std::size_t kMaxSessionSize = 7 << 10;

/// The certificate that the peer showed. Authenticated once the handshake is complete.
struct PeerCertificate {
  std::vector<u8> der;               ///< The leaf; empty when the peer showed none.
  std::vector<u8> public_key_spki;   ///< Its SubjectPublicKeyInfo, DER.
  std::array<u8, 32> spki_sha256{};  ///< The SHA-256 of public_key_spki: the bytes of a PeerId.
};

/// One side of one handshake. Single-threaded; emits through the handler given at creation, which
/// must outlive it.
class TlsSession {
 public:
  virtual ~TlsSession() = default;

  /// Client: emits the ClientHello. Server: does nothing. Call once.
  virtual Result start() = 0;

  /// Server, from within on_tls_transport_parameters: replaces the transport parameters that the
  /// session was created with, since the server's may depend on the client's.
  virtual void set_transport_parameters(Bytes parameters) = 0;

  /// Ordered handshake bytes from the peer's CRYPTO stream at `level`. An error is CRYPTO_ERROR
  /// with the alert (missing ALPN 0x178, missing transport parameters 0x16d), or what the handler
  /// answered to the transport parameters.
  virtual Result on_data(EncryptionLevel level, Bytes data) = 0;

  /// RFC 9001 §4.1.1: our Finished is sent, the peer's verified.
  [[nodiscard]] virtual bool is_complete() const = 0;

  /// The level whose CRYPTO data on_data expects now: data at a lower one is stale, at a higher one
  /// early.
  [[nodiscard]] virtual EncryptionLevel read_level() const = 0;

  /// Whether early data was offered and accepted. On a client it is `offered` until the server's
  /// answer was read; not to be called from within a handler.
  [[nodiscard]] virtual EarlyData early_data() const { return EarlyData::none; }
  /// Whether an earlier session was resumed: the peer showed no certificate, but was authenticated
  /// when that session began. RFC 9001 §4.5.
  [[nodiscard]] virtual bool is_resumed() const { return false; }

  /// The application protocol; empty until one is chosen.
  [[nodiscard]] virtual std::string_view alpn() const = 0;
  [[nodiscard]] virtual std::string_view server_name() const = 0;  ///< The SNI; may be empty.
  /// The peer's certificate; of a resumed session, the one shown when that session began.
  [[nodiscard]] virtual PeerCertificate peer_certificate() const = 0;
  /// The negotiated group, such as "X25519MLKEM768"; for people to read.
  [[nodiscard]] virtual std::string group() const = 0;
};

/// Makes the sessions of one configuration. Shared by all connections of an endpoint.
class TlsContext {
 public:
  virtual ~TlsContext() = default;

  /// `server_name` is the client's SNI and, where the trust mode checks names, the name that the
  /// certificate must carry (a DNS name or an IP literal, which is not sent as SNI); a server
  /// passes "". A client that checks names but passes none must have a verify_peer, or start()
  /// fails. `transport_parameters` is what we send. The session keeps the context alive.
  /// `resumption` is for clients, and read during the call only.
  virtual std::unique_ptr<TlsSession> new_session(Side side, std::string_view server_name,
                                                  Bytes transport_parameters, TlsHandler& handler,
                                                  const Resumption& resumption) = 0;
  /// The same without a session to resume.
  std::unique_ptr<TlsSession> new_session(Side side, std::string_view server_name,
                                          Bytes transport_parameters, TlsHandler& handler) {
    return new_session(side, server_name, transport_parameters, handler, {});
  }
};

/// How a peer's certificate is checked: authorities and private_authority validate the chain (and,
/// on the client, the name); encrypt_only validates nothing but possession of the key.
enum class Trust : u8 { authorities, private_authority, encrypt_only };

/// A private key with its certificate chain.
struct Credentials {
  std::string certificate_pem;  ///< The leaf first.
  std::string private_key_pem;  ///< A secret.
};

/// What a TlsContext is made from.
struct TlsConfig {
  std::optional<Credentials> credentials{};  ///< A server must have them; a client may.
  std::vector<std::string> alpn{};           ///< In order of preference; at least one.
  /// Which certificates of the peer are accepted.
  Trust trust = Trust::encrypt_only;
  /// The trusted roots: required by private_authority; with authorities, they replace the system's.
  std::string authorities_pem{};
  bool mutual = true;  ///< As a server: ask for, and insist on, a client certificate.
  /// An additional check of the peer's certificate (for pinning, for example), in every trust mode:
  /// false fails the handshake. Unset: no additional check. Called also for the certificate that a
  /// session remembers, before that session is resumed.
  std::function<bool(const PeerCertificate&)> verify_peer{};
  /// In order of preference.
  std::vector<CipherSuite> cipher_suites{CipherSuite::aes_128_gcm_sha256,
                                         CipherSuite::aes_256_gcm_sha384,
                                         CipherSuite::chacha20_poly1305_sha256};
  /// Key exchange groups in OpenSSL's list syntax, in order of preference; empty means its default
  /// (hybrid post-quantum first). As a client, '*' before a group sends a share of it. As a server,
  /// takes a share that came when its group is listed; '/' instead of ':' insists on the groups
  /// before it where the client knows one, for a round trip and its early data.
  std::string groups{};
  TicketConfig tickets = TicketConfig();  ///< As a server. A client takes what it is given.
  /// Gets each line of the NSS key log format, without a newline; unset means no key log. Who has these
  /// lines can read all traffic: see key_log_from_environment().
  std::function<void(std::string_view)> key_log{};
};

/// A TlsConfig::key_log that appends to the file that the environment variable SSLKEYLOGFILE names, for
/// Wireshark and other tools; unset where the variable is unset or empty. The file is made with mode 0600 if
/// it is missing; `on_error` is told when it cannot be opened. The environment is read now, and by nothing
/// else in the library. Copies may be called from any thread; processes can share the file.
[[nodiscard]] std::function<void(std::string_view)> key_log_from_environment(
    const std::function<void(const std::string&)>& on_error = {});

/// A context backed by OpenSSL, or what is wrong with the configuration.
std::expected<std::shared_ptr<TlsContext>, ConfigError> make_tls_context(TlsConfig config);

}  // namespace qpeer::crypto
