// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The C functions that OpenSSL calls. Each finds its OpensslSession and hands over.
#pragma once

struct ssl_st;
struct ssl_ctx_st;

namespace qpeer::crypto {

class OpensslSession;

/// For all sessions of a context: certificate verification, ALPN, SNI, ClientHello, key log.
void install_context_callbacks(ssl_ctx_st* context, bool key_log);

/// Ties an SSL, whose side is set, to its session, which must outlive it. False when OpenSSL fails.
[[nodiscard]] bool install_session_callbacks(ssl_st* ssl, OpensslSession& session);

}  // namespace qpeer::crypto
