// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Owning handles for what OpenSSL makes, without its headers, and what to do when it fails.
#pragma once

#include <memory>

struct evp_cipher_st;
struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;
struct evp_md_ctx_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct x509_st;
struct x509_store_ctx_st;

namespace qpeer::crypto {

/// Gives each kind of object back to OpenSSL.
struct Release {
  void operator()(evp_cipher_st* object) const;
  void operator()(evp_cipher_ctx_st* object) const;
  void operator()(evp_mac_ctx_st* object) const;
  void operator()(evp_md_ctx_st* object) const;
  void operator()(evp_pkey_st* object) const;
  void operator()(ssl_ctx_st* object) const;
  void operator()(ssl_session_st* object) const;
  void operator()(ssl_st* object) const;
  void operator()(x509_st* object) const;
};

template <class T>
using Handle = std::unique_ptr<T, Release>;

/// Ends the process when a call that can only fail for want of memory or of a working library did:
/// going on would send plaintext, or keys that anyone can guess.
void require(bool succeeded);

}  // namespace qpeer::crypto
