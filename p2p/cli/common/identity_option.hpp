// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The flag --key of all programs, and what it becomes.
#pragma once

#include <expected>
#include <string>

#include "qpeer/p2p/identity.hpp"

namespace qpeer::cli {

/// The identity in the file `key`, which is made when it is missing. An empty name makes an identity
/// for this run only. The error is a sentence.
[[nodiscard]] inline std::expected<p2p::Identity, std::string> identity_of(const std::string& key) {
  if (key.empty()) return p2p::make_identity();
  return p2p::load_or_create_identity(key);
}

}  // namespace qpeer::cli
