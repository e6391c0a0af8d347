// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <gtest/gtest.h>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

using AsyncStreamTest = Loopback;

Task<void> send(AsyncStream& stream, Bytes data) {
  const auto written = co_await stream.write(data);
  EXPECT_TRUE(written);
  EXPECT_TRUE(stream.finish());
  const auto finished = co_await stream.finished();
  EXPECT_TRUE(finished);
}

TEST_F(AsyncStreamTest, CarriesMoreThanItsBuffersBothWaysAtOnce) {
  const std::vector<u8> data = pattern(24 << 20);  // Three times the stream's window.
  auto body = [&]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    auto receive = [](AsyncStream& stream, const std::vector<u8>& wanted) -> Task<void> {
      const auto got = co_await stream.read_all(wanted.size() + 1);
      EXPECT_TRUE(got && *got == wanted);
    };
    TaskGroup group;
    group.spawn(send(streams.client, data));
    group.spawn(send(streams.server, data));
    group.spawn(receive(streams.client, data));
    group.spawn(receive(streams.server, data));
    co_await group.join();
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, ReadGivesPiecesThenTheEndAgainAndAgain) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    (void)co_await streams.client.write(as_bytes("abcdef"));
    EXPECT_TRUE(streams.client.finish());
    std::array<u8, 4> buffer{};
    auto size = co_await streams.server.read_full(buffer);
    EXPECT_EQ(size, 4U);
    EXPECT_EQ(as_text(buffer), "abcd");
    size = co_await streams.server.read_full(buffer);
    EXPECT_EQ(size, 2U);
    for (int i = 0; i < 2; ++i) {
      size = co_await streams.server.read(buffer);
      EXPECT_EQ(size, 0U);
      const auto view = co_await streams.server.peek();
      EXPECT_TRUE(view->fin && view->data.empty());
    }
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, PeekShowsUntilItIsConsumed) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    (void)co_await streams.client.write(as_bytes("abc"));
    auto view = co_await streams.server.peek();
    EXPECT_EQ(as_text(view->data), "abc");
    streams.server.consume(1);
    view = co_await streams.server.peek();
    EXPECT_EQ(as_text(view->data), "bc");
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, UnidirectionalStreamsGoOneWay) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both, false);
    EXPECT_FALSE(streams.client.is_bidirectional());
    std::array<u8, 4> buffer{};
    const auto read = co_await streams.client.read(buffer);
    EXPECT_EQ(read.error(), StreamError::wrong_direction);
    const auto written = co_await streams.server.write(as_bytes("x"));
    EXPECT_EQ(written.error(), StreamError::wrong_direction);
    EXPECT_EQ(streams.server.finish().error(), StreamError::wrong_direction);
    co_await send(streams.client, as_bytes("there"));
    const auto got = co_await streams.server.read_all(100);
    EXPECT_EQ(as_text(*got), "there");
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, MisuseAfterTheEndIsAnError) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    EXPECT_TRUE(streams.client.finish());
    EXPECT_EQ(streams.client.finish().error(), StreamError::finished);
    const auto written = co_await streams.client.write(as_bytes("late"));
    EXPECT_EQ(written.error(), StreamError::finished);
    EXPECT_TRUE(streams.client.stop_sending(1));
    std::array<u8, 4> buffer{};
    const auto read = co_await streams.client.read(buffer);
    EXPECT_EQ(read.error(), StreamError::finished);
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, ResetTellsTheReaderItsCode) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    EXPECT_TRUE(streams.client.reset(42));
    std::array<u8, 4> buffer{};
    for (int i = 0; i < 2; ++i) {
      const auto read = co_await streams.server.read(buffer);
      EXPECT_EQ(read.error(), StreamError::reset);
      EXPECT_EQ(streams.server.reset_code(), 42U);
    }
    const auto finished = co_await streams.client.finished();
    EXPECT_EQ(finished.error(), StreamError::finished);
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, StopSendingTellsTheWriterItsCode) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    EXPECT_TRUE(streams.server.stop_sending(43));
    const std::vector<u8> much = pattern(32 << 20);
    const auto written = co_await streams.client.write(much);
    EXPECT_EQ(written.error(), StreamError::stopped);
    EXPECT_EQ(streams.client.stop_code(), 43U);
    const auto finished = co_await streams.client.finished();
    EXPECT_EQ(finished.error(), StreamError::stopped);
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, OurOwnResetWakesOurOwnWriter) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    auto write = [](AsyncStream& stream) -> Task<void> {
      const std::vector<u8> much = pattern(32 << 20);
      const auto written = co_await stream.write(much);
      EXPECT_EQ(written.error(), StreamError::finished);
    };
    auto read = [](AsyncStream& stream) -> Task<void> {
      std::array<u8, 4> buffer{};
      const auto size = co_await stream.read(buffer);
      EXPECT_EQ(size.error(), StreamError::finished);
    };
    TaskGroup group;
    group.spawn(write(streams.client));
    group.spawn(read(streams.client));
    co_await sleep_for(loop, 5ms);
    EXPECT_EQ(group.size(), 2U);
    EXPECT_TRUE(streams.client.reset(0));
    EXPECT_TRUE(streams.client.stop_sending(0));
    co_await group.join();
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, DestroyingItUnfinishedResetsAndStops) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    std::optional<BothStreams> streams = co_await open_stream(both);
    AsyncStream peer = std::move(streams->server);
    streams.reset();
    std::array<u8, 4> buffer{};
    const auto read = co_await peer.read(buffer);
    EXPECT_EQ(read.error(), StreamError::reset);
    const std::vector<u8> much = pattern(32 << 20);
    const auto written = co_await peer.write(much);
    EXPECT_EQ(written.error(), StreamError::stopped);
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, DestroyingItFinishedDeliversAll) {
  const std::vector<u8> data = pattern(200'000);  // What is taken though nothing was read.
  auto body = [&]() -> Task<void> {
    Both both = co_await connect();
    std::optional<BothStreams> streams = co_await open_stream(both, false);
    AsyncStream peer = std::move(streams->server);
    (void)co_await streams->client.write(data);
    EXPECT_TRUE(streams->client.finish());
    streams.reset();
    const auto got = co_await peer.read_all(data.size() + 1);
    EXPECT_TRUE(got && *got == data);
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, WhatCameBeforeTheCloseCanBeRead) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    {
      auto stream = co_await both.client.open_stream();
      co_await send(*stream, as_bytes("last words"));
    }
    both.client.close(0, "bye");
    const CloseReason reason = co_await both.server.closed();
    EXPECT_EQ(reason.reason, "bye");
    const auto stream = co_await both.server.accept_stream();
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto words = co_await const_cast<AsyncStream&>(*stream).read_all(100);
    EXPECT_TRUE(words && as_text(*words) == "last words");
  };
  run(loop, body());
}

// The peer knows that all arrived, so a reader gets it however late it reads.
TEST_F(AsyncStreamTest, WhatWasAcknowledgedCanBeReadLongAfterTheClose) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    const auto data = pattern(100'000);
    {
      auto stream = co_await both.client.open_stream(false);
      co_await send(*stream, data);
    }
    both.client.close(0, "bye");
    (void)co_await both.server.closed();
    co_await sleep_for(loop, 600ms);  // It has drained: three PTOs of a loopback.
    auto stream = co_await both.server.accept_stream(false);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto got = co_await stream->read_all(data.size() + 1);
    EXPECT_TRUE(got && *got == data);
    co_await sleep_for(loop, 1ms);
    EXPECT_EQ(server->stats().connections, 0U) << "nothing is left to be read";
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, ACancelledReadLosesNothing) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    auto read = [](AsyncStream& stream) -> Task<void> {
      std::array<u8, 4> buffer{};
      (void)co_await stream.read(buffer);
      ADD_FAILURE() << "went on";
    };
    {
      TaskGroup group;
      group.spawn(read(streams.server));
      co_await sleep_for(loop, 5ms);
    }
    (void)co_await streams.client.write(as_bytes("kept"));
    std::array<u8, 4> buffer{};
    const auto size = co_await streams.server.read_full(buffer);
    EXPECT_EQ(size, 4U);
    EXPECT_EQ(as_text(buffer), "kept");
  };
  run(loop, body());
}

TEST_F(AsyncStreamTest, AThousandRequestsAHundredAtATimeAreAllAnswered) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    auto echo = [](AsyncStream stream) -> Task<void> {
      const auto question = co_await stream.read_all(100);
      (void)co_await stream.write(*question);
      (void)stream.finish();
    };
    auto serve = [](AsyncConnection connection, auto answer) -> Task<void> {
      TaskGroup streams;
      for (;;) {
        auto stream = co_await connection.accept_stream();
        if (!stream) break;
        streams.spawn(answer(std::move(*stream)));
      }
      co_await streams.join();
    };
    int answered = 0;
    auto ask = [](AsyncConnection connection, int first, int& count) -> Task<void> {
      for (int i = first; i < first + 10; ++i) {
        auto stream = co_await connection.open_stream();
        const std::string question = "question " + std::to_string(i);
        (void)co_await stream->write(as_bytes(question));
        (void)stream->finish();
        const auto answer = co_await stream->read_all(100);
        if (answer && as_text(*answer) == question) ++count;
      }
    };
    TaskGroup server_tasks;
    server_tasks.spawn(serve(both.server, echo));
    TaskGroup client_tasks;
    for (int i = 0; i < 100; ++i) client_tasks.spawn(ask(both.client, 10 * i, answered));
    co_await client_tasks.join();
    EXPECT_EQ(answered, 1000);
    both.client.close();
    co_await server_tasks.join();
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::async
