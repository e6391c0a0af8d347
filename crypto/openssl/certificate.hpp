// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Certificates, keys and stores of trusted authorities, between PEM or DER and OpenSSL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/openssl/handles.hpp"
#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::crypto {

/// Nullptr when the text has no unencrypted private key.
Handle<evp_pkey_st> read_private_key(std::string_view pem);

/// The first certificate of the text; nullptr when it has none.
Handle<x509_st> read_certificate(std::string_view pem);

/// All certificates of the text, in its order.
std::vector<Handle<x509_st>> read_certificates(std::string_view pem);

/// What OpenSSL made of a certificate, for those above.
PeerCertificate describe(x509_st* certificate);

/// The SubjectPublicKeyInfo of a key, DER.
std::vector<u8> spki_of(evp_pkey_st* key);

/// The loaders say what is wrong, or nothing ("") when all is well.
std::string use_credentials(ssl_ctx_st* context, const Credentials& credentials);
std::string trust_authorities(ssl_ctx_st* context, std::string_view pem);
std::string trust_system(ssl_ctx_st* context);

/// Whether `name` is an IP address, in dotted or colon form.
bool is_ip_literal(const std::string& name);

}  // namespace qpeer::crypto
