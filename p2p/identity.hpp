// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A peer's key with its certificate, made for one run or kept in files.
#pragma once

#include <expected>
#include <string>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::p2p {

/// Who a peer is: its key, and the name that follows from it.
struct Identity {
  crypto::Credentials credentials;  ///< The private key and its certificate. A secret.
  PeerId id;                        ///< That of the credentials' key.
};

/// A new Ed25519 key with a self-signed certificate, which nobody keeps. Good for encrypt_only and
/// pinned; no authority vouches for it.
[[nodiscard]] Identity make_identity();

// What is wrong is told in a sentence that names the file. Private keys are taken only from regular
// files of ours (or root's) that nobody but their owner may use: anything else may have been read,
// or put there, by another. These calls block.

/// The identity in the PEM file `path`: a private key and its certificate, in either order. When
/// there is no such file it is made first, whole or not at all, with mode 0600; of several
/// processes that do so at once, all get the same.
[[nodiscard]] std::expected<Identity, std::string> load_or_create_identity(const std::string& path);

/// An identity that an authority issued: the certificate, with those between it and the authority
/// after it, and its private key. Both may be the same file.
[[nodiscard]] std::expected<Identity, std::string> load_identity(
    const std::string& certificate_path, const std::string& key_path);

}  // namespace qpeer::p2p
