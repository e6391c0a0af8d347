// SPDX-License-Identifier: MIT OR BSD-3-Clause
// HMAC by OpenSSL. HKDF-Expand up to one hash in size is a single HMAC, so it needs no KDF object.
#include "qpeer/crypto/openssl/hkdf.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <string>

namespace qpeer::crypto {
namespace {

// A context that knows its hash but no key: duplicating it is far cheaper than setting up another.
EVP_MAC_CTX* make_template(const char* digest) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  require(mac != nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  require(context != nullptr);
  std::string name = digest;
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
      OSSL_PARAM_construct_end()};
  require(EVP_MAC_CTX_set_params(context, parameters.data()) == 1);
  return context;
}

Handle<EVP_MAC_CTX> hmac_context(Hash hash) {
  static const EVP_MAC_CTX* const sha256 = make_template("SHA2-256");
  static const EVP_MAC_CTX* const sha384 = make_template("SHA2-384");
  Handle<EVP_MAC_CTX> context{EVP_MAC_CTX_dup(hash == Hash::sha256 ? sha256 : sha384)};
  require(context != nullptr);
  return context;
}

}  // namespace

Secret hmac(Hash hash, Bytes key, std::initializer_list<Bytes> parts) {
  const auto context = hmac_context(hash);
  static constexpr u8 kNoKey = 0;  // A null key would mean "the one from before".
  require(EVP_MAC_init(context.get(), key.empty() ? &kNoKey : key.data(), key.size(), nullptr) ==
          1);
  for (const Bytes part : parts) {
    if (!part.empty()) require(EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
  }
  std::array<u8, Secret::kMaxSize> out{};
  std::size_t size = 0;
  require(EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1);
  Secret result{Bytes(out).first(size)};
  OPENSSL_cleanse(out.data(), out.size());
  return result;
}

void hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, MutableBytes out) {
  constexpr std::string_view kPrefix = "tls13 ";
  std::array<u8, 64> storage{};
  Writer info{storage};
  info.u16(static_cast<std::uint16_t>(out.size()));
  info.byte(static_cast<u8>(kPrefix.size() + label.size()));
  info.bytes(as_bytes(kPrefix));
  info.bytes(as_bytes(label));
  info.byte(0);  // No context.
  info.byte(1);  // HKDF-Expand's counter: the first block is all we take.
  require(info.ok() && out.size() <= hash_size(hash));
  copy(hmac(hash, secret, {info.written()}).bytes().first(out.size()), out);
}

}  // namespace qpeer::crypto
