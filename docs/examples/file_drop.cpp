// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client drops a file at a node over a raw stream, and gets its SHA-256 as a receipt.
#include <qpeer/qpeer.hpp>

#include <cstdio>
using namespace qpeer;

Task<void> take(PeerStream stream) {
  crypto::Sha256 hash;
  std::size_t size = 0;
  while (auto view = co_await stream.peek()) {  // A view of the data, without a copy.
    hash.update(view->data);
    size += view->data.size();
    stream.consume(view->data.size());
    if (view->fin) break;
  }
  std::printf("took %zu bytes from %s\n", size, stream.peer().short_text().c_str());
  const auto receipt = hash.finish();
  (void)co_await stream.write(receipt);
  (void)stream.finish();
  (void)co_await stream.finished();
}

Task<void> serve(Node& node) {
  TaskGroup streams;
  while (auto stream = co_await node.next_stream()) streams.spawn(take(std::move(*stream)));
}

Task<int> drop(Client& client, PeerAddress contact, const std::vector<u8>& file) {
  auto server = co_await client.bootstrap(contact);
  if (!server) co_return std::puts(to_string(server.error()).c_str());
  auto stream = co_await server->open_stream();
  if (!stream) co_return std::puts(to_string(stream.error()).data());
  for (std::size_t at = 0; at < file.size(); at += 65'536) {  // Waits while the network is slower.
    const Bytes piece = Bytes(file).subspan(at, std::min<std::size_t>(65'536, file.size() - at));
    if (!co_await stream->write(piece)) co_return std::puts("it was not taken");
  }
  (void)stream->finish();
  const auto receipt = co_await stream->read_all(32);
  co_return receipt&& equal(*receipt, crypto::sha256(file)) ? 0 : std::puts("the receipt is wrong");
}

int main() {
  EventLoop loop;
  auto node =
      Node::start(loop, {.identity = make_identity(), .listen = SocketAddress::loopback4(0)});
  auto client = Client::start(loop, {.identity = make_identity()});
  if (!node || !client) return std::puts("cannot start");
  TaskGroup tasks;
  tasks.spawn(serve(*node));
  return run(loop, drop(*client, node->contact(), std::vector<u8>(20 << 20, 0x5a)));
}
