// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Makes keys, and certificates with any contents: the caller decides what is sensible.
// Failures that only a lack of memory or a broken library explains end the process.
#pragma once

#include <string>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/openssl/handles.hpp"
#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::crypto {

struct AlternativeName {
  std::string text;
  bool is_address = false;  ///< An IP address, which `text` must be; else a DNS name.
};

inline constexpr long kSecondsPerDay = 24L * 60 * 60;

/// The contents of a certificate. Extensions in the words of OpenSSL's configuration; an empty one
/// is left out.
struct CertificateFields {
  std::string common_name{};  ///< Cut to the 64 characters that a name may have.
  std::vector<AlternativeName> names{};
  long starts_in_s = -kSecondsPerDay;  ///< From now.
  long ends_in_s = 0;
  std::string basic_constraints = "critical,CA:FALSE";
  std::string key_usage = "critical,digitalSignature";
  std::string extended_key_usage = "serverAuth,clientAuth";
};

Handle<evp_pkey_st> generate_key(KeyType type);

/// A certificate for the public half of `key`, signed with `issuer_key` in the name of `issuer`;
/// signed with itself when both are nullptr. `issuer_key` must be the issuer's; nullptr when it is
/// of a kind that cannot sign.
Handle<x509_st> build_certificate(const CertificateFields& fields, evp_pkey_st* key,
                                  x509_st* issuer, evp_pkey_st* issuer_key);

std::string to_pem(x509_st* certificate);
/// PKCS #8, not encrypted.
std::string to_pem(evp_pkey_st* private_key);

}  // namespace qpeer::crypto
