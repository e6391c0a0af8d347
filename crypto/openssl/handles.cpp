// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How each handle is released.
#include "qpeer/crypto/openssl/handles.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdlib>

namespace qpeer::crypto {

void Release::operator()(evp_cipher_st* object) const { EVP_CIPHER_free(object); }
void Release::operator()(evp_cipher_ctx_st* object) const { EVP_CIPHER_CTX_free(object); }
void Release::operator()(evp_mac_ctx_st* object) const { EVP_MAC_CTX_free(object); }
void Release::operator()(evp_md_ctx_st* object) const { EVP_MD_CTX_free(object); }
void Release::operator()(evp_pkey_st* object) const { EVP_PKEY_free(object); }
void Release::operator()(ssl_ctx_st* object) const { SSL_CTX_free(object); }
void Release::operator()(ssl_session_st* object) const { SSL_SESSION_free(object); }
void Release::operator()(ssl_st* object) const { SSL_free(object); }
void Release::operator()(x509_st* object) const { X509_free(object); }

void require(bool succeeded) {
  if (!succeeded) std::abort();
}

}  // namespace qpeer::crypto
