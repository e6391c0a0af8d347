// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STUN and knocks at the port of a node: what an answer and a knock cost, and what QUIC pays for sharing its port. That is
// the difference between stun/endpoint/quic, which has no node around it, and stun/node/quic.
#include <array>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "qpeer/p2p/nat/knock_sender.hpp"
#include "qpeer/p2p/nat/stun_server.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/test_tls.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

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

/// The same without the QUIC Bit: its first byte alone does not tell it from STUN.
std::vector<u8> greased_packet() {
  auto out = packet();
  out[0] = 0x02;
  return out;
}

std::vector<u8> knock() {
  std::vector<u8> out(p2p::kMaxStunSize);
  Writer writer{out};
  p2p::StunMessage{.message_class = p2p::StunClass::indication, .knock_token = p2p::KnockToken{1}}
      .encode(writer);
  out.resize(writer.size());
  return out;
}

/// A machine that gets a datagram now and then, and may answer.
template <class Machine>
class Receiver {
 public:
  std::size_t receive(std::vector<u8>& datagram, MutableBytes storage) {
    now_ += kInterval;
    machine_->on_datagram(now_, {.path = kPath, .payload = datagram});
    TransmitBuffer out{.storage = storage};
    const auto transmit = machine_->poll_transmit(now_, out);
    return transmit ? transmit->size : 0;
  }

 protected:
  Instant now_{1'000s};
  sim::SeededRandom random_{1};
  sim::NullKeys keys_;
  std::shared_ptr<crypto::TlsContext> context_ = sim::make_test_tls(random_);
  std::unique_ptr<Machine> machine_;
};

class OneNode : public Receiver<p2p::Node> {
 public:
  OneNode() {
    p2p::NodeConfig config{.role = p2p::Role::node, .listen_port = 4433};
    config.endpoint.stateless_answers_per_second = 0;
    machine_ = std::make_unique<p2p::Node>(
        now_, config,
        p2p::PeerTls{.client = context_, .server = context_, .id = PeerId({1}), .allowed = {}},
        keys_, random_);
  }
};

class OneEndpoint : public Receiver<transport::Endpoint> {
 public:
  OneEndpoint() {
    transport::EndpointConfig config = p2p::NodeConfig{}.endpoint;
    config.server_tls = context_;
    config.stateless_answers_per_second = 0;
    machine_ = std::make_unique<transport::Endpoint>(config, keys_, random_);
  }
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

template <class Machine>
void receive(benchmark::State& state, std::vector<u8> (*make)()) {
  Machine machine;
  auto datagram = make();
  std::array<u8, 1'500> storage{};
  for (auto _ : state) benchmark::DoNotOptimize(machine.receive(datagram, storage));
}
void node_receives(benchmark::State& state, std::vector<u8> (*make)()) {
  receive<OneNode>(state, make);
}
void endpoint_receives(benchmark::State& state, std::vector<u8> (*make)()) {
  receive<OneEndpoint>(state, make);
}
BENCHMARK_CAPTURE(node_receives, stun, request)->Name("stun/node/stun");
BENCHMARK_CAPTURE(node_receives, knock, knock)->Name("stun/node/knock");
BENCHMARK_CAPTURE(node_receives, quic, packet)->Name("stun/node/quic");
BENCHMARK_CAPTURE(node_receives, greased, greased_packet)->Name("stun/node/greased_quic");
BENCHMARK_CAPTURE(endpoint_receives, quic, packet)->Name("stun/endpoint/quic");
BENCHMARK_CAPTURE(endpoint_receives, greased, greased_packet)->Name("stun/endpoint/greased_quic");

// As a linked node asks for it, again and again: each is of another second.
void send_knock(benchmark::State& state) {
  constexpr auto kTarget = SocketAddress::ipv4({198, 51, 100, 9}, 4433);
  std::array<u8, 1'500> storage{};
  p2p::KnockSender sender;
  Instant now{1'000s};
  for (auto _ : state) {
    now += p2p::KnockSender::kSiteInterval;
    if (!sender.admit(now, kPath.remote, kTarget)) continue;
    sender.send({.local = {}, .remote = kTarget}, p2p::KnockToken{1}, {});
    TransmitBuffer out{.storage = storage};
    benchmark::DoNotOptimize(sender.poll_transmit(out));
  }
  state.counters["knocks"] = static_cast<double>(sender.sent());
}
BENCHMARK(send_knock)->Name("stun/knock/send");

// As a flood of requests for knocks is refused: at one time.
void refuse_knock(benchmark::State& state) {
  p2p::KnockSender sender;
  const Instant now{1'000s};
  for (auto _ : state) benchmark::DoNotOptimize(sender.admit(now, kPath.remote, kPath.local));
}
BENCHMARK(refuse_knock)->Name("stun/knock/refuse");

/// The test alone that a datagram of QUIC passes on its way.
void looks_like_stun(benchmark::State& state, std::vector<u8> (*make)()) {
  auto datagram = make();
  for (auto _ : state) {
    benchmark::DoNotOptimize(datagram.data());
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(p2p::looks_like_stun(datagram));
  }
}
BENCHMARK_CAPTURE(looks_like_stun, quic, packet)->Name("stun/looks_like_stun/quic");
BENCHMARK_CAPTURE(looks_like_stun, greased, greased_packet)
    ->Name("stun/looks_like_stun/greased_quic");

}  // namespace
}  // namespace qpeer
