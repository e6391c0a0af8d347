// Address tokens: whatever comes is either untouched and opens, or is not ours.
//
// The input is a list of edits (position, value to xor) to a token that we sealed, then bytes that
// are taken for a whole token.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "crypto/address_token.hpp"

namespace {

using namespace qpeer;
using namespace qpeer::crypto;

class FixedRandom final : public Random {
 public:
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& byte : out) byte = static_cast<u8>(state_ = state_ * 5 + 1);
  }

 private:
  u8 state_ = 7;
};

void check(bool claim) {
  if (!claim) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  FixedRandom random;
  AddressTokens tokens{random, {}};
  const auto client = SocketAddress::ipv4({192, 0, 2, 1}, 4433);
  const Instant now{100s};
  const RetryToken token{.original_destination_connection_id = ConnectionId{{data, size}},
                         .retry_source_connection_id = {}};
  std::vector<u8> sealed(AddressTokens::kMaxSize);
  sealed.resize(tokens.seal_retry(now, client, token, sealed));

  Reader in{{data, size}};
  auto edited = sealed;
  for (std::size_t edits = in.byte() % 8; edits > 0; --edits) {
    edited[in.byte() % edited.size()] ^= in.byte();
  }
  const auto opened = tokens.open_retry(now + 1s, client, edited);
  check(opened.has_value() == (edited == sealed));
  check(opened
            ? opened->original_destination_connection_id == token.original_destination_connection_id
            : opened.error() == TokenError::not_ours);

  const Bytes rest = in.rest();
  check(!tokens.open_retry(now, client, rest) || equal(rest, sealed));
  return 0;
}
