// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet protection by EVP. The context keeps the key; a packet brings only its nonce.
//
//   nonce = IV xor (4 bytes of zero, packet number in 8 bytes)           RFC 9001 §5.3
#include "qpeer/crypto/openssl/aead.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace qpeer::crypto {
namespace {

int int_size(Bytes bytes) { return static_cast<int>(bytes.size()); }

class EvpAead final : public Aead {
 public:
  EvpAead(const SuiteAlgorithms& algorithms, Bytes key, Bytes iv)
      : algorithms_(algorithms), context_(EVP_CIPHER_CTX_new()) {
    require(context_ != nullptr && key.size() == algorithms.key_size && iv.size() == kIvSize);
    copy(iv, iv_);
    require(EVP_EncryptInit_ex2(context_.get(), algorithms.aead.get(), key.data(), iv.data(),
                                nullptr) == 1);
  }
  ~EvpAead() override { OPENSSL_cleanse(iv_.data(), iv_.size()); }

  void seal(std::uint64_t packet_number, Bytes header, MutableBytes payload_and_tag) override {
    require(payload_and_tag.size() >= kTagSize);
    const MutableBytes payload = payload_and_tag.first(payload_and_tag.size() - kTagSize);
    EVP_CIPHER_CTX* const context = context_.get();
    const auto nonce = nonce_of(packet_number);
    int size = 0;
    // An empty part is left out: its null pointer would mean something else to EVP.
    bool good = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1;
    if (!header.empty()) {
      good &= EVP_EncryptUpdate(context, nullptr, &size, header.data(), int_size(header)) == 1;
    }
    if (!payload.empty()) {
      good &=
          EVP_EncryptUpdate(context, payload.data(), &size, payload.data(), int_size(payload)) == 1;
    }
    good &= EVP_EncryptFinal_ex(context, payload_and_tag.data(), &size) == 1;
    std::array<OSSL_PARAM, 2> parameters = tag_parameter(payload_and_tag.last(kTagSize));
    good &= EVP_CIPHER_CTX_get_params(context, parameters.data()) == 1;
    require(good);
  }

  bool open(std::uint64_t packet_number, Bytes header, MutableBytes payload_and_tag) override {
    if (payload_and_tag.size() < kTagSize) return false;
    const MutableBytes payload = payload_and_tag.first(payload_and_tag.size() - kTagSize);
    EVP_CIPHER_CTX* const context = context_.get();
    const auto nonce = nonce_of(packet_number);
    int size = 0;
    bool good = EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1;
    const std::array<OSSL_PARAM, 2> parameters = tag_parameter(payload_and_tag.last(kTagSize));
    good &= EVP_CIPHER_CTX_set_params(context, parameters.data()) == 1;
    if (!header.empty()) {
      good &= EVP_DecryptUpdate(context, nullptr, &size, header.data(), int_size(header)) == 1;
    }
    if (!payload.empty()) {
      good &=
          EVP_DecryptUpdate(context, payload.data(), &size, payload.data(), int_size(payload)) == 1;
    }
    require(good);
    return EVP_DecryptFinal_ex(context, payload_and_tag.data(), &size) == 1;
  }

  std::uint64_t confidentiality_limit() const override { return algorithms_.confidentiality_limit; }
  std::uint64_t integrity_limit() const override { return algorithms_.integrity_limit; }

 private:
  static std::array<OSSL_PARAM, 2> tag_parameter(MutableBytes tag) {
    return {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag.data(), tag.size()),
            OSSL_PARAM_construct_end()};
  }

  std::array<u8, kIvSize> nonce_of(std::uint64_t packet_number) const {
    std::array<u8, kIvSize> nonce = iv_;
    for (std::size_t i = 0; i < 8; ++i) {
      nonce[kIvSize - 1 - i] ^= static_cast<u8>(packet_number >> (8 * i));
    }
    return nonce;
  }

  const SuiteAlgorithms& algorithms_;
  Handle<EVP_CIPHER_CTX> context_;
  std::array<u8, kIvSize> iv_{};
};

}  // namespace

std::unique_ptr<Aead> make_aead(CipherSuite suite, Bytes key, Bytes iv) {
  return std::make_unique<EvpAead>(algorithms_of(suite), key, iv);
}

}  // namespace qpeer::crypto
