// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A third-party library, on the OpenSSL of the system: a database driver, say. It declares what it uses
// itself, for that OpenSSL's headers need not be installed. Prints the version that it got; 0 when it works.
#include <cstddef>
#include <cstdio>
#include <cstring>

extern "C" {
struct ssl_ctx_st;
struct ssl_st;
struct ssl_method_st;
struct ssl_session_st;
const char* OpenSSL_version(int what);
const ssl_method_st* TLS_method();
ssl_ctx_st* SSL_CTX_new(const ssl_method_st* method);
void SSL_CTX_free(ssl_ctx_st* context);
int SSL_CTX_set_cipher_list(ssl_ctx_st* context, const char* list);
ssl_st* SSL_new(ssl_ctx_st* context);
void SSL_free(ssl_st* ssl);
ssl_session_st* SSL_SESSION_new();
long SSL_SESSION_set_timeout(ssl_session_st* session, long seconds);
long SSL_SESSION_get_timeout(const ssl_session_st* session);
void SSL_SESSION_free(ssl_session_st* session);
unsigned char* SHA256(const unsigned char* data, std::size_t size, unsigned char* out);

int work_with_old_openssl(const char* wanted) {
  const char* const version = OpenSSL_version(0);
  std::printf("a third-party library runs with %s\n", version);
  ssl_ctx_st* const context = SSL_CTX_new(TLS_method());
  ssl_st* const ssl = SSL_new(context);
  ssl_session_st* const session = SSL_SESSION_new();
  SSL_SESSION_set_timeout(session, 7200);
  unsigned char digest[32]{};
  SHA256(nullptr, 0, digest);
  const bool good = ssl != nullptr && SSL_CTX_set_cipher_list(context, "HIGH") == 1 &&
                    SSL_SESSION_get_timeout(session) == 7200 && digest[0] == 0xe3 &&
                    std::strstr(version, wanted) != nullptr;
  SSL_SESSION_free(session);
  SSL_free(ssl);
  SSL_CTX_free(context);
  return good ? 0 : 1;
}
}
