// All of qpeer's transport: QUIC connections and streams as coroutines.
//
//   #include <qpeer/transport.hpp>
//   #include <cstdio>
//   using namespace qpeer;
//
//   Task<void> serve(AsyncEndpoint& endpoint) {           // Answers every stream with what it got.
//     auto connection = co_await endpoint.accept();
//     auto stream = co_await connection->accept_stream();
//     auto question = co_await stream->read_all(1024);
//     co_await stream->write(*question);
//     stream->finish();
//     co_await stream->finished();
//   }
//
//   Task<void> ask(AsyncEndpoint& endpoint, SocketAddress server) {
//     auto connection = co_await endpoint.connect(server, client_tls("hello/1"));
//     auto stream = co_await connection->open_stream();
//     co_await stream->write(as_bytes("hello"));
//     stream->finish();
//     auto answer = co_await stream->read_all(1024);
//     std::printf("%.*s\n", int(answer->size()), reinterpret_cast<char*>(answer->data()));
//   }
//
//   int main() {
//     EventLoop loop;
//     auto server = AsyncEndpoint::open(loop, {.endpoint = {.server_tls = server_tls("hello/1")}});
//     auto client = AsyncEndpoint::open(loop);
//     TaskGroup group;
//     group.spawn(serve(*server));
//     auto there = SocketAddress::loopback4(server->local_address().port());
//     run(loop, ask(*client, there));
//   }
//
// Each of these calls gives a std::expected or std::optional; real programs look before they use
// it. server_tls() makes a key that lasts as long as the process and client_tls() trusts any: see
// crypto/tls_session.hpp for authorities, pinned keys and mutual authentication, docs/transport.md
// for the rest, and docs/examples/ for whole programs.
#pragma once

#include "crypto/authority.hpp"
#include "crypto/identity.hpp"
#include "crypto/static_key.hpp"
#include "crypto/tls_session.hpp"
#include "transport/async/async_connection.hpp"
#include "transport/async/async_endpoint.hpp"
#include "transport/async/async_stream.hpp"
#include "transport/async/quick_tls.hpp"
#include "transport/async/sleep.hpp"
#include "transport/async/task.hpp"
#include "transport/async/task_group.hpp"
#include "transport/base/address.hpp"
#include "transport/base/bytes.hpp"
#include "transport/base/error.hpp"
#include "transport/base/file.hpp"
#include "transport/base/time.hpp"
#include "transport/endpoint/endpoint.hpp"
#include "transport/io/event_loop.hpp"
#include "transport/io/resolve.hpp"
#include "transport/io/signal_set.hpp"
#include "transport/io/system_clock.hpp"

namespace qpeer {

using async::AsyncConnection;
using async::AsyncEndpoint;
using async::AsyncEndpointOptions;
using async::AsyncStream;
using async::client_tls;
using async::ConnectFailure;
using async::ConnectionInfo;
using async::run;
using async::server_tls;
using async::sleep_for;
using async::sleep_until;
using async::spawn;
using async::Task;
using async::TaskGroup;
using io::EventLoop;
using transport::CloseReason;
using transport::ConnectError;
using transport::ConnectionConfig;
using transport::ConnectionStats;
using transport::ConnectOptions;
using transport::DatagramError;
using transport::EarlyDataPolicy;
using transport::EndpointConfig;
using transport::EndpointStats;
using transport::PathError;
using transport::RetryPolicy;
using transport::StreamConfig;
using transport::StreamError;

}  // namespace qpeer
