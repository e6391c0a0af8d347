// SPDX-License-Identifier: MIT OR BSD-3-Clause
// QUIC versions. RFC 9000 §15, RFC 9369 §3.
#pragma once

#include <cstdint>

namespace qpeer {

/// A version of QUIC, as in a long header. Other values are versions that we do not speak.
enum class Version : std::uint32_t {
  negotiation = 0,  ///< The version field of a Version Negotiation packet.
  v1 = 0x00000001,
  v2 = 0x6b3343cf,
};

/// Whether it is one that this library speaks.
constexpr bool is_supported(Version version) {
  return version == Version::v1 || version == Version::v2;
}

/// Versions of the form 0x?a?a?a?a exist to exercise version negotiation, RFC 9000 §15.
constexpr bool is_reserved(Version version) {
  return (static_cast<std::uint32_t>(version) & 0x0f0f0f0f) == 0x0a0a0a0a;
}

}  // namespace qpeer
