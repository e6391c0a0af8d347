#include "test_authority.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace qpeer::crypto {
namespace {

struct Free {
  void operator()(BIO* object) const { BIO_free(object); }
  void operator()(X509* object) const { X509_free(object); }
  void operator()(EVP_PKEY* object) const { EVP_PKEY_free(object); }
  void operator()(X509_EXTENSION* object) const { X509_EXTENSION_free(object); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

void check(bool good) {
  if (!good) throw std::runtime_error("the test authority failed");
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

Owned<BIO> reader_of(const std::string& text) {
  return Owned<BIO>{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

Credentials to_pem(X509* certificate, EVP_PKEY* key) {
  const Owned<BIO> first{BIO_new(BIO_s_mem())};
  const Owned<BIO> second{BIO_new(BIO_s_mem())};
  check(PEM_write_bio_X509(first.get(), certificate) == 1);
  check(PEM_write_bio_PrivateKey(second.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {text_of(first.get()), text_of(second.get())};
}

void extend(X509* certificate, int nid, const std::string& value) {
  const Owned<X509_EXTENSION> made{X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str())};
  check(made != nullptr && X509_add_ext(certificate, made.get(), -1) == 1);
}

Owned<X509> blank(const std::string& name, EVP_PKEY* key, long from_days, long to_days) {
  static long serial = 0;
  constexpr long kDay = 86'400;
  Owned<X509> out{X509_new()};
  check(X509_set_version(out.get(), X509_VERSION_3) == 1);
  check(ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial) == 1);
  check(X509_gmtime_adj(X509_getm_notBefore(out.get()), from_days * kDay) != nullptr);
  check(X509_gmtime_adj(X509_getm_notAfter(out.get()), to_days * kDay) != nullptr);
  check(X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                   0) == 1);
  check(X509_set_pubkey(out.get(), key) == 1);
  return out;
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name) {
  const Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  const auto certificate = blank(name, key.get(), -1, 10);
  check(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) == 1);
  extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  extend(certificate.get(), NID_key_usage, "critical,keyCertSign");
  check(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  own_ = to_pem(certificate.get(), key.get());
}

Credentials TestAuthority::issue(const CertificateRequest& request) const {
  const auto certificate_in = reader_of(own_.certificate_pem);
  const auto key_in = reader_of(own_.private_key_pem);
  const Owned<X509> issuer{PEM_read_bio_X509(certificate_in.get(), nullptr, nullptr, nullptr)};
  const Owned<EVP_PKEY> issuer_key{
      PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr)};
  const Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  const auto certificate =
      blank("subject", key.get(), request.starts_in_days, request.ends_in_days);
  check(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get())) == 1);
  extend(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  extend(certificate.get(), NID_ext_key_usage, request.usage);
  extend(certificate.get(), NID_subject_alt_name,
         (request.name_is_address ? "IP:" : "DNS:") + request.name);
  check(X509_sign(certificate.get(), issuer_key.get(), EVP_sha256()) > 0);
  return to_pem(certificate.get(), key.get());
}

}  // namespace qpeer::crypto
