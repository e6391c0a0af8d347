// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Connection IDs that name the endpoint which issued them, among those that share a UDP port. The name is
// encrypted: without the key an ID looks as random as any other. RFC 9000 §5.1.
//
//   48 bits | 16 bits
//   random  | the member's number, xor what AES makes of the random bits
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::transport {

class CidNames {
 public:
  /// The length of each ID.
  static constexpr std::size_t kSize = 8;

  CidNames(crypto::KeyFactory& keys, const SharedPortMember& member);

  /// A new ID that names us. RFC 9000 §5.1 [rfc9000-5.1-1]: others see no link between two of them.
  [[nodiscard]] ConnectionId make(Random& random) const;
  /// The number of the endpoint that the ID names; nullopt when it names none. An ID that a peer made up
  /// names an endpoint by chance, with a probability of members / 65,536.
  [[nodiscard]] std::optional<std::size_t> member_of(Bytes id) const;
  /// The number of this endpoint.
  [[nodiscard]] std::size_t self() const { return self_; }

 private:
  static constexpr std::size_t kRandomSize = 6;
  [[nodiscard]] std::uint16_t mask_of(Bytes id) const;

  std::size_t self_;
  std::size_t members_;
  std::unique_ptr<crypto::HeaderProtection> cipher_;  ///< AES of one block, and nothing else.
};

}  // namespace qpeer::transport
