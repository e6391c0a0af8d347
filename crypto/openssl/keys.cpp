// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From secrets to keys, for both versions of QUIC. RFC 9001 §5.1, §5.2, §5.8, §6.1; RFC 9369 §3.3.
#include "qpeer/crypto/keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>

#include "qpeer/crypto/openssl/aead.hpp"
#include "qpeer/crypto/openssl/hkdf.hpp"

namespace qpeer::crypto {
namespace {

// All that RFC 9369 §3.3 changes. A new version brings new values of each, so that keys of one
// version are never those of another: [rfc9001-5.2-1] [rfc9001-9.6-1] [rfc9001-9.6-2].
struct VersionConstants {
  std::array<u8, 20> initial_salt;
  std::string_view key_label;
  std::string_view iv_label;
  std::string_view header_protection_label;
  std::string_view update_label;
  std::array<u8, 16> retry_key;
  std::array<u8, kIvSize> retry_nonce;
};

constexpr VersionConstants kVersion1{
    .initial_salt = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
    .key_label = "quic key",
    .iv_label = "quic iv",
    .header_protection_label = "quic hp",
    .update_label = "quic ku",
    .retry_key = {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3,
                  0x68, 0xc8, 0x4e},
    .retry_nonce = {0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb}};

constexpr VersionConstants kVersion2{
    .initial_salt = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                     0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
    .key_label = "quicv2 key",
    .iv_label = "quicv2 iv",
    .header_protection_label = "quicv2 hp",
    .update_label = "quicv2 ku",
    .retry_key = {0x8f, 0xb4, 0xb0, 0x1b, 0x56, 0xac, 0x48, 0xe2, 0x60, 0xfb, 0xcb, 0xce, 0xad,
                  0x7c, 0xcc, 0x92},
    .retry_nonce = {0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0, 0x4a}};

const VersionConstants& constants_of(Version version) {
  return version == Version::v2 ? kVersion2 : kVersion1;
}

// A derived key of at most kMaxKeySize bytes, wiped when it goes.
class Derived {
 public:
  Derived(CipherSuite suite, const Secret& secret, std::string_view label, std::size_t size)
      : size_(size) {
    hkdf_expand_label(hash_of(suite), secret.bytes(), label, MutableBytes(octets_).first(size));
  }
  Derived(const Derived&) = delete;
  Derived& operator=(const Derived&) = delete;
  ~Derived() { OPENSSL_cleanse(octets_.data(), octets_.size()); }
  Bytes bytes() const { return Bytes(octets_).first(size_); }

 private:
  std::array<u8, kMaxKeySize> octets_{};
  std::size_t size_;
};

Secret expand_to_secret(Hash hash, const Secret& secret, std::string_view label) {
  std::array<u8, Secret::kMaxSize> octets{};
  const MutableBytes out = MutableBytes(octets).first(hash_size(hash));
  hkdf_expand_label(hash, secret.bytes(), label, out);
  Secret result{out};
  OPENSSL_cleanse(octets.data(), octets.size());
  return result;
}

class OpensslKeys final : public KeyFactory {
 public:
  // RFC 9001 §5.2 [rfc9001-5.2-2]: TLS 1.3's HKDF with SHA-256, whatever TLS will negotiate.
  InitialSecrets initial_secrets(Version version, Bytes destination_connection_id) override {
    const Secret initial =
        hkdf_extract(Hash::sha256, constants_of(version).initial_salt, destination_connection_id);
    return {.client = expand_to_secret(Hash::sha256, initial, "client in"),
            .server = expand_to_secret(Hash::sha256, initial, "server in")};
  }

  PacketKeys packet_keys(Version version, CipherSuite suite, const Secret& secret) override {
    const Derived key{suite, secret, constants_of(version).header_protection_label,
                      algorithms_of(suite).key_size};
    return {.aead = next_aead(version, suite, secret),
            .header_protection = make_header_protection(suite, key.bytes())};
  }

  Secret next_secret(Version version, CipherSuite suite, const Secret& secret) override {
    return expand_to_secret(hash_of(suite), secret, constants_of(version).update_label);
  }

  std::unique_ptr<Aead> next_aead(Version version, CipherSuite suite,
                                  const Secret& secret) override {
    const VersionConstants& constants = constants_of(version);
    const Derived key{suite, secret, constants.key_label, algorithms_of(suite).key_size};
    const Derived iv{suite, secret, constants.iv_label, kIvSize};
    return make_aead(suite, key.bytes(), iv.bytes());
  }

  // The pseudo-packet of RFC 9001 §5.8 goes in as it is, in three pieces; nothing is encrypted.
  std::array<u8, kTagSize> retry_integrity_tag(Version version, Bytes original_destination_id,
                                               Bytes retry_without_tag) override {
    const VersionConstants& constants = constants_of(version);
    const Handle<EVP_CIPHER_CTX> context{EVP_CIPHER_CTX_new()};
    require(context != nullptr);
    require(EVP_EncryptInit_ex2(
                context.get(), algorithms_of(CipherSuite::aes_128_gcm_sha256).aead.get(),
                constants.retry_key.data(), constants.retry_nonce.data(), nullptr) == 1);
    const std::array<u8, 1> id_size{static_cast<u8>(original_destination_id.size())};
    int size = 0;
    for (const Bytes part : {Bytes(id_size), original_destination_id, retry_without_tag}) {
      if (part.empty()) continue;
      require(EVP_EncryptUpdate(context.get(), nullptr, &size, part.data(),
                                static_cast<int>(part.size())) == 1);
    }
    std::array<u8, kTagSize> tag{};
    require(EVP_EncryptFinal_ex(context.get(), tag.data(), &size) == 1);
    std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag.data(), tag.size()),
        OSSL_PARAM_construct_end()};
    require(EVP_CIPHER_CTX_get_params(context.get(), parameters.data()) == 1);
    return tag;
  }
};

}  // namespace

Secret::Secret(Bytes bytes) : size_(std::min(bytes.size(), kMaxSize)) {
  copy(bytes.first(size_), octets_);
}

Secret::~Secret() { OPENSSL_cleanse(octets_.data(), octets_.size()); }

KeyFactory& openssl_keys() {
  static OpensslKeys keys;
  return keys;
}

}  // namespace qpeer::crypto
