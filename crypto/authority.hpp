// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A certificate authority of our own, for Trust::private_authority. It issues certificates and cannot
// revoke them: each is valid until it expires.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::crypto {

/// The longest validity of a certificate that we issue: about a hundred years.
inline constexpr unsigned kMaxDays = 36'500;

/// A new key with a self-signed certificate that may sign those of peers, but not other
/// authorities': CA:TRUE, pathlen 0, valid from a day ago for `days` (cut to 1..kMaxDays).
[[nodiscard]] Credentials make_authority(std::string_view name, unsigned days,
                                         KeyType type = KeyType::ed25519);

/// Whether a certificate can carry this name: a DNS name, of which the first label may be "*", or an
/// IP address.
[[nodiscard]] bool is_certificate_name(std::string_view name);

/// A new key with a certificate of `authority` for both roles (serverAuth and clientAuth), valid
/// from a day ago for `days` (cut to 1..kMaxDays). `names` (at least one) are what others dial, each
/// as is_certificate_name() wants it. The leaf is followed by those of the authority's certificates
/// that are not self-signed. The root is left out: a peer trusts it only when it has it already. On
/// error, a sentence that says which name, or what of the authority, is not usable.
[[nodiscard]] std::expected<Credentials, std::string> issue_certificate(
    const Credentials& authority, std::span<const std::string> names, KeyType type, unsigned days);

}  // namespace qpeer::crypto
