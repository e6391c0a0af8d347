// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Our event loop inside another one: an epoll loop of the program's own waits for both, and wakes
// only when there is something to do.
#include <sys/epoll.h>
#include <unistd.h>
#include <qpeer/transport.hpp>

#include <algorithm>
#include <cstdio>
using namespace qpeer;

Task<void> serve(AsyncEndpoint& server) {
  auto connection = co_await server.accept();
  auto stream = co_await connection->accept_stream();
  const auto question = co_await stream->read_all(1024);
  (void)co_await stream->write(*question);
  (void)stream->finish();
  (void)co_await connection->closed();
}

Task<void> ask(AsyncEndpoint& client, SocketAddress server, bool& answered) {
  auto connection = co_await client.connect(server, client_tls("hello/1"));
  auto stream = co_await connection->open_stream();
  (void)co_await stream->write(as_bytes("hello"));
  (void)stream->finish();
  const auto answer = co_await stream->read_all(1024);
  co_await sleep_for(client.loop(), 300ms);  // Nothing happens: neither loop may turn.
  answered = answer && as_text(*answer) == "hello";
}

int main() {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("hello/1")}});
  auto client = AsyncEndpoint::open(loop);
  if (!server || !client) return std::puts("cannot open a socket");
  bool answered = false;
  TaskGroup tasks;
  tasks.spawn(serve(*server));
  tasks.spawn(ask(*client, server->local_address(), answered));

  const int own = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(own, EPOLL_CTL_ADD, loop.native_handle(), &event) != 0) return 1;
  int turns = 0;
  for (const Instant give_up = io::now() + 30s; !answered && io::now() < give_up; ++turns) {
    const Instant next = std::max(std::min(loop.next_deadline(), give_up), io::now());
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - io::now());
    (void)::epoll_wait(own, &event, 1, std::max(int(wait.count()), 0));
    loop.poll();
  }
  ::close(own);
  std::printf("%s after %d turns\n", answered ? "hello" : "nothing", turns);
  return answered && turns < 150 ? 0 : 1;
}
