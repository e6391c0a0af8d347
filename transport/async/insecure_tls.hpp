// SPDX-License-Identifier: MIT OR BSD-3-Clause
// TLS contexts without authentication, for a first try, tests and benchmarks: each makes a fresh key, and
// trusts any peer.
#pragma once

#include <memory>
#include <string>

#include "qpeer/crypto/tls_session.hpp"

namespace qpeer::async {

/// The context of a server: a new P-256 key with a self-signed certificate; clients need not show one.
/// `alpn` is the one protocol that it speaks. May be called, and the context used, in any thread.
std::shared_ptr<crypto::TlsContext> server_tls(std::string alpn);

/// The context of a client: it shows no certificate, and accepts any server. Threads as above.
std::shared_ptr<crypto::TlsContext> client_tls(std::string alpn);

}  // namespace qpeer::async
