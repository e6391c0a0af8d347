// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a stream does, with callbacks.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

class StreamCallbacks : public Loopback {
 protected:
  void SetUp() override {
    Loopback::SetUp();
    auto body = [&]() -> Task<void> {
      both.emplace(co_await connect());
      auto streams = co_await open_stream(*both);
      here.emplace(std::move(streams.client));
      there.emplace(std::move(streams.server));
    };
    run(loop, body());
  }
  void TearDown() override {
    here.reset();
    there.reset();
  }
  std::optional<Both> both;
  std::optional<AsyncStream> here;
  std::optional<AsyncStream> there;
};

TEST_F(StreamCallbacks, CarryWhatIsWrittenToItsEnd) {
  const auto data = pattern(3 << 20);
  std::vector<u8> got;
  bool finished = false;
  here->write(data, [&](std::expected<void, StreamError> written) {
    EXPECT_TRUE(written);
    EXPECT_TRUE(here->finish());
    here->finished([&](auto result) { finished = result.has_value(); });
  });
  there->read_all(4 << 20, [&](std::expected<std::vector<u8>, StreamError> all) {
    ASSERT_TRUE(all);
    got = std::move(*all);
  });
  EXPECT_TRUE(turn_until([&] { return finished && !got.empty(); }));
  EXPECT_TRUE(equal(got, data));
}

TEST_F(StreamCallbacks, ReadAndPeekGiveWhatThereIs) {
  std::array<u8, 3> first{};
  std::string rest;
  there->read_full(first, [&](auto size) {
    EXPECT_EQ(size, 3U);
    there->peek([&](std::expected<transport::ReadView, StreamError> view) {
      ASSERT_TRUE(view);
      rest = as_text(view->data);
      there->consume(view->data.size());
    });
  });
  here->write(as_bytes("abcdef"), nullptr);
  EXPECT_TRUE(turn_until([&] { return !rest.empty(); }));
  EXPECT_EQ(as_text(first), "abc");
  EXPECT_EQ(rest, "def");
  std::array<u8, 8> buffer{};
  std::optional<std::size_t> size;
  EXPECT_TRUE(here->finish());
  there->read(buffer, [&](auto read) { size = read.value_or(99); });
  EXPECT_TRUE(turn_until([&] { return size.has_value(); }));
  EXPECT_EQ(size, 0U) << "the end";
}

TEST_F(StreamCallbacks, AreNeverCalledWithinTheCall) {
  bool called = false;
  EXPECT_TRUE(here->reset(1));
  here->write(as_bytes("x"), [&](auto written) {
    EXPECT_EQ(written.error(), StreamError::finished);
    called = true;
  });
  EXPECT_FALSE(called);
  EXPECT_TRUE(turn_until([&] { return called; }));
}

TEST_F(StreamCallbacks, AreNotCalledOnceTheStreamIsDestroyed) {
  std::array<u8, 8> buffer{};
  bool called = false;
  there->read(buffer, [&](auto) { called = true; });
  there.reset();
  here->write(as_bytes("x"), nullptr);
  // What is sent later on another stream arrives later, on an idle loopback.
  auto body = [&]() -> Task<void> { (void)co_await open_stream(*both); };
  run(loop, body());
  EXPECT_FALSE(called);
}

TEST_F(StreamCallbacks, MayDestroyTheStreamAndTheEndpoint) {
  bool called = false;
  there->read_all(1024, [&](auto) {
    there.reset();
    both.reset();
    server.reset();
    called = true;
  });
  EXPECT_TRUE(here->finish());
  EXPECT_TRUE(turn_until([&] { return called; }));
  turn_for(5ms);
}

TEST_F(StreamCallbacks, LetTheStreamMoveMeanwhile) {
  std::string got;
  there->read_all(1024, [&](auto all) { got = as_text(all.value()); });
  turn_for(5ms);
  AsyncStream moved = std::move(*there);
  there.reset();
  here->write(as_bytes("moved"), [&](auto) { EXPECT_TRUE(here->finish()); });
  EXPECT_TRUE(turn_until([&] { return !got.empty(); }));
  EXPECT_EQ(got, "moved");
}

}  // namespace
}  // namespace qpeer::async
