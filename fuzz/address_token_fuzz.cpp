// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Address tokens: whatever comes is either untouched and opens, or is not ours.
//
// The input is a list of edits (position, value to xor) to a token that we sealed, of a Retry or, with
// the highest bit of the first byte, of NEW_TOKEN; then bytes that are taken for a whole token.
#include <algorithm>
#include <vector>

#include "qpeer/crypto/address_token.hpp"
#include "qpeer/fuzz/check.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using namespace qpeer::crypto;

/// Of the input alone. A key that were always the same would let the fuzzer, which sees what we
/// compare, bring a token that another input made.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(Bytes input) {
    for (const u8 byte : input) state_ = (state_ ^ byte) * 0x100000001b3;
  }
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& byte : out) {
      state_ = state_ * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
      byte = static_cast<u8>(state_ >> 56);
    }
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  FixedRandom random({data, size});
  AddressTokens tokens{random, {}};
  const auto client = SocketAddress::ipv4({192, 0, 2, 1}, 4433);
  const Instant now{100s};
  const RetryToken token{.original_destination_connection_id = ConnectionId{{data, size}},
                         .retry_source_connection_id = {}};
  Reader in{{data, size}};
  const u8 first = in.byte();
  const bool retry = (first & 0x80) == 0;
  std::vector<u8> sealed(AddressTokens::kMaxSize);
  sealed.resize(retry ? tokens.seal_retry(now, client, token, sealed)
                      : tokens.seal_new_token(now, client, Version::v2, sealed));
  auto edited = sealed;
  for (std::size_t edits = first % 8; edits > 0; --edits) {
    edited[in.byte() % edited.size()] ^= in.byte();
  }
  const auto opened = tokens.open_retry(now + 1s, client, edited);
  const auto new_opened = tokens.open_new_token(now + 1s, client, edited);
  check(opened.has_value() == (retry && edited == sealed));
  check(new_opened.has_value() == (!retry && edited == sealed));
  check(opened
            ? opened->original_destination_connection_id == token.original_destination_connection_id
            : opened.error() == TokenError::not_ours);
  check(new_opened ? *new_opened == Version::v2 : new_opened.error() == TokenError::not_ours);

  const Bytes rest = in.rest();
  check(!tokens.open_retry(now, client, rest) && !tokens.open_new_token(now, client, rest));
  return 0;
}
