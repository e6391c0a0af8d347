#include "p2p/cli/common/receiver.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "crypto/identity.hpp"
#include "tests/unit/base/folder.hpp"

namespace qpeer::cli {
namespace {

// A receiver, and a connection to it that may say anything.
class ReceiverTest : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    server.emplace(*AsyncEndpoint::open(
        loop, {.bind = SocketAddress::loopback4(0), .endpoint = {.server_tls = server_tls("t")}}));
    client.emplace(*AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0)}));
    receiver.emplace(ReceiverOptions{.store = folder, .max_size = 1000, .max_transfers = 2},
                     [this](const Received& one) { received.push_back(one); });
  }

  Task<AsyncConnection> connect() {
    auto connection = co_await client->connect(server->local_address(), client_tls("t"));
    auto accepted = co_await server->accept();
    tasks.spawn(receiver->serve(std::move(*accepted)));
    co_return std::move(*connection);
  }

  /// Sends a request and its body to the end; the answer, if there is one.
  Task<std::optional<PutAnswer>> put(PutRequest request, std::string body) {
    AsyncConnection connection = co_await connect();
    auto stream = co_await connection.open_stream();
    const std::vector<u8> header = request.encode();
    (void)co_await stream->write(header);
    (void)co_await stream->write(as_bytes(body));
    (void)stream->finish();
    auto answer = co_await read_answer(*stream);
    co_return answer;
  }

  EventLoop loop;
  std::vector<Received> received;
  std::optional<AsyncEndpoint> server;
  std::optional<AsyncEndpoint> client;
  std::optional<Receiver> receiver;
  TaskGroup tasks;
};

TEST_F(ReceiverTest, StoresAFileAndTellsItsChecksum) {
  const auto answer = run(loop, put({"name", 5}, "hello"));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->stored);
  EXPECT_EQ(answer->text, "name");
  EXPECT_EQ(answer->sha256, crypto::sha256(as_bytes("hello")));
  EXPECT_EQ(contents("name"), "hello");
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(ReceiverTest, StoresAnEmptyFile) {
  const auto answer = run(loop, put({"empty", 0}, ""));
  ASSERT_TRUE(answer && answer->stored);
  EXPECT_EQ(files(), std::vector<std::string>{"empty"});
}

TEST_F(ReceiverTest, RefusesWhatItMustAndKeepsNothing) {
  struct Case {
    PutRequest request;
    std::string body;
    std::string why;
  };
  const std::vector<Case> cases{
      {{"../up", 5}, "hello", "the name is refused: it begins with a dot"},
      {{"a/b", 5}, "hello", "the name is refused: it holds a slash"},
      {{"", 5}, "hello", "the name is refused: it is empty"},
      {{"large", 1001}, std::string(1001, 'x'), "the file is too large; the limit is 1000 B"},
      {{"endless", ~std::uint64_t{0}}, "x", "the file is too large; the limit is 1000 B"},
      {{"more", 4}, "hello", "more came than was announced"},
      {{"less", 6}, "hello", "less came than was announced"}};
  for (const Case& wrong : cases) {
    const auto answer = run(loop, put(wrong.request, wrong.body));
    ASSERT_TRUE(answer) << wrong.why;
    EXPECT_FALSE(answer->stored);
    EXPECT_EQ(answer->text, wrong.why);
    EXPECT_TRUE(files().empty()) << wrong.why;
  }
  EXPECT_EQ(received.size(), cases.size());
}

TEST_F(ReceiverTest, ABrokenTransferLeavesNothing) {
  auto body = [this]() -> Task<void> {
    AsyncConnection connection = co_await connect();
    {
      auto stream = co_await connection.open_stream();
      const std::vector<u8> header = PutRequest{"half", 10}.encode();
      (void)co_await stream->write(header);
      (void)co_await stream->write(as_bytes("hello"));
      co_await sleep_for(loop, 20ms);
      EXPECT_EQ(files().size(), 1U);
    }  // Resets it.
    while (received.empty()) co_await sleep_for(loop, 1ms);
    EXPECT_EQ(received[0].failure, "the sender broke off");
    EXPECT_TRUE(files().empty());
  };
  run(loop, body());
}

TEST_F(ReceiverTest, MoreTransfersThanAllowedAreTurnedAway) {
  auto body = [this]() -> Task<void> {
    AsyncConnection connection = co_await connect();
    std::vector<AsyncStream> open;
    for (int i = 0; i < 2; ++i) {
      auto stream = co_await connection.open_stream();
      const std::vector<u8> header = PutRequest{"slow", 10}.encode();
      (void)co_await stream->write(header);
      open.push_back(std::move(*stream));
    }
    co_await sleep_for(loop, 20ms);
    const PutRequest third{"third", 5};
    const auto answer = co_await put(third, "hello");
    EXPECT_TRUE(answer && answer->text == "the node is busy");
  };
  run(loop, body());
}

TEST_F(ReceiverTest, RubbishIsStopped) {
  auto body = [this]() -> Task<void> {
    for (const char* rubbish : {"\x07", "\x01",
                                "\x01\xff"
                                "abc",
                                ""}) {
      AsyncConnection connection = co_await connect();
      auto stream = co_await connection.open_stream();
      (void)co_await stream->write(as_bytes(rubbish));
      (void)stream->finish();
      const auto answer = co_await read_answer(*stream);
      EXPECT_FALSE(answer);
    }
    EXPECT_TRUE(files().empty());
  };
  run(loop, body());
}

TEST_F(ReceiverTest, PingsComeBack) {
  auto body = [this]() -> Task<void> {
    AsyncConnection connection = co_await connect();
    auto stream = co_await connection.open_stream();
    (void)co_await stream->write(
        as_bytes("\x02"
                 "12345678abcdefgh"));
    std::array<u8, 16> pong{};
    const auto size = co_await stream->read_full(pong);
    EXPECT_EQ(size, 16U);
    EXPECT_EQ(as_text(pong), "12345678abcdefgh");
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::cli
