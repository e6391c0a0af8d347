// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Our own address as peers see it: what they report is believed when two of different networks agree.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/inline_vector.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

struct OwnAddressConfig {
  Duration max_age = 10min;
  std::size_t max_reports = 32;
  /// How many votes an address needs.
  std::size_t agreement = 2;
  /// Reporters in private ranges that report such an address count by host (by host and port on
  /// loopback) and not by network, so that a local network agrees too.
  bool local_reporters_count_each = true;
};

/// One vote a network of reporters (/16 or /32), the newest report of each; one report a reporter.
/// Addresses of different kind do not compete: IPv4 and IPv6, and the internet's and a local
/// network's, so there may be four. An address stays until another has more votes than it has left,
/// however old: without new reports nothing says that it changed.
class OwnAddress {
 public:
  using Config = OwnAddressConfig;
  static constexpr std::size_t kKinds = 4;

  explicit OwnAddress(Config config = {}) : config_(config) {}

  /// `reporter`, seen at `reporter_address`, sees us at `observed`. Returns whether addresses()
  /// changed by it. What is not a host and port is ignored.
  bool on_observed(Instant now, const PeerId& reporter, const SocketAddress& reporter_address,
                   const SocketAddress& observed);

  /// The best agreed address: global before local, IPv4 before IPv6. nullopt while no peers agree.
  [[nodiscard]] std::optional<SocketAddress> current() const;
  /// All that are agreed, best first.
  [[nodiscard]] InlineVector<SocketAddress, kKinds> addresses() const;
  [[nodiscard]] std::size_t reports() const { return reports_.size(); }

 private:
  struct Report {
    PeerId reporter;
    SocketAddress voter;  ///< Its network, or itself.
    SocketAddress observed;
    std::size_t kind = 0;
    Instant at;
  };

  [[nodiscard]] SocketAddress voter_of(const SocketAddress& reporter,
                                       const SocketAddress& observed) const;
  [[nodiscard]] std::size_t votes(const SocketAddress& observed) const;

  Config config_;
  std::vector<Report> reports_;  ///< Oldest first.
  std::array<SocketAddress, kKinds> agreed_{};
};

}  // namespace qpeer::p2p
