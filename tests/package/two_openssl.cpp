// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A host program with two OpenSSLs: qpeer's, and the system's by way of a shared library. Each serves its own
// user, whichever comes first.
#include <qpeer/transport.hpp>

#include <cstdio>
using namespace qpeer;

extern "C" int work_with_old_openssl(const char* wanted);

Task<int> hello(AsyncEndpoint& server, AsyncEndpoint& client) {
  const ConnectOptions options{.tls = client_tls("hello/1")};
  auto dialled = co_await client.connect(server.local_address(), options);
  if (!dialled) co_return std::printf("%s\n", to_string(dialled.error()).c_str());
  std::puts("qpeer: connected");
  co_return 0;
}

int main(int argc, char** argv) {
  const char* const wanted = argc > 1 ? argv[1] : "OpenSSL";
  const bool before = argc > 2;
  if (before && work_with_old_openssl(wanted) != 0) return 1;
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("hello/1")}});
  auto client = AsyncEndpoint::open(loop);
  if (run(loop, hello(*server, *client)) != 0) return 1;
  return before ? 0 : work_with_old_openssl(wanted);
}
