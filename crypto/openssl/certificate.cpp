// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Reads certificates and keys; finds the system's authorities.
#include "qpeer/crypto/openssl/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::crypto {
namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioHandle = std::unique_ptr<BIO, BioFree>;

BioHandle reader_of(std::string_view pem) {
  return BioHandle{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
}

// An encrypted key is refused, not asked for: OpenSSL would read a password from the terminal.
int no_password(char*, int, int, void*) { return -1; }

Handle<X509> next_certificate(BIO* in) {
  return Handle<X509>{PEM_read_bio_X509(in, nullptr, no_password, nullptr)};
}

// Where Debian, Red Hat, SUSE, Alpine and the BSDs keep their bundle. A static OpenSSL knows only
// its own prefix.
constexpr std::array<const char*, 6> kSystemBundles{
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt"};

}  // namespace

Handle<EVP_PKEY> read_private_key(std::string_view pem) {
  const auto in = reader_of(pem);
  Handle<EVP_PKEY> key{PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr)};
  ERR_clear_error();
  return key;
}

Handle<X509> read_certificate(std::string_view pem) {
  const auto in = reader_of(pem);
  auto certificate = next_certificate(in.get());
  ERR_clear_error();
  return certificate;
}

std::vector<Handle<X509>> read_certificates(std::string_view pem) {
  const auto in = reader_of(pem);
  std::vector<Handle<X509>> out;
  while (auto certificate = next_certificate(in.get())) out.push_back(std::move(certificate));
  ERR_clear_error();
  return out;
}

std::vector<u8> spki_of(EVP_PKEY* key) {
  std::vector<u8> out(static_cast<std::size_t>(std::max(0, i2d_PUBKEY(key, nullptr))));
  u8* end = out.data();
  if (!out.empty()) require(i2d_PUBKEY(key, &end) > 0);
  return out;
}

PeerCertificate describe(X509* certificate) {
  PeerCertificate out;
  if (certificate == nullptr) return out;
  out.der.resize(static_cast<std::size_t>(std::max(0, i2d_X509(certificate, nullptr))));
  u8* end = out.der.data();
  if (!out.der.empty()) require(i2d_X509(certificate, &end) > 0);

  X509_PUBKEY* const key = X509_get_X509_PUBKEY(certificate);
  out.public_key_spki.resize(static_cast<std::size_t>(std::max(0, i2d_X509_PUBKEY(key, nullptr))));
  end = out.public_key_spki.data();
  if (!out.public_key_spki.empty()) require(i2d_X509_PUBKEY(key, &end) > 0);
  out.spki_sha256 = sha256(out.public_key_spki);
  return out;
}

std::string use_credentials(SSL_CTX* context, const Credentials& credentials) {
  const auto chain = read_certificates(credentials.certificate_pem);
  if (chain.empty()) return "the credentials have no readable certificate";
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return "the certificate is not usable for TLS (its key may be too weak)";
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return "a certificate of the chain is not usable for TLS";
    }
  }
  const auto key = read_private_key(credentials.private_key_pem);
  if (key == nullptr) return "the credentials have no readable, unencrypted private key";
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return "the private key is not that of the certificate";
  }
  ERR_clear_error();
  return {};
}

std::string trust_authorities(SSL_CTX* context, std::string_view pem) {
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  const auto authorities = read_certificates(pem);
  if (authorities.empty()) return "no certificate among the authorities";
  for (const auto& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1) return "an authority is not usable";
  }
  return {};
}

std::string trust_system(SSL_CTX* context) {
  const char* const chosen = std::getenv(X509_get_default_cert_file_env());
  if (chosen != nullptr && *chosen != '\0') {
    if (SSL_CTX_load_verify_file(context, chosen) == 1) return {};
    return "the authorities that SSL_CERT_FILE names cannot be read";
  }
  for (const char* const bundle : kSystemBundles) {
    std::error_code ignored;
    if (!std::filesystem::exists(bundle, ignored)) continue;
    if (SSL_CTX_load_verify_file(context, bundle) == 1) return {};
  }
  ERR_clear_error();
  return "the system has no bundle of authorities; give authorities_pem or set SSL_CERT_FILE";
}

bool is_ip_literal(const std::string& name) {
  if (name.find('\0') != std::string::npos) return false;  // OpenSSL would read what is before it.
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return address != nullptr;
}

}  // namespace qpeer::crypto
