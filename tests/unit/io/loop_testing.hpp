// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What tests of the event loop watch.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "qpeer/tests/unit/support.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::io {

using test::kLong;

// A pipe, closed at the end of its scope.
struct Pipe {
  Pipe() {
    if (::pipe(ends.data()) != 0) ADD_FAILURE() << "no pipe";
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void fill() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  void drain() const {
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  }
  [[nodiscard]] int out() const { return ends[0]; }
  [[nodiscard]] int in() const { return ends[1]; }
  std::array<int, 2> ends{};
};

inline Watch watch(EventLoop& loop, int fd, Interest interest, Watch::Callback callback) {
  auto out = loop.watch(fd, interest, std::move(callback));
  EXPECT_TRUE(out) << out.error().message();
  return out ? std::move(*out) : Watch{};
}

}  // namespace qpeer::io
