// SPDX-License-Identifier: MIT OR BSD-3-Clause
// TLS contexts for a first try, tests and benchmarks: a fresh key, and trust in any.
#pragma once

#include <memory>
#include <string>

#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::async {

/// A server's: a new self-signed P-256 key, clients need not show one. `alpn` is the one protocol that it
/// speaks. Any thread; the context may serve several.
std::shared_ptr<crypto::TlsContext> server_tls(std::string alpn);

/// A client's: shows no certificate, and encrypts to whoever answers. Any thread, as above.
std::shared_ptr<crypto::TlsContext> client_tls(std::string alpn);

}  // namespace qpeer::async
