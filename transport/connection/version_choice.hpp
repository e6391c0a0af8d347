// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which version a connection speaks: the one it began with, the one that a Version Negotiation packet
// made it begin anew with, or a compatible one that the server moved it to; and the proof that nobody
// on the way decided that. RFC 9368; RFC 9369 §4.
//
//   client    original --Version Negotiation--> original --Initial of another version--> negotiated
//   server    original --------- the client's Version Information and our preference --> negotiated
//
// Pure logic: no keys, no packets.
#pragma once

#include <optional>

#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport {

class VersionChoice {
 public:
  /// `original` is that of the client's first packet; `preferred`, which may be Version::negotiation
  /// for none, comes before all of `spoken`.
  VersionChoice(Side side, Version original, Version preferred, const VersionOrder& spoken);

  [[nodiscard]] Version original() const { return original_; }
  /// The one in use: `original` until it is known to be another.
  [[nodiscard]] Version negotiated() const { return negotiated_; }

  /// What we tell the peer, with a reserved version at the end unless that is Version::negotiation.
  [[nodiscard]] wire::VersionInformation information(Version reserved) const;

  /// Client: the version to begin anew with; nullopt when none is common. Call once.
  std::optional<Version> on_version_negotiation(const wire::VersionList& offered);
  [[nodiscard]] bool reacted() const { return reacted_; }

  /// Client: an Initial of another version may be the server's answer.
  [[nodiscard]] bool may_switch_to(Version version) const;
  /// Client: it was authentic.
  void switch_to(Version version);
  /// Client: the server's handshake began, so that its version is known now.
  void settle() { settled_ = true; }

  /// The peer's Version Information, nullopt when there was none. A server decides by it which
  /// version is negotiated. The error is VERSION_NEGOTIATION_ERROR.
  Result on_information(const std::optional<wire::VersionInformation>& theirs);

 private:
  Result check_client(const wire::VersionInformation& theirs);
  Result check_server(const wire::VersionInformation& theirs) const;
  [[nodiscard]] bool is_ours(Version version) const;

  Side side_;
  Version original_;
  Version negotiated_;
  Version preferred_;
  VersionOrder order_;  ///< Of those that we speak.
  bool reacted_ = false;
  bool settled_ = false;
};

}  // namespace qpeer::transport
