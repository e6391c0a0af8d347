// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client whose IP address the kernel takes away, in a network namespace of its own. RFC 9000 §9.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <vector>

#include "qpeer/tests/io/network_namespace.hpp"
#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

using io::test::LoopbackInterface;

constexpr u8 kServer = 1;
constexpr u8 kClient = 2;
constexpr std::size_t kSize = 16 << 20;

class GoneAddressTest : public Loopback {
 protected:
  void SetUp() override {}

  /// A server at one address, and a client on a wildcard socket that uses the other one.
  void open_both() {
    interface->add(kServer);
    interface->add(kClient);
    const AsyncEndpointOptions options{.bind = LoopbackInterface::address(kServer),
                                       .endpoint = {.server_tls = server_tls("test/1")}};
    auto opened_server = AsyncEndpoint::open(loop, options);
    ASSERT_TRUE(opened_server) << opened_server.error().message();
    server.emplace(std::move(*opened_server));
    auto opened_client = AsyncEndpoint::open(loop, {.bind = SocketAddress::ipv4({}, 0)});
    ASSERT_TRUE(opened_client) << opened_client.error().message();
    client.emplace(std::move(*opened_client));
    connect_options.tls = client_tls("test/1");
    connect_options.local = LoopbackInterface::address(kClient, client->local_address().port());
  }

  static Task<void> send_all(AsyncStream& stream) {
    const std::vector<u8> data(kSize, 7);
    EXPECT_TRUE(co_await stream.write(data));
    (void)stream.finish();
  }

  Task<void> download() {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    EXPECT_TRUE(both.client.info().local.same_host(LoopbackInterface::address(kClient)));
    BothStreams streams = co_await open_stream(both);
    TaskGroup group;
    group.spawn(send_all(streams.server));
    std::vector<u8> part(1 << 20);
    std::size_t size = 0;
    const Instant begin = io::now();
    while (true) {
      const auto read = co_await streams.client.read(part);
      if (!read || *read == 0) break;
      if (size < kSize / 4 && size + *read >= kSize / 4) interface->remove(kClient);
      size += *read;
    }
    co_await group.join();
    EXPECT_EQ(size, kSize);
    EXPECT_LT(io::now() - begin, 5s) << "an idle time-out takes 30";
    EXPECT_FALSE(both.client.info().local.same_host(LoopbackInterface::address(kClient)));
    EXPECT_TRUE(both.client.info().local.valid());
    EXPECT_EQ(both.client.stats().path_changes, 1U);
    EXPECT_EQ(both.server.stats().path_changes, 1U);
  }

  /// The client has nothing to send, so that nothing of it is refused.
  Task<void> answer_later() {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    BothStreams streams = co_await open_stream(both);
    co_await sleep_for(loop, 100ms);
    interface->remove(kClient);
    co_await sleep_for(loop, 100ms);
    const Instant begin = io::now();
    (void)co_await streams.server.write(as_bytes("answer"));
    (void)streams.server.finish();
    const auto read = co_await streams.client.read_all(100);
    EXPECT_TRUE(read && as_text(*read) == "answer");
    EXPECT_LT(io::now() - begin, 1s);
  }

  /// What was sent during an outage comes soon after its end, not when the next probe is due.
  Task<void> send_in_an_outage() {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    BothStreams streams = co_await open_stream(both);
    co_await sleep_for(loop, 100ms);
    interface->go_down();
    (void)co_await streams.client.write(as_bytes("question"));
    (void)streams.client.finish();
    co_await sleep_for(loop, 3s);
    interface->come_up();
    const Instant begin = io::now();
    const auto read = co_await streams.server.read_all(100);
    EXPECT_TRUE(read && as_text(*read) == "question");
    EXPECT_LT(io::now() - begin, 300ms);
  }

  /// In a process and network namespace of its own.
  void run_apart(const std::function<Task<void>()>& body) {
    io::test::run_in_namespace([&] {
      interface.emplace();
      open_both();
      if (!HasFatalFailure()) run(loop, body());
    });
  }

 private:
  std::optional<LoopbackInterface> interface;  // Of the child's namespace.
};

TEST_F(GoneAddressTest, ADownloadGoesOnFromAnother) {
  run_apart([this] { return download(); });
}

TEST_F(GoneAddressTest, AnAnswerThatIsAwaitedComes) {
  run_apart([this] { return answer_later(); });
}

TEST_F(GoneAddressTest, ALinkThatComesUpEndsAnOutage) {
  run_apart([this] { return send_in_an_outage(); });
}

}  // namespace
}  // namespace qpeer::async
