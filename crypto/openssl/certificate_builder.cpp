// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/crypto/openssl/certificate_builder.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstddef>
#include <memory>

namespace qpeer::crypto {
namespace {

constexpr std::size_t kMaxCommonName = 64;  // RFC 5280, ub-common-name.

struct Asn1Release {
  void operator()(BIO* object) const { BIO_free(object); }
  void operator()(X509_EXTENSION* object) const { X509_EXTENSION_free(object); }
  void operator()(GENERAL_NAME* object) const { GENERAL_NAME_free(object); }
  void operator()(GENERAL_NAMES* object) const { GENERAL_NAMES_free(object); }
  void operator()(BIGNUM* object) const { BN_free(object); }
};
template <class T>
using Asn1Handle = std::unique_ptr<T, Asn1Release>;

void add_extension(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
  if (value.empty()) return;
  const Asn1Handle<X509_EXTENSION> extension{
      X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str())};
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

Asn1Handle<GENERAL_NAME> make_name(const AlternativeName& name) {
  Asn1Handle<GENERAL_NAME> entry{GENERAL_NAME_new()};
  require(entry != nullptr);
  if (name.is_address) {
    ASN1_OCTET_STRING* const address = a2i_IPADDRESS(name.text.c_str());
    require(address != nullptr);
    GENERAL_NAME_set0_value(entry.get(), GEN_IPADD, address);
  } else {
    ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
    require(text != nullptr &&
            ASN1_STRING_set(text, name.text.data(), static_cast<int>(name.text.size())) == 1);
    GENERAL_NAME_set0_value(entry.get(), GEN_DNS, text);
  }
  return entry;
}

// Not by a configuration text, in which a comma in a name would start another entry.
void add_alternative_names(X509* certificate, const std::vector<AlternativeName>& names) {
  if (names.empty()) return;
  const Asn1Handle<GENERAL_NAMES> list{GENERAL_NAMES_new()};
  require(list != nullptr);
  for (const AlternativeName& name : names) {
    auto entry = make_name(name);
    require(sk_GENERAL_NAME_push(list.get(), entry.get()) > 0);
    static_cast<void>(entry.release());
  }
  require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, 0) == 1);
}

void set_serial(X509* certificate) {
  std::array<u8, 16> octets{};
  system_random().fill_public(octets);
  octets[0] &= 0x7f;  // Positive.
  octets[0] |= 0x40;  // And of one size.
  const Asn1Handle<BIGNUM> number{
      BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr)};
  require(number != nullptr &&
          BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void set_common_name(X509* certificate, const std::string& name) {
  const std::string cut = name.substr(0, kMaxCommonName);
  if (cut.empty()) return;
  require(X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                     MBSTRING_ASC, reinterpret_cast<const u8*>(cut.data()),
                                     static_cast<int>(cut.size()), -1, 0) == 1);
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Handle<EVP_PKEY> generate_key(KeyType type) {
  Handle<EVP_PKEY> key{type == KeyType::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                : EVP_EC_gen("P-256")};
  require(key != nullptr);
  return key;
}

Handle<X509> build_certificate(const CertificateFields& fields, EVP_PKEY* key, X509* issuer,
                               EVP_PKEY* issuer_key) {
  Handle<X509> owned{X509_new()};
  X509* const certificate = owned.get();
  require(certificate != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1);
  set_serial(certificate);
  require(X509_gmtime_adj(X509_getm_notBefore(certificate), fields.starts_in_s) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(certificate), fields.ends_in_s) != nullptr);
  set_common_name(certificate, fields.common_name);

  X509* const signer = issuer == nullptr ? certificate : issuer;
  EVP_PKEY* const signing_key = issuer_key == nullptr ? key : issuer_key;
  require(X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1 &&
          X509_set_pubkey(certificate, key) == 1);
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, signer, certificate, nullptr, nullptr, 0);
  add_extension(certificate, &context, NID_basic_constraints, fields.basic_constraints);
  add_extension(certificate, &context, NID_key_usage, fields.key_usage);
  add_extension(certificate, &context, NID_ext_key_usage, fields.extended_key_usage);
  // RFC 5280 §4.2.1.1, §4.2.1.2: what ties a chain together. One that is alone needs neither.
  if (issuer != nullptr || fields.basic_constraints.find("CA:TRUE") != std::string::npos) {
    add_extension(certificate, &context, NID_subject_key_identifier, "hash");
  }
  if (issuer != nullptr) {
    add_extension(certificate, &context, NID_authority_key_identifier, "keyid");
  }
  add_alternative_names(certificate, fields.names);
  // With the hash that the key's kind prefers, if it does not bring its own.
  const bool is_signed = X509_sign(certificate, signing_key, nullptr) > 0;
  ERR_clear_error();
  if (!is_signed) return nullptr;
  return owned;
}

std::string to_pem(X509* certificate) {
  const Asn1Handle<BIO> out{BIO_new(BIO_s_mem())};
  require(out != nullptr && PEM_write_bio_X509(out.get(), certificate) == 1);
  return text_of(out.get());
}

std::string to_pem(EVP_PKEY* private_key) {
  const Asn1Handle<BIO> out{BIO_new(BIO_s_secmem())};  // Memory that is wiped when freed.
  require(out != nullptr && PEM_write_bio_PKCS8PrivateKey(out.get(), private_key, nullptr, nullptr,
                                                          0, nullptr, nullptr) == 1);
  return text_of(out.get());
}

}  // namespace qpeer::crypto
