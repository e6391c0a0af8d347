// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The smallest user of qpeer: one call that reaches the cipher library behind it.
#include <qpeer/crypto/peer_id.hpp>
#include <qpeer/qpeer.hpp>

#include <cstdio>

static_assert(QPEER_VERSION >= QPEER_MAKE_VERSION(0, 1, 0));

int main() {
  const auto identity = qpeer::make_identity();
  std::printf("a new peer: %s\n", identity.id.to_string().c_str());
  return identity.id == qpeer::PeerId{} ? 1 : 0;
}
