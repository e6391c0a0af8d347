// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Makes keys and self-signed certificates; hashes; OpenSSL's generators.
#include "qpeer/crypto/identity.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <climits>

#include "qpeer/crypto/openssl/certificate.hpp"
#include "qpeer/crypto/openssl/certificate_builder.hpp"

namespace qpeer::crypto {
namespace {

constexpr long kValidity = 3652 * kSecondsPerDay;

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
  CertificateFields fields;
  fields.common_name = name;
  fields.ends_in_s = kValidity;
  if (!name.empty()) {
    fields.names.push_back({std::string(name), is_ip_literal(std::string(name))});
  }
  const auto key = generate_key(type);
  const auto certificate = build_certificate(fields, key.get(), nullptr, nullptr);
  return {.certificate_pem = to_pem(certificate.get()), .private_key_pem = to_pem(key.get())};
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
