// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The flags of the peer layer that all commands share, and what they become.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/async/node_options.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/transport_options.hpp"
#include "qpeer/p2p/peer_address.hpp"
#include "qpeer/p2p/trust.hpp"

namespace qpeer::cli {

struct PeerOptions {
  enum class TrustWord : u8 { pinned, encrypt, ca, system };

  std::string key;
  std::string certificate;
  std::string certificate_key;
  TrustWord trust = TrustWord::pinned;
  std::string authorities;
  std::vector<PeerId> allowed{};
  std::string cache;
  Duration timeout = 10s;
  TransportOptions transport = TransportOptions();

  void declare(Arguments& arguments);  ///< All flags.
  /// Which flags do not go together, in a sentence; empty when all do.
  [[nodiscard]] std::string why_wrong() const;
  /// Why `contact` cannot be dialled in this mode of trust; empty when it can.
  [[nodiscard]] std::string why_not_dialled(const p2p::PeerAddress& contact) const;
  /// Reads the files that the flags name. The error says which of them is not usable, and why.
  [[nodiscard]] std::expected<p2p::NodeOptions, std::string> make() const;
};

/// A setter for "PEERID@host:port" and tickets.
[[nodiscard]] Arguments::Setter add_contact(std::vector<p2p::PeerAddress>& contacts);
/// The reasons on one line.
[[nodiscard]] std::string one_line(const p2p::BootstrapError& error);

}  // namespace qpeer::cli
