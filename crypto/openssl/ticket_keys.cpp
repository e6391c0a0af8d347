// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Derives ticket keys and hands them to OpenSSL.
#include "qpeer/crypto/openssl/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>

#include "qpeer/crypto/openssl/handles.hpp"

namespace qpeer::crypto {

/// Those of one period; wiped when they go.
struct TicketKeys::Keys {
  std::array<u8, 16 + 32 + 32> octets{};
  Keys() = default;
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  ~Keys() { OPENSSL_cleanse(octets.data(), octets.size()); }

  [[nodiscard]] Bytes name() const { return Bytes(octets).first(kNameSize); }
  [[nodiscard]] const u8* cipher_key() const { return octets.data() + kNameSize; }
  [[nodiscard]] u8* mac_key() { return octets.data() + kNameSize + 32; }

  bool start_mac(evp_mac_ctx_st* mac) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key(), 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
  }
};

TicketKeys::TicketKeys(const std::optional<std::array<u8, 32>>& secret,
                       std::chrono::seconds lifetime)
    : lifetime_(std::max<std::int64_t>(1, lifetime.count())) {
  std::array<u8, 32> octets{};
  if (secret) {
    octets = *secret;
  } else {
    require(RAND_priv_bytes(octets.data(), static_cast<int>(octets.size())) == 1);
  }
  secret_ = Secret(octets);
  OPENSSL_cleanse(octets.data(), octets.size());
}

void TicketKeys::derive(std::int64_t period, Keys& out) const {
  std::array<u8, 96> stream{};  // Three outputs of HMAC-SHA256.
  for (u8 part = 0; part < 3; ++part) {
    std::array<u8, 32> label{};
    Writer text{label};
    text.bytes(as_bytes("qpeer ticket key"));
    text.u64(static_cast<std::uint64_t>(period));
    text.byte(part);
    std::size_t size = 0;
    const Bytes key = secret_.bytes();
    require(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(),
                      label.data(), text.size(), stream.data() + std::size_t{part} * 32, 32,
                      &size) != nullptr);
  }
  std::copy_n(stream.begin(), out.octets.size(), out.octets.begin());
  OPENSSL_cleanse(stream.data(), stream.size());
}

bool TicketKeys::seal(std::int64_t now, std::span<u8, kNameSize> name, std::span<u8, kIvSize> iv,
                      evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac) const {
  Keys keys;
  derive(now / lifetime_, keys);
  std::ranges::copy(keys.name(), name.begin());
  return RAND_bytes(iv.data(), static_cast<int>(iv.size())) == 1 &&
         EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, keys.cipher_key(), iv.data()) ==
             1 &&
         keys.start_mac(mac);
}

bool TicketKeys::open(std::int64_t now, std::span<const u8, kNameSize> name,
                      std::span<const u8, kIvSize> iv, evp_cipher_ctx_st* cipher,
                      evp_mac_ctx_st* mac) const {
  const std::int64_t present = now / lifetime_;
  for (const std::int64_t period : {present, present - 1, present + 1}) {
    Keys keys;
    derive(period, keys);
    if (!equal(keys.name(), name)) continue;
    return EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, keys.cipher_key(), iv.data()) ==
               1 &&
           keys.start_mac(mac);
  }
  return false;
}

}  // namespace qpeer::crypto
