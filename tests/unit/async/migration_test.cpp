// Connections that move between the sockets of an endpoint. RFC 9000 §9.2, §9.6.
#include <gtest/gtest.h>

#include "tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

class AsyncMigrationTest : public Loopback {
 protected:
  /// The client has a second socket.
  void SetUp() override {
    open({});
    auto opened = AsyncEndpoint::open(
        loop, {.bind = SocketAddress::loopback4(0), .more_binds = {SocketAddress::loopback4(0)}});
    ASSERT_TRUE(opened) << opened.error().message();
    client.emplace(std::move(*opened));
  }

  Task<void> exchange(Both& both) {
    BothStreams streams = co_await open_stream(both);
    (void)co_await streams.client.write(as_bytes("after"));
    (void)streams.client.finish();
    const auto read = co_await streams.server.read_all(100);
    EXPECT_EQ(as_text(*read), "after");
  }

  Task<void> move() {
    Both both = co_await connect();
    EXPECT_EQ(both.client.migrate(client->local_addresses().back()),
              std::unexpected(transport::PathError::not_confirmed));
    (void)co_await both.client.confirmed();
    // The server's further connection IDs may come a little later.
    auto begun = both.client.migrate(client->local_addresses().back());
    for (int i = 0; i < 100 && !begun; ++i) {
      co_await sleep_for(loop, 10ms);
      begun = both.client.migrate(client->local_addresses().back());
    }
    EXPECT_TRUE(begun.has_value());
    for (int i = 0; i < 100 && both.server.stats().path_changes == 0; ++i) {
      co_await exchange(both);
      co_await sleep_for(loop, 10ms);
    }
    EXPECT_EQ(both.client.stats().path_changes, 1U);
    EXPECT_EQ(both.server.stats().path_changes, 1U);
    EXPECT_EQ(both.server.info().remote, client->local_addresses().back());
  }
};

TEST_F(AsyncMigrationTest, AClientMovesToItsSecondSocket) {
  ASSERT_EQ(client->local_addresses().size(), 2U);
  EXPECT_EQ(client->local_addresses().front(), client->local_address());
  run(loop, move());
}

TEST_F(AsyncMigrationTest, ASocketThatCannotBeHadFailsTheEndpoint) {
  const auto opened = AsyncEndpoint::open(
      loop, {.bind = SocketAddress::loopback4(0), .more_binds = {client->local_address()}});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error(), std::errc::address_in_use);
}

}  // namespace
}  // namespace qpeer::async
