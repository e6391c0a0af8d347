// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/peer_options.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/cache/cache_file.hpp"
#include "qpeer/p2p/cli/common/identity_option.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {
namespace {

using Error = std::unexpected<std::string>;

constexpr std::size_t kMostAuthorities = 16 << 20;  // Bytes of a bundle.

}  // namespace

void PeerOptions::declare(Arguments& arguments) {
  arguments.text("--key", "FILE", key, "our key, made if missing (default: one for this run)");
  arguments.text("--cert", "FILE", certificate, "our certificate, issued by an authority");
  arguments.text("--cert-key", "FILE", certificate_key, "the key of --cert");
  arguments.choice<TrustWord>(
      "--trust",
      {{"pinned", TrustWord::pinned},
       {"encrypt", TrustWord::encrypt},
       {"ca", TrustWord::ca},
       {"system", TrustWord::system}},
      trust,
      "accept the key that the id names, any key, or\n"
      "                              one certified by --ca, or by the system's\n"
      "                              authorities (default: pinned)");
  arguments.text("--ca", "FILE", authorities, "the authorities' certificates, for --trust ca");
  arguments.custom("--allow", "ID",
                   "refuse all peers but these, who may put files into the\n"
                   "                              --store of a node; may be repeated",
                   [this](std::string_view text) -> std::expected<void, std::string> {
                     const auto id = PeerId::parse(text);
                     if (!id) return Error("is no peer id: " + id.error());
                     allowed.push_back(*id);
                     return {};
                   });
  arguments.text("--cache", "FILE", cache, "nodes to rejoin through; kept up to date");
  arguments.seconds("--timeout", "S", timeout, "give up a handshake after this long (default: 10)");
  transport.declare_cipher(arguments);
  transport.declare_mtu(arguments);
  transport.declare_congestion(arguments);
}

std::string PeerOptions::why_wrong() const {
  if (certificate.empty() != certificate_key.empty()) return "--cert and --cert-key go together";
  if (!certificate.empty() && !key.empty()) return "--key and --cert exclude each other";
  if (trust == TrustWord::ca && authorities.empty()) return "--trust ca needs --ca FILE";
  const bool asks = trust == TrustWord::ca || trust == TrustWord::system;
  if (!asks && !authorities.empty()) return "--ca is for --trust ca or system";
  return {};
}

std::string PeerOptions::why_not_dialled(const p2p::PeerAddress& contact) const {
  if (contact.id || trust != TrustWord::pinned) return {};
  return "'" + contact.to_string() + "' lacks the peer's id, which --trust pinned needs: give ID@" +
         contact.to_string() + ", or --trust encrypt";
}

std::expected<p2p::NodeOptions, std::string> PeerOptions::make() const {
  p2p::NodeOptions out;
  if (!cache.empty()) {
    // Without this a node would go on in memory, and only warn.
    const auto file = cache::CacheFile::open(cache);
    if (!file) return Error("--cache: " + file.error());
  }
  auto identity =
      certificate.empty() ? identity_of(key) : p2p::load_identity(certificate, certificate_key);
  if (!identity) return Error(identity.error());
  out.identity = std::move(*identity);
  std::string pem;
  if (!authorities.empty()) {
    auto text = read_file(authorities, kMostAuthorities);
    if (!text) return Error(text.error());
    pem = std::move(*text);
  }
  switch (trust) {
    case TrustWord::pinned:
      out.trust = p2p::Trust::pinned();
      break;
    case TrustWord::encrypt:
      out.trust = p2p::Trust::encrypt_only();
      break;
    case TrustWord::ca:
      out.trust = p2p::Trust::private_authority(pem);
      break;
    case TrustWord::system:
      out.trust = p2p::Trust::authorities(pem);
      break;
  }
  out.trust.allowed = allowed;
  out.cache_path = cache;
  out.socket = transport.socket();
  crypto::TlsConfig tls = transport.tls({});
  out.tls.cipher_suites = std::move(tls.cipher_suites);
  out.tls.key_log = std::move(tls.key_log);
  out.config.connection.max_datagram_size = transport.mtu;
  out.config.connection.congestion_algorithm = transport.congestion;
  out.config.connection.handshake_timeout = timeout;
  out.config.connection.observer = TransportOptions::observer();
  out.config.endpoint.retry = transport.retry;
  out.config.bootstrap.attempt_timeout = std::max(timeout, out.config.bootstrap.attempt_timeout);
  out.on_warning = [](std::string_view line) { complain(line); };
  return out;
}

Arguments::Setter add_contact(std::vector<p2p::PeerAddress>& contacts) {
  return [&contacts](std::string_view text) -> std::expected<void, std::string> {
    auto contact = p2p::PeerAddress::parse(text, kDefaultPort);
    if (!contact) return Error("is no address of a peer: " + contact.error());
    contacts.push_back(std::move(*contact));
    return {};
  };
}

std::string one_line(const p2p::BootstrapError& error) {
  std::string out = to_string(error);
  for (std::size_t at = 0; (at = out.find('\n', at)) != std::string::npos;)
    out.replace(at, 1, "; ");
  return out;
}

}  // namespace qpeer::cli
