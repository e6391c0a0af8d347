// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client with several addresses and a server that may prefer another: moves, probes, NATs that
// rebind, links that fall silent, datagrams that are sent again from elsewhere, in any order.
// Invariants hold throughout, and where no packet was forged the two are in contact once the links
// work again, or one of them was silent for longer than the idle timeout.
//
// The input is a byte of options, then steps:
//   options: 1 the server prefers another IPv4 address, 2 an IPv6 one, 4 the client has no connection
//            ID, 8 the server forbids moves, 16 two paths at once, 32 two connection IDs,
//            64 addresses are observed, 128 packets may be forged
//   0 0 t t t t t t     t milliseconds (from 32 on: t - 31 seconds) go by
//   0 1 a a a x x x     act(a, x)
//   1 0 d s s . . .     a forged packet to the client (d) or the server, from address s;
//                       size (2 bytes) and frames
//   1 1 d s s k k .     the datagram before the last k to that side arrives once more, from address s
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using namespace qpeer::sim;
using transport::CloseReason;

constexpr u8 kPrefersIpv4 = 1;
constexpr u8 kPrefersIpv6 = 2;
constexpr u8 kNoClientId = 4;
constexpr u8 kNoMoves = 8;
constexpr u8 kTwoPaths = 16;
constexpr u8 kTwoIds = 32;
constexpr u8 kObserved = 64;
constexpr u8 kForged = 128;

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kMaxSteps = 200;
constexpr std::size_t kRemembered = 4;  ///< Datagrams to each side, for replays.

PeerConfig small_config(NullKeys& keys, u8 options) {
  PeerConfig config;
  config.keys = &keys;
  config.endpoint.reset_key.fill(3);
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 64_KiB;
    each->streams.stream_receive_window = 16_KiB;
    each->streams.send_buffer = 32_KiB;
    if ((options & kTwoPaths) != 0) each->max_paths = 2;
    if ((options & kTwoIds) != 0) each->active_connection_id_limit = 2;
    if ((options & kObserved) != 0) each->address_discovery = {.provide = true, .request = true};
  }
  return config;
}

class Fixture {
 public:
  explicit Fixture(u8 options)
      : options_(options), keys_({.accept_any_tag = (options & kForged) != 0}), network_(kSeed) {
    const SocketAddress preferred4 = network_.new_address();
    const SocketAddress preferred6 = network_.new_address6();
    PeerConfig of_client = small_config(keys_, options);
    of_client.connection.zero_length_connection_id = (options & kNoClientId) != 0;
    PeerConfig of_server = small_config(keys_, options);
    auto& accepted = of_server.endpoint.connection;
    if ((options & kPrefersIpv4) != 0) accepted.preferred_ipv4 = preferred4;
    if ((options & kPrefersIpv6) != 0) accepted.preferred_ipv6 = preferred6;
    accepted.disable_active_migration = (options & kNoMoves) != 0;
    auto [client, server] = network_.quiet_pair(Link{.delay = 5ms}, of_client, of_server);
    client_ = &client;
    server_ = &server;
    client.checks = server.checks = (options & kForged) == 0;
    network_.add_address(server.host(), preferred4);
    network_.add_address(server.host(), preferred6);
    clients_ = {client.address(), network_.new_address(), network_.new_address6(),
                network_.new_address()};
    // The last one is not the client's: what it sends from there goes nowhere.
    network_.add_address(client.host(), clients_[1]);
    network_.add_address(client.host(), clients_[2]);
    servers_ = {server.address(), preferred4, preferred6, network_.new_address()};
    network_.on_send([this](const Passing& datagram) { watch(datagram); });
    client.connect(server);
    network_.run_until(
        [&] { return client.confirmed()() && server.has_session() && server.confirmed()(); }, 5s);
    check(server.has_session());
  }

  void step(Reader& in) {
    const u8 kind = in.byte();
    switch (kind >> 6) {
      case 0:
        return network_.run_for(kind < 32 ? Duration(kind * 1ms) : Duration((kind - 31) * 1s));
      case 1:
        act(kind >> 3 & 7, kind & 7);
        break;
      case 2: {
        const std::size_t size = in.u16();
        forge((kind & 0x20) != 0, kind >> 3 & 3, in.bytes(std::min(size, in.remaining())));
        break;
      }
      default:
        replay((kind & 0x20) != 0, kind >> 3 & 3, kind >> 1 & 3);
    }
    network_.run_for(Duration{});
  }

  void finish() {
    network_.pipe(*client_, *server_).link.blocked = false;
    network_.pipe(*server_, *client_).link.blocked = false;
    const bool both_open = !session(*client_).closed() && !session(*server_).closed();
    for (Peer* peer : {client_, server_}) {
      if (!session(*peer).closed()) session(*peer).sends(1'000);
    }
    const bool honest = (options_ & kForged) == 0 && !closed_;
    network_.run_until([&] { return settled(*client_) && settled(*server_); }, 300s);
    if (honest) {
      check(settled(*client_) && settled(*server_));
      for (Peer* peer : {client_, server_}) check_end(session(*peer));
      if (both_open) check(!session(*client_).closed() && !session(*server_).closed());
    }
    for (Peer* peer : {client_, server_}) {
      if (!session(*peer).closed()) session(*peer).closes(0, "");
    }
    network_.run_for(600s);
    check(client_->endpoint().stats().connections == 0);
    check(server_->endpoint().stats().connections == 0);
  }

 private:
  static Session& session(Peer& peer) { return *peer.sessions().front(); }
  static bool settled(Peer& peer) { return session(peer).closed() || peer.acknowledged()(); }
  /// Silence may end a connection, and a peer that has ended may say so; nothing else.
  static void check_end(const Session& one) {
    if (!one.close) return;
    check(one.close->kind == CloseReason::Kind::idle_timeout ||
          one.close->kind == CloseReason::Kind::stateless_reset);
  }

  void act(unsigned what, unsigned x) {
    Peer& peer = (x & 1) != 0 ? *server_ : *client_;
    if (session(peer).closed()) return;
    transport::Connection& connection = session(peer).connection();
    switch (what) {
      case 0:
      case 1:
        if (session(*client_).closed()) return;
        if (what == 0) {
          (void)session(*client_).connection().migrate(network_.now(), clients_[x & 3]);
        } else {
          (void)session(*client_).connection().probe_path(network_.now(), clients_[x & 3]);
        }
        client_->wake();
        return;
      case 2: {
        const SocketAddress inside = clients_[x % 3];
        const SocketAddress outside =
            inside.is_ipv4() ? network_.new_address() : network_.new_address6();
        network_.rebind(client_->host(), inside, outside);
        return;
      }
      case 3:
        network_.pipe(*client_, *server_).link.blocked = (x & 1) != 0;
        network_.pipe(*server_, *client_).link.blocked = (x & 2) != 0;
        return;
      case 4:
        (void)connection.rotate_connection_ids();
        break;
      case 5:
        session(peer).sends(std::size_t{100} << (x & 6));
        break;
      case 6:
        if ((x & 2) != 0) {
          (void)connection.initiate_key_update();
        } else {
          connection.ping();
        }
        break;
      default:
        if (x < 6) return;
        closed_ = true;
        connection.close(network_.now(), 1, "fuzzed");
    }
    peer.wake();
  }

  /// Learns how each side is addressed, and keeps the last datagrams.
  void watch(const Passing& datagram) {
    const bool to_client = std::ranges::find(servers_, datagram.from) != servers_.end();
    Side& side = to_client ? to_client_ : to_server_;
    if (side.datagrams.size() == kRemembered) side.datagrams.erase(side.datagrams.begin());
    side.datagrams.emplace_back(datagram.payload.begin(), datagram.payload.end());
    if ((datagram.payload[0] & 0x80) != 0) return;
    const std::size_t id_size = to_client && (options_ & kNoClientId) != 0 ? 0 : 8;
    Reader in{Bytes(datagram.payload).subspan(1)};
    const Bytes id = in.bytes(id_size);
    side.id.assign(id.begin(), id.end());
    std::uint32_t number = 0;
    for (unsigned i = 0; i <= (datagram.payload[0] & 3U); ++i) number = number << 8 | in.byte();
    side.number = number;
    side.phase = datagram.payload[0] & 4;
  }

  void inject(bool to_client, unsigned from, Bytes datagram) {
    const auto& sources = to_client ? servers_ : clients_;
    const auto& targets = to_client ? clients_ : servers_;
    network_.inject(sources[from], targets[0], datagram);
  }

  void forge(bool to_client, unsigned from, Bytes frames) {
    if ((options_ & kForged) == 0) return;
    Side& side = to_client ? to_client_ : to_server_;
    frames = frames.first(std::min<std::size_t>(frames.size(), 1'300));
    std::vector<u8> packet(1'500);
    Writer out{packet};
    out.byte(static_cast<u8>(0x43 | side.phase));
    out.bytes(side.id);
    out.u32(++side.number);
    out.bytes(frames);
    out.zeros(crypto::kTagSize + 4);
    inject(to_client, from, out.written());
  }

  void replay(bool to_client, unsigned from, std::size_t back) {
    const Side& side = to_client ? to_client_ : to_server_;
    if (back >= side.datagrams.size()) return;
    const std::vector<u8> datagram = side.datagrams[side.datagrams.size() - 1 - back];
    inject(to_client, from, datagram);
  }

  struct Side {
    std::vector<std::vector<u8>> datagrams;  ///< The last ones to it.
    std::vector<u8> id;                      ///< Its connection ID, as last used.
    std::uint32_t number = 0;                ///< Of the last packet to it.
    u8 phase = 0;
  };

  u8 options_;
  NullKeys keys_;
  PeerNetwork network_;
  Peer* client_ = nullptr;
  Peer* server_ = nullptr;
  std::array<SocketAddress, 4> clients_;
  std::array<SocketAddress, 4> servers_;
  Side to_client_;
  Side to_server_;
  bool closed_ = false;  ///< By an application.
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);  // The simulator's expectations count here too.
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  Fixture fixture(data[0]);
  Reader in{{data + 1, size - 1}};
  for (std::size_t steps = 0; !in.empty() && steps < kMaxSteps; ++steps) fixture.step(in);
  fixture.finish();
  return 0;
}
