// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The bare machine in a loop of one's own: poll(2) and one UDP socket for each of two peers.
#include <poll.h>
#include <qpeer/qpeer.hpp>

#include <algorithm>
#include <cstdio>
using namespace qpeer;

struct Peer {
  explicit Peer(p2p::Role role)
      : socket(*io::UdpSocket::bind(SocketAddress::loopback4(0))),
        node(io::now(), {.role = role, .listen_port = socket.local_address().port()},
             *make_peer_tls(identity, Trust::pinned()), crypto::openssl_keys(),
             crypto::system_random()) {}
  // Reads datagrams, handles the timer and sends. To be called after every call on the machine, too.
  void turn() {
    const auto hear = [&](const ReceivedDatagram& in) { node.on_datagram(io::now(), in); };
    while (socket.receive(buffer, hear).value_or(0) > 0);
    if (node.next_deadline() <= io::now()) node.on_deadline(io::now());
    TransmitBuffer out{.storage = buffer};
    while (const auto train = node.poll_transmit(io::now(), out)) (void)socket.send(*train, buffer);
  }
  Identity identity = make_identity();
  io::UdpSocket socket;
  p2p::Node node;
  std::vector<u8> buffer = std::vector<u8>(io::UdpSocket::kRegionSize);
};

int main() {
  Peer server(Role::node);
  Peer client(Role::client);
  client.node.bootstrap(io::now(),
                        {{server.socket.local_address(), server.identity.id, {}, false}});
  for (const Instant give_up = io::now() + 30s; io::now() < give_up;) {
    for (Peer* peer : {&server, &client}) peer->turn();
    while (server.node.poll_event());
    while (auto request = server.node.next_request(io::now())) {
      (void)server.node.reply(io::now(), request->id, std::move(request->data));
    }
    while (const auto event = client.node.poll_event()) {
      if (const auto* linked = std::get_if<p2p::Bootstrapped>(&*event)) {
        (void)client.node.request(io::now(), linked->peer, {'h', 'e', 'l', 'l', 'o'});
      } else if (const auto* reply = std::get_if<p2p::Response>(&*event)) {
        return as_text(reply->data) == "hello" && std::puts("hello") >= 0 ? 0 : 1;
      }
    }
    for (Peer* peer : {&server, &client}) peer->turn();
    const Instant next =
        std::min({server.node.next_deadline(), client.node.next_deadline(), give_up});
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - io::now()).count();
    pollfd ready[]{{server.socket.fd(), POLLIN, 0}, {client.socket.fd(), POLLIN, 0}};
    ::poll(ready, 2, static_cast<int>(std::max<std::int64_t>(wait, 0)));
  }
  return 1;
}
