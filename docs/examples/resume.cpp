// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client that keeps a server's ticket and token in files, and sends its next request in the first
// packets. In between the server is started again: then early data is refused, and sent again.
#include <qpeer/transport.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
using namespace qpeer;

std::vector<u8> take(const std::string& path) {  // Each serves one connection.
  const auto text = read_file_if_there(path, 16 << 10);
  (void)std::remove(path.c_str());
  if (!text || !*text) return {};
  return {(*text)->begin(), (*text)->end()};
}

Task<bool> visit(AsyncEndpoint& client, SocketAddress server, std::string folder) {
  const ConnectOptions options{.tls = client_tls("clock/1"),
                               .session_ticket = take(folder + "/ticket"),
                               .early_data = EarlyDataPolicy::resend,
                               .address_token = take(folder + "/token")};
  auto connection = client.connect_early(server, options);
  if (!connection) co_return false;
  auto stream = co_await connection->open_early_stream();  // Waits only without a ticket.
  if (!stream) co_return false;
  (void)co_await stream->write(as_bytes("time?"));
  (void)stream->finish();
  const auto answer = co_await stream->read_all(100);
  const auto ticket = co_await connection->session_ticket();
  if (!answer || !ticket) co_return false;
  (void)replace_file(folder + "/ticket", *ticket);  // Secrets: for their owner alone.
  (void)replace_file(folder + "/token", connection->address_token());
  std::printf("%s, %s\n", connection->info().resumed ? "resumed" : "full handshake",
              connection->early_data_accepted().value_or(false) ? "asked early" : "asked later");
  co_return connection->early_data_accepted().value_or(false);
}

Task<void> tell_the_time(AsyncEndpoint& server) {
  while (auto connection = co_await server.accept()) {
    auto stream = co_await connection->accept_stream();
    if (!stream) continue;
    const auto question = co_await stream->read_all(100);
    // A replay of this request does no harm. A server of requests that must not be replayed waits:
    if (connection->is_early(*stream) && question && as_text(*question) != "time?")
      (void)co_await connection->established();
    (void)co_await stream->write(as_bytes("late"));
    (void)stream->finish();
    (void)co_await connection->closed();
  }
}

bool visit_server(std::string folder, int times) {
  EventLoop loop;
  // The keys that must outlive a restart, from one secret, which a real server keeps in a file.
  const auto key = [](std::string_view use) {
    return crypto::derive_static_key(as_bytes("x"), use);
  };
  const auto tls = crypto::make_tls_context(
      {.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "clock"),
       .alpn = {"clock/1"},
       .mutual = false,
       .tickets = {.key = key("tickets"), .early_data = true}});
  auto server = AsyncEndpoint::open(
      loop,
      {.bind = SocketAddress::loopback4(0),
       .endpoint = {.server_tls = *tls, .retry = RetryPolicy::always, .token_key = key("tokens")}});
  TaskGroup tasks;
  tasks.spawn(tell_the_time(*server));
  bool early = false;
  for (; times > 0; --times) {
    auto client = AsyncEndpoint::open(loop);
    early = run(loop, visit(*client, server->local_address(), folder));
  }
  return early;
}

int main() {
  char folder[] = "/tmp/resume-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return 1;
  const bool second = visit_server(folder, 2);
  const bool after_restart = visit_server(folder, 1);
  (void)take(folder + std::string("/ticket"));
  (void)take(folder + std::string("/token"));
  (void)std::remove(folder);
  return second && !after_restart ? 0 : 1;
}
