// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/transport_options.hpp"

#include <atomic>
#include <memory>
#include <utility>

#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/transport/base/host_port.hpp"
#include "qpeer/transport/io/resolve.hpp"
#include "qpeer/transport/log/qlog.hpp"

namespace qpeer::cli {
namespace {

using crypto::CipherSuite;

/// Says each thing once, whatever the number of connections and threads that it befalls.
class OnceToldError {
 public:
  void operator()(const std::string& text) const {
    if (!told_->test_and_set()) complain(text);
  }

 private:
  std::shared_ptr<std::atomic_flag> told_ = std::make_shared<std::atomic_flag>();
};

}  // namespace

void TransportOptions::declare_cipher(Arguments& arguments) {
  arguments.choice<std::optional<CipherSuite>>(
      "--cipher",
      {{"aes128", CipherSuite::aes_128_gcm_sha256},
       {"aes256", CipherSuite::aes_256_gcm_sha384},
       {"chacha20", CipherSuite::chacha20_poly1305_sha256}},
      cipher, "use only this cipher (default: any)");
}

void TransportOptions::declare_mtu(Arguments& arguments) {
  arguments.number(
      "--mtu", "BYTES", mtu, 1200, 65'000,
      "UDP payload sent at first; more where it fits (default: " + std::to_string(mtu) + ")");
}

void TransportOptions::declare_congestion(Arguments& arguments) {
  std::string names;
  for (const auto algorithm : transport::kCongestionAlgorithms) {
    names += (names.empty() ? "" : "|") + std::string(to_string(algorithm));
  }
  arguments.custom("--cc", names, "congestion controller (default: cubic)",
                   [this, names](std::string_view name) -> std::expected<void, std::string> {
                     const auto algorithm = transport::parse_congestion_algorithm(name);
                     if (!algorithm) return std::unexpected("is not one of " + names);
                     congestion = *algorithm;
                     return {};
                   });
}

void TransportOptions::declare_version(Arguments& arguments) {
  arguments.choice<Version>("--version", {{"v1", Version::v1}, {"v2", Version::v2}}, version,
                            "QUIC version to start with (default: v1)");
}

void TransportOptions::declare_retry(Arguments& arguments) {
  using transport::RetryPolicy;
  arguments.choice<RetryPolicy>("--retry",
                                {{"never", RetryPolicy::never},
                                 {"always", RetryPolicy::always},
                                 {"under-load", RetryPolicy::under_load}},
                                retry, "make clients prove their address (default: under-load)");
}

transport::ConnectionConfig TransportOptions::connection() const {
  transport::ConnectionConfig config;
  config.version = version;
  config.max_datagram_size = mtu;
  config.congestion_algorithm = congestion;
  config.pacing = !no_pacing;
  config.observer = observer();
  return config;
}

transport::log::ObserverFactory TransportOptions::observer() {
  return transport::log::qlog_from_environment(OnceToldError());
}

io::UdpOptions TransportOptions::socket() const { return {.gso = !no_gso, .gro = !no_gso}; }

crypto::TlsConfig TransportOptions::tls(std::string alpn) const {
  crypto::TlsConfig config;
  config.alpn = {std::move(alpn)};
  if (cipher) config.cipher_suites = {*cipher};
  config.key_log = crypto::key_log_from_environment(OnceToldError());
  return config;
}

std::string_view to_string(CipherSuite suite) {
  switch (suite) {
    case CipherSuite::aes_128_gcm_sha256:
      return "TLS_AES_128_GCM_SHA256";
    case CipherSuite::aes_256_gcm_sha384:
      return "TLS_AES_256_GCM_SHA384";
    case CipherSuite::chacha20_poly1305_sha256:
      return "TLS_CHACHA20_POLY1305_SHA256";
  }
  return "unknown";
}

std::expected<SocketAddress, std::string> parse_listen(std::string_view text,
                                                       std::uint16_t default_port) {
  if (text.starts_with(':') && !text.starts_with("::")) {
    const auto port = parse_number(text.substr(1));
    if (!port || *port > 65'535) return std::unexpected("is not a port");
    return SocketAddress::ipv6({}, static_cast<std::uint16_t>(*port));
  }
  const auto parts = split_host_port(text, default_port);
  if (!parts) return std::unexpected(parts.error());
  const auto addresses = io::resolve(parts->host, parts->port);
  if (!addresses) return std::unexpected(addresses.error());
  return addresses->front();
}

std::expected<Peer, std::string> resolve_peer(std::string_view text, std::uint16_t default_port) {
  const auto parts = split_host_port(text, default_port);
  if (!parts) return std::unexpected(parts.error());
  auto addresses = io::resolve(parts->host, parts->port);
  if (!addresses) return std::unexpected(addresses.error());
  return Peer{.text = std::string(text), .host = parts->host, .addresses = std::move(*addresses)};
}

}  // namespace qpeer::cli
