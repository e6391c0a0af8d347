// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The lines of a descriptor, as they come.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::cli {

/// Watches a pipe, a terminal or a socket; a regular file is read at once. A line over 64 KiB ends
/// the input.
class LineReader {
 public:
  LineReader(io::EventLoop& loop, int descriptor);
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// No more lines: whoever waits gets nullopt.
  void close();

  /// co_await: the next line, without its end; nullopt after the last. One at a time.
  [[nodiscard]] auto next() {
    struct Next {
      LineReader& reader;
      [[nodiscard]] bool await_ready() const { return reader.ended_ || !reader.lines_.empty(); }
      void await_suspend(async::Waiter waiter) const { reader.waiter_ = waiter; }
      std::optional<std::string> await_resume() const { return reader.take(); }
      ~Next() { reader.waiter_ = {}; }
    };
    return Next{*this};
  }

 private:
  void on_readable();
  bool read_some();
  void end();
  void wake();
  std::optional<std::string> take();

  int descriptor_;
  std::string partial_;
  std::deque<std::string> lines_;
  bool ended_ = false;
  async::Waiter waiter_;
  io::Watch watch_;
  io::Timer timer_;  // Resumes the waiter from the loop, not from within a call of this object.
};

}  // namespace qpeer::cli
