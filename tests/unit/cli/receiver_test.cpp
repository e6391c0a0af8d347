// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/receiver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include "qpeer/qpeer.hpp"

#include <filesystem>
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
  static NodeOptions options() {
    NodeOptions out;
    out.identity = make_identity();
    out.listen = SocketAddress::loopback4(0);
    return out;
  }
  void SetUp() override {
    InFolder::SetUp();
    node.emplace(*Node::start(loop, options()));
    other.emplace(*Node::start(loop, options()));
    client.emplace(*Client::start(loop, options()));
    serve({});
    node->on_stream([this](PeerStream stream) {
      tasks.spawn(receiver->serve(std::move(stream), SocketAddress::loopback4(1)));
    });
  }

  /// From now on, with limits that a test reaches.
  void serve(ReceiverOptions options, bool anyone_stores = true) {
    options.store = folder;
    options.limits.max_size = 1000;
    options.max_transfers = 2;
    options.anyone_stores = anyone_stores;
    receiver.emplace(loop, std::move(options),
                     [this](const Received& one) { received.push_back(one); });
  }

  /// A client that holds so many bytes of a stream at most before it reads them.
  Client client_with_window(std::uint64_t bytes) {
    NodeOptions small = options();
    small.config.connection.streams.stream_receive_window = bytes;
    return std::move(*Client::start(loop, std::move(small)));
  }
  Task<PeerStream> open() { return open(*client); }
  Task<PeerStream> open(Client& from) {
    const PeerAddress contact = node->contact();
    const auto server = co_await from.connect(contact);
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
      {{"more", 4}, "hello", "the file is longer than announced"},
      {{"less", 6}, "hello", "the file is shorter than announced"}};
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
    EXPECT_EQ(received[0].failure, "the sender ended the stream early");
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

TEST_F(ReceiverTest, NeitherOnePeerNorOneNetworkTakesAllTransfers) {
  ReceiverOptions one_for_peer;
  one_for_peer.max_transfers_of_peer = 1;
  ReceiverOptions one_for_network;
  one_for_network.max_transfers_of_network = 1;
  auto body = [this](ReceiverOptions limits) -> Task<void> {
    serve(std::move(limits));
    PeerStream slow = co_await open();
    const std::vector<u8> header = PutRequest{"slow", 10}.encode();
    (void)co_await slow.write(header);
    while (files().empty()) co_await sleep_for(loop, 1ms);
    const PutRequest second{"second", 5};
    const auto answer = co_await put(second, "hello");
    EXPECT_TRUE(answer && answer->text == "the node is busy");
    (void)slow.reset(0);
    while (!files().empty()) co_await sleep_for(loop, 1ms);
  };
  run(loop, body(one_for_peer));
  run(loop, body(one_for_network));
}

TEST_F(ReceiverTest, NobodyStoresUnlessAllowed) {
  serve({}, false);
  const auto refused = run(loop, put({"name", 5}, "hello"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->text, "this node takes no files from you");
  EXPECT_TRUE(files().empty());
  ReceiverOptions only_the_client;
  only_the_client.storers = {client->id()};
  serve(only_the_client, false);
  const auto stored = run(loop, put({"name", 5}, "hello"));
  EXPECT_TRUE(stored && stored->stored);
}

TEST_F(ReceiverTest, BeyondItsShareNothingOfAPeerIsWritten) {
  ReceiverOptions small;
  small.limits.peer_quota = Store::kPerFile + 100;
  serve(small);
  auto body = [this]() -> Task<void> {
    PeerStream stream = co_await open();
    const std::vector<u8> header = PutRequest{"large", 101}.encode();
    (void)co_await stream.write(header);  // And no body: it is refused before.
    const auto refused = co_await read_put_answer(stream);
    EXPECT_TRUE(refused &&
                refused->text == "there is no room for it; the share of one peer is 4.1 KiB");
    EXPECT_TRUE(files().empty());
    const PutRequest fits{"small", 100};
    const auto stored = co_await put(fits, std::string(100, 'x'));
    EXPECT_TRUE(stored && stored->stored);
  };
  run(loop, body());
}

TEST_F(ReceiverTest, WhatStandsStillOrTricklesIsBrokenOff) {
  ReceiverOptions impatient;
  impatient.patience = 200ms;
  impatient.least_progress = 100;
  serve(impatient);
  auto body = [this]() -> Task<void> {
    PeerStream mute = co_await open();
    (void)co_await mute.write(as_bytes("\x01"));
    PeerStream still = co_await open();
    const std::vector<u8> header = PutRequest{"still", 900}.encode();
    (void)co_await still.write(header);
    PeerStream trickle = co_await open();
    const std::vector<u8> second = PutRequest{"trickle", 900}.encode();
    (void)co_await trickle.write(second);
    while (received.size() < 2) {
      (void)co_await trickle.write(as_bytes("x"));
      co_await sleep_for(loop, 10ms);
    }
    for (const Received& one : received) {
      EXPECT_EQ(one.failure, "the transfer stopped, or was too slow") << one.name;
    }
    EXPECT_TRUE(files().empty());
    const auto answer = co_await read_put_answer(mute);
    EXPECT_FALSE(answer);
    const PutRequest honest{"honest", 5};
    const auto stored = co_await put(honest, "hello");
    EXPECT_TRUE(stored && stored->stored);
  };
  run(loop, body());
}

TEST_F(ReceiverTest, AGetWhoseClientDoesNotReadIsBrokenOff) {
  ReceiverOptions impatient;
  impatient.patience = 200ms;
  serve(impatient);
  make("large", "");
  std::filesystem::resize_file(folder + "/large", 64 << 20);
  auto body = [this]() -> Task<void> {
    PeerStream stream = co_await open();
    const std::vector<u8> request = GetRequest{"large"}.encode();
    (void)co_await stream.write(request);
    (void)stream.finish();
    co_await sleep_for(loop, 1s);
    std::vector<u8> buffer(1 << 20);
    auto size = co_await stream.read_full(buffer);
    while (size && *size == buffer.size()) size = co_await stream.read_full(buffer);
    EXPECT_FALSE(size);
  };
  run(loop, body());
}

// At twice the least rate. All of the file waits in the node's buffer meanwhile.
TEST_F(ReceiverTest, ASlowReaderGetsAllOfAFileThatTheNodeHasBuffered) {
  ReceiverOptions impatient;
  impatient.patience = 200ms;
  impatient.least_progress = 2'000;
  serve(impatient);
  make("slow", std::string(20'000, 'x'));
  Client reader = client_with_window(2'048);
  auto body = [&]() -> Task<void> {
    PeerStream stream = co_await open(reader);
    const std::vector<u8> request = GetRequest{"slow"}.encode();
    (void)co_await stream.write(request);
    (void)stream.finish();
    std::size_t got = 0;
    std::vector<u8> buffer(1'000);
    for (;;) {
      const auto size = co_await stream.read(buffer);
      EXPECT_TRUE(size) << "after " << got << " bytes";
      if (!size || *size == 0) break;
      got += *size;
      co_await sleep_for(loop, 50ms);
    }
    EXPECT_GT(got, 20'000U);
  };
  run(loop, body());
}

TEST_F(ReceiverTest, AnswersThatAreNotReadAreNoTransfers) {
  Client reader = client_with_window(1);
  auto body = [&]() -> Task<void> {
    std::vector<PeerStream> streams;
    const std::vector<u8> request = GetRequest{std::string(150, 'x')}.encode();
    for (int i = 0; i < 20; ++i) {
      streams.push_back(co_await open(reader));
      (void)co_await streams.back().write(request);
      (void)streams.back().finish();
    }
    co_await sleep_for(loop, 50ms);
    const PutRequest honest{"honest", 5};
    const auto stored = co_await put(honest, "hello");
    EXPECT_TRUE(stored && stored->stored);
  };
  run(loop, body());
}

TEST_F(ReceiverTest, SymbolicLinksAreNotServed) {
  make("real", "hello");
  ASSERT_EQ(::symlink("/etc/passwd", (folder + "/link").c_str()), 0);
  ASSERT_EQ(::symlink("real", (folder + "/alias").c_str()), 0);
  EXPECT_EQ(receiver->names(), std::vector<std::string>{"real"});
  auto body = [this]() -> Task<void> {
    for (const char* name : {"link", "alias", "real"}) {
      PeerStream stream = co_await open();
      const std::vector<u8> request = GetRequest{name}.encode();
      (void)co_await stream.write(request);
      (void)stream.finish();
      const auto answer = co_await read_get_answer(stream);
      EXPECT_TRUE(answer && answer->found == (std::string_view(name) == "real")) << name;
    }
  };
  run(loop, body());
}

TEST_F(ReceiverTest, MalformedRequestsAreStopped) {
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
