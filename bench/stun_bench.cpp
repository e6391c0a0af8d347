// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STUN at the port of a node: what an answer costs, and what QUIC pays for sharing its port.
#include <array>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "qpeer/p2p/nat/stun_server.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/test_tls.hpp"

namespace qpeer {
namespace {

constexpr Path kPath{.local = SocketAddress::ipv4({203, 0, 113, 1}, 4433),
                     .remote = SocketAddress::ipv4({198, 51, 100, 7}, 40'000)};
/// Slow enough that all are answered.
constexpr Duration kInterval = 100ms;

std::vector<u8> request() {
  std::vector<u8> out(p2p::kMaxStunSize);
  Writer writer{out};
  p2p::StunMessage{.transaction_id = {1, 2, 3}}.encode(writer);
  out.resize(writer.size());
  return out;
}

/// A packet with a short header, of no connection.
std::vector<u8> packet() {
  std::vector<u8> out(1'200, 7);
  out[0] = 0x41;
  return out;
}

class OneNode {
 public:
  OneNode() {
    const auto context = sim::make_test_tls(random_);
    p2p::NodeConfig config{.role = p2p::Role::node, .listen_port = 4433};
    config.endpoint.stateless_answers_per_second = 0;
    node_ = std::make_unique<p2p::Node>(
        now_, config,
        p2p::PeerTls{.client = context, .server = context, .id = PeerId({1}), .allowed = {}}, keys_,
        random_);
  }
  std::size_t receive(std::vector<u8>& datagram, MutableBytes storage) {
    now_ += kInterval;
    node_->on_datagram(now_, {.path = kPath, .payload = datagram});
    TransmitBuffer out{.storage = storage};
    const auto transmit = node_->poll_transmit(now_, out);
    return transmit ? transmit->size : 0;
  }

 private:
  Instant now_{1'000s};
  sim::SeededRandom random_{1};
  sim::NullKeys keys_;
  std::unique_ptr<p2p::Node> node_;
};

void decode(benchmark::State& state) {
  const auto datagram = request();
  for (auto _ : state) benchmark::DoNotOptimize(p2p::StunMessage::decode(datagram));
}
BENCHMARK(decode)->Name("stun/decode");

void answer(benchmark::State& state) {
  auto datagram = request();
  std::array<u8, 1'500> storage{};
  p2p::StunServer server;
  Instant now{1'000s};
  for (auto _ : state) {
    now += kInterval;
    server.on_datagram(now, {.path = kPath, .payload = datagram});
    TransmitBuffer out{.storage = storage};
    benchmark::DoNotOptimize(server.poll_transmit(now, out));
  }
  state.counters["answers"] = static_cast<double>(server.stats().answers);
}
BENCHMARK(answer)->Name("stun/answer");

// As a flood is dropped: at one time.
void rate_limited(benchmark::State& state) {
  auto datagram = request();
  p2p::StunServer server;
  const Instant now{1'000s};
  for (auto _ : state) server.on_datagram(now, {.path = kPath, .payload = datagram});
  state.counters["limited"] = static_cast<double>(server.stats().rate_limited);
}
BENCHMARK(rate_limited)->Name("stun/rate_limited");

void node_stun(benchmark::State& state) {
  OneNode node;
  auto datagram = request();
  std::array<u8, 1'500> storage{};
  for (auto _ : state) benchmark::DoNotOptimize(node.receive(datagram, storage));
}
BENCHMARK(node_stun)->Name("stun/node/stun");

void node_quic(benchmark::State& state) {
  OneNode node;
  auto datagram = packet();
  std::array<u8, 1'500> storage{};
  for (auto _ : state) benchmark::DoNotOptimize(node.receive(datagram, storage));
}
BENCHMARK(node_quic)->Name("stun/node/quic");

/// The test alone that a datagram of QUIC passes on its way.
void looks_like_stun(benchmark::State& state) {
  auto datagram = packet();
  for (auto _ : state) {
    benchmark::DoNotOptimize(datagram.data());
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(p2p::looks_like_stun(datagram));
  }
}
BENCHMARK(looks_like_stun)->Name("stun/looks_like_stun/quic");

}  // namespace
}  // namespace qpeer
