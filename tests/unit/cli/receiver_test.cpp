// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/receiver.hpp"

#include <gtest/gtest.h>
#include "qpeer/qpeer.hpp"

#include <string>
#include <utility>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/base/folder.hpp"

namespace qpeer::cli {
namespace {

// A node that serves, a client of it that may say anything, and another node.
class ReceiverTest : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    const auto options = [] {
      NodeOptions out;
      out.identity = make_identity();
      out.listen = SocketAddress::loopback4(0);
      return out;
    };
    node.emplace(*Node::start(loop, options()));
    other.emplace(*Node::start(loop, options()));
    client.emplace(*Client::start(loop, options()));
    receiver.emplace(ReceiverOptions{.store = folder, .max_size = 1000, .max_transfers = 2},
                     [this](const Received& one) { received.push_back(one); });
    node->on_stream([this](PeerStream stream) { tasks.spawn(receiver->serve(std::move(stream))); });
  }

  Task<PeerStream> open() {
    const PeerAddress contact = node->contact();
    const auto server = co_await client->connect(contact);
    auto stream = co_await server->open_stream();
    co_return std::move(*stream);
  }

  /// Sends a request and its body to the end; the answer, if there is one.
  Task<std::optional<PutAnswer>> put(PutRequest request, std::string body) {
    PeerStream stream = co_await open();
    const std::vector<u8> header = request.encode();
    (void)co_await stream.write(header);
    (void)co_await stream.write(as_bytes(body));
    (void)stream.finish();
    auto answer = co_await read_put_answer(stream);
    co_return answer;
  }

  EventLoop loop;
  std::vector<Received> received;
  std::optional<Node> node;
  std::optional<Node> other;
  std::optional<Client> client;
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
  // Told once the sender has acknowledged the answer.
  EXPECT_TRUE(loop.run_until([&] { return received.size() == cases.size(); }, io::now() + 5s));
}

TEST_F(ReceiverTest, ABrokenTransferLeavesNothing) {
  auto body = [this]() -> Task<void> {
    {
      PeerStream stream = co_await open();
      const std::vector<u8> header = PutRequest{"half", 10}.encode();
      (void)co_await stream.write(header);
      (void)co_await stream.write(as_bytes("hello"));
      while (files().empty()) co_await sleep_for(loop, 1ms);
    }  // Resets it.
    while (received.empty()) co_await sleep_for(loop, 1ms);
    EXPECT_EQ(received[0].failure, "the sender broke off");
    EXPECT_EQ(received[0].from, client->id());
    EXPECT_TRUE(files().empty());
  };
  run(loop, body());
}

TEST_F(ReceiverTest, MoreTransfersThanAllowedAreTurnedAway) {
  auto body = [this]() -> Task<void> {
    std::vector<PeerStream> streams;
    for (std::size_t i = 1; i <= 2; ++i) {
      streams.push_back(co_await open());
      const std::vector<u8> header = PutRequest{"slow", 10}.encode();
      (void)co_await streams.back().write(header);
      while (files().size() < i) co_await sleep_for(loop, 1ms);
    }
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
                                "\x02\x05"
                                "ab",
                                ""}) {
      PeerStream stream = co_await open();
      (void)co_await stream.write(as_bytes(rubbish));
      (void)stream.finish();
      const auto answer = co_await read_put_answer(stream);
      EXPECT_FALSE(answer);
    }
    EXPECT_TRUE(files().empty());
  };
  run(loop, body());
}

TEST_F(ReceiverTest, WhatIsStoredComesBack) {
  auto body = [this]() -> Task<void> {
    const PutRequest request{"name", 5};
    (void)co_await put(request, "hello");
    for (const char* name : {"name", "other", "../name"}) {
      PeerStream stream = co_await open();
      const std::vector<u8> wish = GetRequest{name}.encode();
      (void)co_await stream.write(wish);
      (void)stream.finish();
      const auto answer = co_await read_get_answer(stream);
      const bool there = std::string_view(name) == "name";
      EXPECT_TRUE(answer && answer->found == there) << name;
      const auto rest = co_await stream.read_all(1000);
      EXPECT_TRUE(rest && rest->size() == (there ? 5 + 32 : 0)) << name;
      if (there && rest) {
        EXPECT_EQ(as_text(Bytes(*rest).first(5)), "hello");
      }
    }
  };
  run(loop, body());
  EXPECT_EQ(receiver->names(), std::vector<std::string>{"name"});
}

TEST_F(ReceiverTest, ANodePutsWithoutAnAnswer) {
  auto body = [this]() -> Task<void> {
    const PeerAddress contact = node->contact();
    const auto peer = co_await other->connect(contact);
    EXPECT_TRUE(peer);
    auto stream = co_await peer->open_stream();
    const std::vector<u8> header = PutRequest{"name", 5}.encode();
    (void)co_await stream->write(header);
    (void)co_await stream->write(as_bytes("hello"));
    (void)stream->finish();
    while (received.empty()) co_await sleep_for(loop, 1ms);
    EXPECT_EQ(received[0].failure, "");
    EXPECT_EQ(contents("name"), "hello");
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::cli
