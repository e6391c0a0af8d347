// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A host program whose folders have the names of ours. Its headers are its own, whatever the order of the
// include path, and so are ours.
#include <qpeer/qpeer.hpp>

#include <cstdio>

#include "cache/bootstrap_cache.hpp"
#include "crypto/aead.hpp"
#include "crypto/keys.hpp"
#include "p2p/node.hpp"
#include "tests/sim/network.hpp"
#include "transport/base/bytes.hpp"

static_assert(host_aead + host_keys + host_cache + host_p2p + host_tests + host_bytes == 6);

int main() {
  const auto identity = qpeer::make_identity();
  return identity.id == qpeer::PeerId{} || std::puts("both have their own") < 0 ? 1 : 0;
}
