// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The whole stack without a kernel: two endpoints in one thread that hand each other their trains.
// What remains against the bare AEAD (crypto_bench) is the cost of the transport itself.
#include <array>
#include <memory>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/test_tls.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer {
namespace {

using transport::ConnectionHandle;
using transport::Endpoint;
using transport::EndpointEvent;

constexpr std::uint16_t kDatagramSize = 1452;

/// Two endpoints and a link of no delay and no loss.
class Pair {
 public:
  explicit Pair(crypto::CipherSuite suite) {
    transport::ConnectionConfig connection;
    connection.max_datagram_size = kDatagramSize;
    connection.max_idle_timeout = {};
    connection.initial_rtt = 1ms;
    sim::TestTlsConfig tls;
    tls.suite = suite;
    auto context = sim::make_test_tls(random_, tls);
    transport::EndpointConfig config{.connection = connection, .server_tls = context};
    server_ = std::make_unique<Endpoint>(config, crypto::openssl_keys(), random_);
    client_ = std::make_unique<Endpoint>(config, crypto::openssl_keys(), random_);
    from_ = *client_->connect(now_, kServer, {.tls = context, .connection = connection});
    while (!to_) exchange();
    stream_ = *client_->edit(from_)->open_stream(true);
  }

  /// Writes, carries all datagrams both ways, reads. Returns the bytes read.
  std::size_t transfer(Bytes data) {
    (void)client_->edit(from_)->write(stream_, data);
    return exchange();
  }

  [[nodiscard]] std::uint64_t packets() { return client_->find(from_)->stats().packets_sent; }

 private:
  static constexpr SocketAddress kClient = SocketAddress::loopback4(1);
  static constexpr SocketAddress kServer = SocketAddress::loopback4(2);

  std::size_t exchange() {
    std::size_t read = 0;
    now_ += 20us;
    for (bool moved = true; moved;) {
      moved = carry(*client_, *server_, kClient, kServer);
      drain(*server_);
      read += take();
      moved = carry(*server_, *client_, kServer, kClient) || moved;
      drain(*client_);
    }
    if (client_->next_deadline() <= now_) client_->on_deadline(now_);
    if (server_->next_deadline() <= now_) server_->on_deadline(now_);
    return read;
  }

  bool carry(Endpoint& source, Endpoint& sink, const SocketAddress& a, const SocketAddress& b) {
    bool any = false;
    TransmitBuffer out{storage_};
    while (const auto transmit = source.poll_transmit(now_, out)) {
      any = true;
      const MutableBytes train = MutableBytes(storage_).first(transmit->size);
      for (std::size_t at = 0; at < train.size(); at += transmit->segment_size) {
        const std::size_t size = std::min(transmit->segment_size, train.size() - at);
        sink.on_datagram(now_, {.path = {.local = b, .remote = a},
                                .ecn = transmit->ecn,
                                .payload = train.subspan(at, size)});
      }
    }
    return any;
  }

  void drain(Endpoint& endpoint) {
    while (const auto event = endpoint.poll_event()) {
      const auto* activity = std::get_if<transport::ConnectionActivity>(&*event);
      if (activity == nullptr || !activity->incoming) continue;
      if (std::holds_alternative<transport::Connected>(activity->event)) to_ = activity->connection;
    }
  }

  std::size_t take() {
    std::size_t total = 0;
    if (!to_) return total;
    transport::Connection& connection = *server_->edit(*to_);
    for (auto view = connection.peek(stream_); view && !view->data.empty();
         view = connection.peek(stream_)) {
      total += view->data.size();
      connection.consume(stream_, view->data.size());
    }
    return total;
  }

  sim::SeededRandom random_{1};
  Instant now_{1s};
  std::unique_ptr<Endpoint> server_;
  std::unique_ptr<Endpoint> client_;
  ConnectionHandle from_;
  std::optional<ConnectionHandle> to_;
  StreamId stream_;
  std::vector<u8> storage_ = std::vector<u8>(kMaxTransmitSize);
};

void bulk(benchmark::State& state, crypto::CipherSuite suite) {
  Pair pair(suite);
  const std::vector<u8> data(256 << 10, 0x5a);
  for (int i = 0; i < 50; ++i) pair.transfer(data);  // The window opens.
  std::size_t bytes = 0;
  const std::uint64_t before = pair.packets();
  for (auto _ : state) bytes += pair.transfer(data);
  const auto packets = static_cast<double>(pair.packets() - before);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["ns/packet"] =
      benchmark::Counter(packets * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(bulk, aes_128_gcm, crypto::CipherSuite::aes_128_gcm_sha256);
BENCHMARK_CAPTURE(bulk, aes_256_gcm, crypto::CipherSuite::aes_256_gcm_sha384);
BENCHMARK_CAPTURE(bulk, chacha20_poly1305, crypto::CipherSuite::chacha20_poly1305_sha256);

}  // namespace
}  // namespace qpeer
