// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Header protection masks. RFC 9001 §5.4.3 (AES), §5.4.4 (ChaCha20).
#include <openssl/evp.h>

#include <algorithm>

#include "qpeer/crypto/openssl/aead.hpp"

namespace qpeer::crypto {
namespace {

constexpr std::size_t kMaskSize = std::tuple_size_v<HeaderProtection::Mask>;

// AES in ECB mode over a row of samples: one call, whose pipeline hides the latency of AES.
class AesHeaderProtection final : public HeaderProtection {
 public:
  AesHeaderProtection(const SuiteAlgorithms& algorithms, Bytes key)
      : context_(EVP_CIPHER_CTX_new()) {
    require(context_ != nullptr && key.size() == algorithms.key_size);
    require(EVP_EncryptInit_ex2(context_.get(), algorithms.header_protection.get(), key.data(),
                                nullptr, nullptr) == 1);
    require(EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1);
  }

  void masks(std::span<const Sample> samples, std::span<Mask> masks) override {
    std::array<Sample, kBatch> blocks;
    while (!samples.empty()) {
      const std::size_t count = std::min(samples.size(), kBatch);
      int size = 0;
      require(EVP_EncryptUpdate(context_.get(), blocks[0].data(), &size, samples[0].data(),
                                static_cast<int>(count * kSampleSize)) == 1);
      for (std::size_t i = 0; i < count; ++i) {
        copy(Bytes(blocks[i]).first(kMaskSize), masks[i]);
      }
      samples = samples.subspan(count);
      masks = masks.subspan(count);
    }
  }

 private:
  static constexpr std::size_t kBatch = 64;  // A whole train.
  Handle<EVP_CIPHER_CTX> context_;
};

// The sample is ChaCha20's block counter (4 bytes, little endian) and nonce: just the 16 bytes that
// EVP takes as its IV. The mask is the start of the key stream.
class ChaChaHeaderProtection final : public HeaderProtection {
 public:
  ChaChaHeaderProtection(const SuiteAlgorithms& algorithms, Bytes key)
      : context_(EVP_CIPHER_CTX_new()) {
    require(context_ != nullptr && key.size() == algorithms.key_size);
    require(EVP_EncryptInit_ex2(context_.get(), algorithms.header_protection.get(), key.data(),
                                nullptr, nullptr) == 1);
  }

  void masks(std::span<const Sample> samples, std::span<Mask> masks) override {
    constexpr Mask kZeros{};
    for (std::size_t i = 0; i < samples.size(); ++i) {
      int size = 0;
      require(EVP_EncryptInit_ex2(context_.get(), nullptr, nullptr, samples[i].data(), nullptr) ==
              1);
      require(EVP_EncryptUpdate(context_.get(), masks[i].data(), &size, kZeros.data(), kMaskSize) ==
              1);
    }
  }

 private:
  Handle<EVP_CIPHER_CTX> context_;
};

}  // namespace

std::unique_ptr<HeaderProtection> make_header_protection(CipherSuite suite, Bytes key) {
  const SuiteAlgorithms& algorithms = algorithms_of(suite);
  if (algorithms.header_protection_is_aes) {
    return std::make_unique<AesHeaderProtection>(algorithms, key);
  }
  return std::make_unique<ChaChaHeaderProtection>(algorithms, key);
}

}  // namespace qpeer::crypto
