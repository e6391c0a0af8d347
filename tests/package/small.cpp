// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The smallest user of qpeer: one header, one call that reaches the cipher library behind it.
#include <qpeer/transport.hpp>

#include <cstdio>

#include <qpeer/crypto/identity.hpp>

int main() {
  const auto digest = qpeer::crypto::sha256({});
  std::printf("sha256 of nothing begins with %02x\n", digest[0]);
  return digest[0] == 0xe3 ? 0 : 1;
}
