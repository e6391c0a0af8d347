// SPDX-License-Identifier: MIT OR BSD-3-Clause
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

#include "qpeer/crypto/authority.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/static_key.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/async/async_connection.hpp"
#include "qpeer/transport/async/async_endpoint.hpp"
#include "qpeer/transport/async/async_stream.hpp"
#include "qpeer/transport/async/cancellation.hpp"
#include "qpeer/transport/async/channel.hpp"
#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/in_background.hpp"
#include "qpeer/transport/async/insecure_tls.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/file.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/resolve.hpp"
#include "qpeer/transport/io/signal_set.hpp"
#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/version.hpp"

namespace qpeer {

using async::AsyncConnection;
using async::AsyncEndpoint;
using async::AsyncEndpointOptions;
using async::AsyncStream;
using async::CancellationToken;
using async::Cancelled;
using async::Channel;
using async::client_tls;
using async::ConnectFailure;
using async::ConnectionInfo;
using async::EndpointGroup;
using async::EndpointGroupOptions;
using async::Event;
using async::in_background;
using async::run;
using async::server_tls;
using async::sleep_for;
using async::sleep_until;
using async::spawn;
using async::Task;
using async::TaskGroup;
using async::TimedOut;
using async::unless_cancelled;
using async::when_all;
using async::when_any;
using async::with_timeout;
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
using transport::PoolLimits;
using transport::RetryPolicy;
using transport::StreamConfig;
using transport::StreamError;

}  // namespace qpeer
