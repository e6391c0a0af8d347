// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The flags of the transport that all programs share, and what they become.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/io/udp_socket.hpp"
#include "qpeer/transport/log/observer.hpp"
#include "qpeer/transport/recovery/congestion.hpp"

namespace qpeer::cli {

struct TransportOptions {
  std::optional<crypto::CipherSuite> cipher;  ///< Only this one; unset offers all.
  Version version = Version::v1;
  std::uint16_t mtu = 1200;
  transport::RetryPolicy retry = transport::RetryPolicy::under_load;
  transport::CongestionAlgorithm congestion = transport::CongestionAlgorithm::cubic;
  bool no_gso = false;
  bool no_pacing = false;

  void declare_cipher(Arguments& arguments);
  void declare_mtu(Arguments& arguments);
  void declare_congestion(Arguments& arguments);
  void declare_version(Arguments& arguments);
  void declare_retry(Arguments& arguments);

  [[nodiscard]] transport::ConnectionConfig connection() const;
  /// qlog files in the directory that QLOGDIR names; unset where it names none. What goes wrong with them is
  /// told once, on standard error.
  [[nodiscard]] static transport::log::ObserverFactory observer();
  [[nodiscard]] io::UdpOptions socket() const;
  /// With the ciphers, and a key log to the file that SSLKEYLOGFILE names.
  [[nodiscard]] crypto::TlsConfig tls(std::string alpn) const;
};

/// "TLS_AES_128_GCM_SHA256" and its like.
std::string_view to_string(crypto::CipherSuite suite);

/// Where to listen: "ADDR:PORT", "[ADDR]:PORT", "ADDR" or ":PORT"; "" as address is any.
[[nodiscard]] std::expected<SocketAddress, std::string> parse_listen(std::string_view text,
                                                                     std::uint16_t default_port);

/// A host to dial.
struct Peer {
  std::string text;  ///< As it was given on the command line.
  std::string host;
  std::vector<SocketAddress> addresses;
};
/// Reads "HOST:PORT" or "HOST" and looks the name up, which blocks.
[[nodiscard]] std::expected<Peer, std::string> resolve_peer(std::string_view text,
                                                            std::uint16_t default_port);

}  // namespace qpeer::cli
