// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The versions of QUIC that an endpoint speaks, in the order in which it prefers them. RFC 9368 §3.
#pragma once

#include "qpeer/transport/base/inline_vector.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer::transport {

/// Versions, the most preferred first.
using VersionOrder = InlineVector<Version, 4>;

/// The versions that an endpoint speaks unless it is configured otherwise.
constexpr VersionOrder all_versions() {
  VersionOrder out;
  out.push_back(Version::v1);
  out.push_back(Version::v2);
  return out;
}

}  // namespace qpeer::transport
