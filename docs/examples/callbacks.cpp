// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The same as echo.cpp for those who do not want coroutines. And messages between two nodes.
#include <qpeer/qpeer.hpp>

#include <cstdio>
#include <memory>
using namespace qpeer;

int main() {
  EventLoop loop;
  const NodeOptions here{.listen = SocketAddress::loopback4(0)};
  const auto options = [&] {
    NodeOptions out = here;
    out.identity = make_identity();
    return out;
  };
  auto node = Node::start(loop, options());
  auto other = Node::start(loop, options());
  auto client = Client::start(loop, options());
  if (!node || !other || !client) return std::puts("cannot start");
  int to_do = 4;
  const auto done = [&](const char* what) {
    std::puts(what);
    if (--to_do == 0) client->shut_down([&] { loop.stop(); });
  };

  node->on_event([](const NodeEvent& event) {
    if (const auto* up = std::get_if<p2p::LinkUp>(&event)) {
      std::printf("linked to %s\n", up->peer.short_text().c_str());
    } else if (std::holds_alternative<p2p::NetworkChanged>(event)) {
      std::puts("another network: node->network_report() says what it lets us be");
    }
  });
  node->on_request([](IncomingRequest request) {
    request.reply(request.data(), [](const auto& sent) { (void)sent; });
  });
  node->on_stream([&](PeerStream incoming) {
    auto stream = std::make_shared<PeerStream>(std::move(incoming));  // As long as it is read.
    stream->read_all(1024, [&, stream](auto text) {
      done(text && as_text(*text) == "a stream" ? "a stream" : "?");
    });
  });
  node->on_message(
      [&](const Message& message) { done(as_text(message.data) == "hi" ? "hi" : "?"); });

  const PeerAddress contact = node->contact();
  client->bootstrap(std::span(&contact, 1), [&](auto server) {
    if (!server) return void(std::puts(to_string(server.error()).c_str()));
    server->request(as_bytes("hello"), [&](auto reply) {
      if (reply && as_text(*reply) == "hello") done("the client has its answer");
    });
    server->open_stream([&](auto opened) {
      if (!opened) return void(std::puts(to_string(opened.error()).data()));
      auto stream = std::make_shared<PeerStream>(std::move(*opened));
      stream->write(as_bytes("a stream"), [stream](auto written) {
        if (written && stream->finish()) stream->finished([stream](auto) {});
      });
    });
  });
  other->bootstrap(std::span(&contact, 1), [&](auto peer) {
    if (!peer) return void(std::puts(to_string(peer.error()).c_str()));
    peer->send(as_bytes("hi"), [&](auto sent) {
      if (sent) done("the message has arrived");
    });
  });
  loop.run_until([&] { return false; }, io::now() + 30s);
  return to_do;
}
