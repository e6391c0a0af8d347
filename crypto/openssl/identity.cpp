// Makes keys and self-signed certificates; hashes; OpenSSL's generators.
#include "crypto/identity.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <climits>

#include "crypto/openssl/certificate.hpp"

namespace qpeer::crypto {
namespace {

constexpr long kDay = 24L * 60 * 60;
constexpr long kValidity = 3652 * kDay;
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

Handle<EVP_PKEY> generate_key(KeyType type) {
  Handle<EVP_PKEY> key{type == KeyType::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                : EVP_EC_gen("P-256")};
  require(key != nullptr);
  return key;
}

void add_extension(X509* certificate, int nid, const char* value) {
  const Asn1Handle<X509_EXTENSION> extension{X509V3_EXT_conf_nid(nullptr, nullptr, nid, value)};
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

// Not by a configuration text, in which a comma in `name` would start another entry.
void add_alternative_name(X509* certificate, const std::string& name) {
  Asn1Handle<GENERAL_NAME> entry{GENERAL_NAME_new()};
  require(entry != nullptr);
  if (ASN1_OCTET_STRING* const address = a2i_IPADDRESS(name.c_str()); address != nullptr) {
    GENERAL_NAME_set0_value(entry.get(), GEN_IPADD, address);
  } else {
    ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
    require(text != nullptr &&
            ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) == 1);
    GENERAL_NAME_set0_value(entry.get(), GEN_DNS, text);
  }
  const Asn1Handle<GENERAL_NAMES> names{GENERAL_NAMES_new()};
  require(names != nullptr && sk_GENERAL_NAME_push(names.get(), entry.get()) > 0);
  static_cast<void>(entry.release());
  require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1);
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

Handle<X509> self_sign(EVP_PKEY* key, KeyType type, const std::string& name) {
  Handle<X509> owned{X509_new()};
  X509* const certificate = owned.get();
  require(certificate != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1);
  set_serial(certificate);
  require(X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(certificate), kValidity) != nullptr);

  X509_NAME* const subject = X509_get_subject_name(certificate);
  const std::string common_name = name.substr(0, kMaxCommonName);
  if (!common_name.empty()) {
    require(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                       reinterpret_cast<const u8*>(common_name.data()),
                                       static_cast<int>(common_name.size()), -1, 0) == 1);
  }
  require(X509_set_issuer_name(certificate, subject) == 1 &&
          X509_set_pubkey(certificate, key) == 1);
  add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate, NID_ext_key_usage, "serverAuth,clientAuth");
  if (!name.empty()) add_alternative_name(certificate, name);
  require(X509_sign(certificate, key, type == KeyType::ed25519 ? nullptr : EVP_sha256()) > 0);
  return owned;
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

class SystemRandom final : public Random {
 public:
  void fill_public(MutableBytes out) override { fill(out, RAND_bytes); }
  void fill_private(MutableBytes out) override { fill(out, RAND_priv_bytes); }

 private:
  static void fill(MutableBytes out, int (*generator)(unsigned char*, int)) {
    require(out.size() <= INT_MAX);
    if (!out.empty()) require(generator(out.data(), static_cast<int>(out.size())) == 1);
  }
};

const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  require(algorithm != nullptr);
  return algorithm;
}

}  // namespace

Credentials generate_credentials(KeyType type, std::string_view name) {
  const auto key = generate_key(type);
  const auto certificate = self_sign(key.get(), type, std::string(name));
  const Asn1Handle<BIO> certificate_pem{BIO_new(BIO_s_mem())};
  // Memory that is wiped when freed.
  const Asn1Handle<BIO> key_pem{BIO_new(BIO_s_secmem())};
  require(certificate_pem != nullptr && key_pem != nullptr);
  require(PEM_write_bio_X509(certificate_pem.get(), certificate.get()) == 1);
  require(PEM_write_bio_PKCS8PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                        nullptr) == 1);
  ERR_clear_error();
  return {.certificate_pem = text_of(certificate_pem.get()),
          .private_key_pem = text_of(key_pem.get())};
}

std::expected<std::array<u8, 32>, std::string> spki_sha256(std::string_view private_key_pem) {
  const auto key = read_private_key(private_key_pem);
  if (key == nullptr) return std::unexpected("no readable, unencrypted private key in the text");
  return sha256(spki_of(key.get()));
}

std::expected<std::array<u8, 32>, std::string> check_credentials(const Credentials& credentials) {
  const auto leaf = read_certificate(credentials.certificate_pem);
  if (leaf == nullptr) return std::unexpected("there is no readable certificate");
  const auto key = read_private_key(credentials.private_key_pem);
  if (key == nullptr) return std::unexpected("there is no readable, unencrypted private key");
  const bool match = X509_check_private_key(leaf.get(), key.get()) == 1;
  ERR_clear_error();
  if (!match) return std::unexpected("the private key is not that of the certificate");
  return sha256(spki_of(key.get()));
}

std::array<u8, 32> sha256(Bytes data) {
  Sha256 hash;
  hash.update(data);
  return hash.finish();
}

struct Sha256::State {
  Handle<EVP_MD_CTX> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  require(state_->context != nullptr);
  require(EVP_DigestInit_ex2(state_->context.get(), sha256_algorithm(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(Bytes data) {
  require(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1);
}

std::array<u8, 32> Sha256::finish() {
  std::array<u8, 32> out{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(state_->context.get(), out.data(), &size) == 1);
  return out;
}

Random& system_random() {
  thread_local SystemRandom random;
  return random;
}

}  // namespace qpeer::crypto
