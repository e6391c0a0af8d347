// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The example at the head of the umbrella header, as it stands there.
#include <gtest/gtest.h>
#include "qpeer/transport.hpp"

#include <cstdio>

namespace {

using namespace qpeer;

Task<void> serve(AsyncEndpoint& endpoint) {  // Answers every stream with what it got.
  auto connection = co_await endpoint.accept();
  auto stream = co_await connection->accept_stream();
  auto question = co_await stream->read_all(1024);
  co_await stream->write(*question);
  stream->finish();
  co_await stream->finished();
}

Task<void> ask(AsyncEndpoint& endpoint, SocketAddress server) {
  auto connection = co_await endpoint.connect(server, client_tls("hello/1"));
  auto stream = co_await connection->open_stream();
  co_await stream->write(as_bytes("hello"));
  stream->finish();
  auto answer = co_await stream->read_all(1024);
  std::printf("%.*s\n", int(answer->size()), reinterpret_cast<char*>(answer->data()));
}

TEST(Example, OfTheUmbrellaHeaderSaysHello) {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.endpoint = {.server_tls = server_tls("hello/1")}});
  auto client = AsyncEndpoint::open(loop);
  TaskGroup group;
  group.spawn(serve(*server));
  auto there = SocketAddress::loopback4(server->local_address().port());
  testing::internal::CaptureStdout();
  run(loop, ask(*client, there));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "hello\n");
}

}  // namespace
