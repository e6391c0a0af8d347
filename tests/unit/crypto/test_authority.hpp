// A certificate authority for tests: certificates that are good, and ones that are not.
#pragma once

#include <string>

#include "crypto/tls_session.hpp"

namespace qpeer::crypto {

struct CertificateRequest {
  std::string name = "server.test";  ///< For subjectAltName: "DNS:" is put before it ...
  bool name_is_address = false;      ///< ... or "IP:".
  long starts_in_days = -1;
  long ends_in_days = 10;
  std::string usage = "serverAuth,clientAuth";
};

/// Owns a P-256 key and a self-signed CA certificate.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "qpeer test authority");
  [[nodiscard]] const std::string& certificate_pem() const { return own_.certificate_pem; }
  [[nodiscard]] Credentials issue(const CertificateRequest& request) const;

 private:
  Credentials own_;
};

}  // namespace qpeer::crypto
