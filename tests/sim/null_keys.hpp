// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet protection that protects nothing but shows every mistake: no encryption, a checksum for a
// tag, masks of zero. Fast, deterministic, readable in a dump.
#pragma once

#include <cstdint>

#include "qpeer/crypto/keys.hpp"

namespace qpeer::sim {

/// Mixes bytes into a running 64-bit sum; any change of one byte changes the result.
std::uint64_t checksum(std::uint64_t start, Bytes bytes);

struct NullKeysConfig {
  bool accept_any_tag = false;  ///< For fuzzers: whatever is as long as a tag opens.
  std::uint64_t confidentiality_limit = std::uint64_t{1} << 23;
  std::uint64_t integrity_limit = std::uint64_t{1} << 52;
};

/// The tag covers key, packet number, header and payload, so that wrong keys, phases, packet
/// numbers and any changed bit are found as a real AEAD would.
class NullKeys final : public crypto::KeyFactory {
 public:
  explicit NullKeys(NullKeysConfig config = {}) : config_(config) {}

  crypto::InitialSecrets initial_secrets(Version version, Bytes destination_connection_id) override;
  crypto::PacketKeys packet_keys(Version version, crypto::CipherSuite suite,
                                 const crypto::Secret& secret) override;
  crypto::Secret next_secret(Version version, crypto::CipherSuite suite,
                             const crypto::Secret& secret) override;
  std::unique_ptr<crypto::Aead> next_aead(Version version, crypto::CipherSuite suite,
                                          const crypto::Secret& secret) override;
  std::array<u8, crypto::kTagSize> retry_integrity_tag(Version version,
                                                       Bytes original_destination_connection_id,
                                                       Bytes retry_without_tag) override;

 private:
  NullKeysConfig config_;
};

}  // namespace qpeer::sim
