// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A congestion controller of one's own, and a transfer that it controls.
#include <qpeer/transport.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
using namespace qpeer;

class Simple final : public transport::CongestionController {
 public:
  void on_ack(const transport::AckSample& sample) override {
    if (!sample.application_limited) window_ += sample.acked_bytes / 8;
  }
  void on_loss(const transport::LossSample& sample) override {
    if (sample.largest_lost_sent_at <= reduced_at_) return;  // Sent before the last reduction.
    window_ = std::max<std::uint64_t>(window_ / 2, 2'400);
    reduced_at_ = sample.now;
  }
  [[nodiscard]] std::uint64_t window() const override { return window_; }

 private:
  std::uint64_t window_ = 12'000;
  Instant reduced_at_ = Instant::min();
};

Task<int> transfer(AsyncEndpoint& server, AsyncEndpoint& client) {
  ConnectOptions options{.tls = client_tls("bulk/1")};
  options.connection.congestion_controller = [](std::uint16_t /*max_datagram_size*/) {
    return std::make_unique<Simple>();
  };
  auto dialled = co_await client.connect(server.local_address(), options);
  if (!dialled) co_return std::puts(to_string(dialled.error()).c_str());
  const std::vector<u8> data(100'000, 7);
  auto outgoing = co_await dialled->open_stream();
  co_await outgoing->write(data);
  outgoing->finish();
  auto accepted = co_await server.accept();
  auto incoming = co_await accepted->accept_stream();
  const auto received = co_await incoming->read_all(data.size());
  co_return received && *received == data && dialled->stats().congestion_window > 12'000 ? 0 : 1;
}

int main() {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("bulk/1")}});
  auto client = AsyncEndpoint::open(loop);
  return run(loop, transfer(*server, *client));
}
