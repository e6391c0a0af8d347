// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whom a peer speaks to: four ways to decide, and the TLS contexts that do it.
//
//   mode               dialled peer must show                accepted peer must show
//   authorities        a chain to a known authority, and     a chain to a known authority
//   private_authority  the name that was dialled *
//   encrypt_only       any key that it holds                 any key that it holds
//   pinned             the key of the id that was dialled *  any key that it holds
//
//   * When an id was dialled, the dialler compares the key with it once the handshake is complete, and
//     checks no name. In the modes with authorities the chain is checked nevertheless.
//
// Every handshake is mutual: a peer without a certificate is refused in every mode. So each side
// knows the other's PeerId, and `allowed` can restrict any mode to some of them.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/p2p/identity.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/config_error.hpp"

namespace qpeer::p2p {

/// The four ways; the table above says what each asks for.
enum class TrustMode : u8 { authorities, private_authority, encrypt_only, pinned };

/// A mode with what it needs.
struct Trust {
  /// Which of the ways.
  TrustMode mode = TrustMode::pinned;
  std::string authorities_pem{};  ///< Certificates of the authorities, for their two modes.
  /// When not empty, peers of other ids are refused in either direction, whatever they show.
  std::vector<PeerId> allowed{};

  /// Agreed authorities: those in `pem`, or the system's when it is empty.
  [[nodiscard]] static Trust authorities(std::string_view pem = {}) {
    return {.mode = TrustMode::authorities, .authorities_pem = std::string(pem)};
  }
  /// An authority of our own: only what is issued by one in `pem` is good.
  [[nodiscard]] static Trust private_authority(std::string_view pem) {
    return {.mode = TrustMode::private_authority, .authorities_pem = std::string(pem)};
  }
  /// Any key is accepted: protects against passive observers, not against attackers on the path.
  [[nodiscard]] static Trust encrypt_only() { return {.mode = TrustMode::encrypt_only}; }
  /// A peer is accepted by the key that its id names. The default; needs no authority.
  [[nodiscard]] static Trust pinned() { return {.mode = TrustMode::pinned}; }
};

/// What identity and trust leave open.
struct PeerTlsOptions {
  /// The application protocol; both sides must name the same one.
  std::string alpn = "qpeer/1";
  std::vector<crypto::CipherSuite> cipher_suites{};  ///< In order of preference; empty: all.
  /// Gets each line of the NSS key log format, without a newline; unset: no key log. See
  /// crypto::key_log_from_environment().
  std::function<void(std::string_view)> key_log{};
};

/// What all connections of a peer share, made by make_peer_tls(). Copies share the contexts.
struct PeerTls {
  /// For dialling. A session's server name is "" when a PeerId is expected, which the dialler then
  /// compares itself; in the modes of authorities, "" without such a comparison lets anybody with a
  /// certificate of theirs answer, so otherwise give the host that was dialled.
  std::shared_ptr<crypto::TlsContext> client;
  std::shared_ptr<crypto::TlsContext> server;  ///< For accepting. Insists on a certificate.
  PeerId id;                                   ///< Our own.
  /// As in Trust.
  TrustMode mode = TrustMode::pinned;
  std::vector<PeerId> allowed;  ///< As in Trust. The contexts see to it.

  /// Whether a dialler that expects no id must give the name that it dialled.
  [[nodiscard]] bool checks_names() const {
    return mode == TrustMode::authorities || mode == TrustMode::private_authority;
  }
  /// Whether every dial needs the id of the peer.
  [[nodiscard]] bool needs_expected_id() const { return mode == TrustMode::pinned; }
};

/// The contexts of a peer, or what is wrong with its identity or its trust.
[[nodiscard]] std::expected<PeerTls, ConfigError> make_peer_tls(const Identity& identity,
                                                                const Trust& trust,
                                                                PeerTlsOptions options = {});

}  // namespace qpeer::p2p
