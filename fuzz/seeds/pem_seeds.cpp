// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Credentials of our own making, whole and as DER. They are new each time.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/authority.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {
namespace {

/// The bytes of the first block of a PEM text.
Input der_of(std::string_view pem) {
  std::string_view body = pem.substr(pem.find('\n') + 1);
  body = body.substr(0, body.find("-----END"));
  Input out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : body) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) continue;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffU;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<u8>(bits >> count));
  }
  return out;
}

Input input_of(u8 choice, u8 form, Bytes certificates, Bytes key) {
  return join({std::array{choice, form, static_cast<u8>(certificates.size() >> 8),
                          static_cast<u8>(certificates.size())},
               certificates, key});
}

}  // namespace

void add_seeds(Corpus& corpus) {
  using namespace qpeer::crypto;
  const std::vector<std::string> names{"peer.example", "*.example.net", "192.0.2.1"};
  const auto authority = make_authority("authority", 10, KeyType::p256);
  std::vector<Credentials> all{generate_credentials(KeyType::ed25519, "peer"),
                               generate_credentials(KeyType::p256, "192.0.2.1"), authority,
                               make_authority("authority", 10)};
  if (auto issued = issue_certificate(authority, names, KeyType::ed25519, 10)) {
    all.push_back(*std::move(issued));
  }
  for (const Credentials& each : all) {
    for (u8 choice = 0; choice < 4; ++choice) {
      corpus.add(
          input_of(choice, 0, as_bytes(each.certificate_pem), as_bytes(each.private_key_pem)));
      corpus.add(input_of(choice, 1, der_of(each.certificate_pem), der_of(each.private_key_pem)));
    }
  }
  for (const std::string& name : names) corpus.add(input_of(4, 0, as_bytes(name), {}));
  corpus.add(input_of(4, 0, as_bytes("2001:db8::1"), {}));
}

}  // namespace qpeer::fuzz
