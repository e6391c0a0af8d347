// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A handshake that looks like TLS 1.3 to the connection and is decided by a seed: the same messages
// at the same levels, secrets in the order in which OpenSSL yields them, and no cryptography.
//
//   client                                             server
//   ClientHello (client_hello_size)      initial ->    got_transport_params
//                                     <- initial       ServerHello
//   handshake send, receive secrets                    handshake send, receive secrets
//                                     <- handshake     EncryptedExtensions, [CertificateRequest],
//   got_transport_params                               Certificate, Finished; 1-RTT send secret
//   [Certificate], Finished            handshake ->
//   1-RTT send, receive secrets                        1-RTT receive secret
//                                     <- 1-RTT         NewSessionTicket
//
// With TestTlsConfig::early_data the ClientHello may bring a ticket, and the 0-RTT secrets follow it
// at once; a server accepts what its handler accepts, as often as it comes.
//
// Every message carries a checksum: a changed one is alert 50 (decode_error).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/random.hpp"

namespace qpeer::sim {

struct TestTlsConfig {
  std::vector<std::string> alpn{"sim"};
  std::string identity = "peer";  ///< Decides certificate and key that this side shows.
  crypto::CipherSuite suite = crypto::CipherSuite::aes_128_gcm_sha256;  ///< The server's counts.
  std::size_t client_hello_size = 1'550;   ///< As with a post-quantum key share: two Initials.
  std::size_t server_flight_size = 1'000;  ///< EncryptedExtensions to Finished.
  std::size_t tickets = 2;                 ///< Of 233 bytes, after the handshake.
  bool early_data = false;  ///< Tickets resume, with early data; else they mean nothing.
  bool mutual = true;       ///< As a server: ask for the client's certificate.
  bool send_transport_parameters = true;  ///< False breaks the protocol on purpose.
  /// Last word on the peer's certificate; no is alert 42 (bad_certificate).
  std::function<bool(const crypto::PeerCertificate&)> verify_peer{};
};

/// `random` must outlive the context and its sessions.
std::shared_ptr<crypto::TlsContext> make_test_tls(Random& random, TestTlsConfig config = {});

/// What a side with this identity shows.
crypto::PeerCertificate test_certificate(std::string_view identity);

}  // namespace qpeer::sim
