// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What UDP costs on this machine, mode by mode: the yardstick for all that runs over it.
//
// One thread sends a train over loopback and receives it again, so the rate is of both together;
// BM_UdpSend and BM_UdpReceive time one side alone.
#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io {
namespace {

constexpr std::size_t kDatagram = 1350;

struct Loop {
  Loop(bool gso, bool gro, std::size_t datagrams)
      : sender(open({.gso = gso, .gro = gro})),
        receiver(open({.gso = gso, .gro = gro})),
        bytes(datagrams * kDatagram),
        slab(std::make_unique<u8[]>(kSlab)),
        train{.path = {.local = sender.local_address(), .remote = receiver.local_address()},
              .ecn = Ecn::ect0,
              .size = bytes.size(),
              .segment_size = kDatagram} {}

  static UdpSocket open(const UdpOptions& options) {
    auto out = UdpSocket::bind(SocketAddress::loopback4(0), options);
    if (!out) throw std::system_error(out.error());
    return std::move(*out);
  }
  void send() {
    if (!sender.send(train, bytes).value_or(false)) std::abort();
  }
  std::size_t receive() {
    return receiver
        .receive({slab.get(), kSlab},
                 [](const ReceivedDatagram& in) { benchmark::DoNotOptimize(in.payload.data()); })
        .value_or(0);
  }
  void receive_all(std::size_t datagrams) {
    for (std::size_t got = 0; got < datagrams;) {
      const std::size_t n = receive();
      if (n == 0) std::abort();  // Loopback delivers before the send returns.
      got += n;
    }
  }

  static constexpr std::size_t kSlab = 8 * UdpSocket::kRegionSize;
  UdpSocket sender;
  UdpSocket receiver;
  std::vector<u8> bytes;
  std::unique_ptr<u8[]> slab;
  Transmit train;
};

void report(benchmark::State& state, std::size_t datagrams) {
  const auto count = state.iterations() * static_cast<std::int64_t>(datagrams);
  state.SetItemsProcessed(count);
  state.SetBytesProcessed(count * static_cast<std::int64_t>(kDatagram));
}

// Arguments: datagrams of a train, GSO, GRO.
void BM_UdpSendReceive(benchmark::State& state) {
  const auto datagrams = static_cast<std::size_t>(state.range(0));
  Loop loop{state.range(1) != 0, state.range(2) != 0, datagrams};
  for (auto _ : state) {
    loop.send();
    loop.receive_all(datagrams);
  }
  report(state, datagrams);
}

void BM_UdpSend(benchmark::State& state) {
  const auto datagrams = static_cast<std::size_t>(state.range(0));
  Loop loop{state.range(1) != 0, state.range(2) != 0, datagrams};
  for (auto _ : state) {
    loop.send();
    state.PauseTiming();
    loop.receive_all(datagrams);
    state.ResumeTiming();
  }
  report(state, datagrams);
}

void BM_UdpReceive(benchmark::State& state) {
  const auto datagrams = static_cast<std::size_t>(state.range(0));
  Loop loop{state.range(1) != 0, state.range(2) != 0, datagrams};
  for (auto _ : state) {
    state.PauseTiming();
    loop.send();
    state.ResumeTiming();
    loop.receive_all(datagrams);
  }
  report(state, datagrams);
}

void modes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"train", "gso", "gro"});
  bench->Args({1, 0, 0})->Args({47, 0, 0})->Args({47, 1, 0})->Args({1, 1, 1});
  bench->Args({8, 1, 1})->Args({16, 1, 1})->Args({47, 1, 1});
}
BENCHMARK(BM_UdpSendReceive)->Apply(modes);
BENCHMARK(BM_UdpSend)->Apply(modes);
BENCHMARK(BM_UdpReceive)->Apply(modes);

}  // namespace
}  // namespace qpeer::io
