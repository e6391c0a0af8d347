// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/trust.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::p2p {
namespace {

crypto::Trust chain_rule(TrustMode mode) {
  switch (mode) {
    case TrustMode::authorities:
      return crypto::Trust::authorities;
    case TrustMode::private_authority:
      return crypto::Trust::private_authority;
    case TrustMode::encrypt_only:
    case TrustMode::pinned:  // Its rule is a comparison of ids.
      break;
  }
  return crypto::Trust::encrypt_only;
}

// Accepts every id when Trust::allowed is empty. Always set: without it a client that gives no name is
// refused in the modes of authorities.
std::function<bool(const crypto::PeerCertificate&)> only(std::vector<PeerId> allowed) {
  std::ranges::sort(allowed);
  return [allowed = std::move(allowed)](const crypto::PeerCertificate& certificate) {
    return allowed.empty() || std::ranges::binary_search(allowed, PeerId{certificate.spki_sha256});
  };
}

}  // namespace

std::expected<PeerTls, ConfigError> make_peer_tls(const Identity& identity, const Trust& trust,
                                                  PeerTlsOptions options) {
  const auto key = crypto::check_credentials(identity.credentials);
  if (!key) return config_error(ConfigPart::identity, "the identity: " + key.error());
  if (PeerId{*key} != identity.id) {
    return config_error(ConfigPart::identity, "the identity: its id is not that of its key");
  }
  if (trust.mode == TrustMode::private_authority && trust.authorities_pem.empty()) {
    return config_error(ConfigPart::trust,
                        "a private authority is trusted, but its certificate is not given");
  }
  crypto::TlsConfig config;
  config.credentials = identity.credentials;
  config.alpn = {std::move(options.alpn)};
  config.trust = chain_rule(trust.mode);
  config.authorities_pem = trust.authorities_pem;
  config.mutual = true;
  config.verify_peer = only(trust.allowed);
  if (!options.cipher_suites.empty()) config.cipher_suites = std::move(options.cipher_suites);
  config.key_log = std::move(options.key_log);
  auto client = crypto::make_tls_context(config);
  if (!client) return std::unexpected(std::move(client.error()));
  // What comes early is an introduction, and read when the handshake is complete: see docs/security.md.
  config.tickets.early_data = true;
  auto server = crypto::make_tls_context(std::move(config));
  if (!server) return std::unexpected(std::move(server.error()));
  return PeerTls{.client = std::move(*client),
                 .server = std::move(*server),
                 .id = identity.id,
                 .mode = trust.mode,
                 .allowed = trust.allowed};
}

}  // namespace qpeer::p2p
