// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A certificate authority for tests: certificates that are good, and ones that are not.
#pragma once

#include <string>

#include "qpeer/crypto/authority.hpp"
#include "qpeer/crypto/openssl/certificate.hpp"
#include "qpeer/crypto/openssl/certificate_builder.hpp"

namespace qpeer::crypto {

struct CertificateRequest {
  std::string name = "server.test";
  bool name_is_address = false;
  long starts_in_days = -1;
  long ends_in_days = 10;
  std::string usage = "serverAuth,clientAuth";
};

/// Owns a P-256 key and a self-signed CA certificate. What it issues is not checked for sense.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "qpeer test authority")
      : own_(make_authority(name, 10, KeyType::p256)) {}

  [[nodiscard]] const std::string& certificate_pem() const { return own_.certificate_pem; }
  [[nodiscard]] const Credentials& credentials() const { return own_; }

  [[nodiscard]] Credentials issue(const CertificateRequest& request) const {
    CertificateFields fields;
    fields.common_name = "subject";
    fields.names = {{request.name, request.name_is_address}};
    fields.starts_in_s = request.starts_in_days * kSecondsPerDay;
    fields.ends_in_s = request.ends_in_days * kSecondsPerDay;
    fields.extended_key_usage = request.usage;
    const auto key = generate_key(KeyType::p256);
    const auto issuer = read_certificate(own_.certificate_pem);
    const auto issuer_key = read_private_key(own_.private_key_pem);
    const auto made = build_certificate(fields, key.get(), issuer.get(), issuer_key.get());
    return {.certificate_pem = to_pem(made.get()), .private_key_pem = to_pem(key.get())};
  }

 private:
  Credentials own_;
};

}  // namespace qpeer::crypto
