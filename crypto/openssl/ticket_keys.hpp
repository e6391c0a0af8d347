// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The keys under which a server's tickets are sealed. RFC 5077 §4 is the format, OpenSSL writes it.
//
//   secret --HMAC--> of each period: name | cipher key | MAC key        period = Unix time / lifetime
//
// So all processes that share the secret have the same keys at the same time. A key seals for one
// lifetime, and opens during the periods before and after it, too (a clock may be ahead).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/transport/base/bytes.hpp"

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

namespace qpeer::crypto {

class TicketKeys {
 public:
  static constexpr std::size_t kNameSize = 16;
  static constexpr std::size_t kIvSize = 16;

  /// Without a secret: a random one.
  TicketKeys(const std::optional<std::array<u8, 32>>& secret, std::chrono::seconds lifetime);

  /// Prepares to seal at `now`, in Unix seconds: fills in the name and a fresh IV. False on failure.
  bool seal(std::int64_t now, std::span<u8, kNameSize> name, std::span<u8, kIvSize> iv,
            evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac) const;
  /// Prepares to open; false when the name is of no key that is valid at `now`.
  bool open(std::int64_t now, std::span<const u8, kNameSize> name, std::span<const u8, kIvSize> iv,
            evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac) const;

 private:
  struct Keys;
  void derive(std::int64_t period, Keys& out) const;

  Secret secret_;
  std::int64_t lifetime_;
};

}  // namespace qpeer::crypto
