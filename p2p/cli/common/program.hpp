// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What every program does around its task: signals, errors, lines that appear at once.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "qpeer/p2p/cli/common/line_writer.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::cli {

/// Runs `task` to its exit status. Meanwhile a thread writes what is printed, so that a reader who
/// stands still does not stop the loop. At the end all of it is written; after a signal what is left
/// after a second is lost. SIGINT and SIGTERM cancel it: then the status is
/// `when_stopped`, or 128 + the signal's number if that is negative. SIGPIPE is ignored.
int run_program(io::EventLoop& loop, async::Task<int> task, int when_stopped = -1);
/// The same, but the first signal calls `stop`, after which the task is to end by itself; the
/// second cancels it.
int run_program(io::EventLoop& loop, async::Task<int> task, std::function<void()> stop);

/// What becomes of a line when the earlier ones were not read: see LineWriter.
using WhenFull = LineWriter::WhenFull;
/// One line on standard output, there at once also in a pipe. False when it is lost.
bool print_line(std::string_view line, WhenFull when_full = WhenFull::keep);
/// False while too much of what was printed is unread: who prints much, line by line, is to wait then.
[[nodiscard]] bool output_has_room();
template <class... T>
void say(fmt::format_string<T...> format, T&&... values) {
  print_line(fmt::format(format, std::forward<T>(values)...));
}
/// One line on standard error, control characters masked. Lost when the reader is behind by a megabyte of
/// earlier ones; the next one that is not lost says how many were.
void complain(std::string_view line);
template <class... T>
void complain(fmt::format_string<T...> format, T&&... values) {
  complain(std::string_view(fmt::format(format, std::forward<T>(values)...)));
}

[[nodiscard]] std::string hex(Bytes bytes);
/// "268435456" -> "256.0 MiB".
[[nodiscard]] std::string human_size(std::uint64_t bytes);
/// A string in JSON, quotes included.
[[nodiscard]] std::string json_string(std::string_view text);

/// A bar that overwrites itself, on standard error when that is a terminal; else nothing.
class Progress {
 public:
  Progress(std::string_view label, std::uint64_t total, bool quiet);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::uint64_t done);
  void clear();
  /// What update() was given last.
  [[nodiscard]] std::uint64_t done() const { return done_; }

 private:
  std::string label_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  bool visible_ = false;
  bool drawn_ = false;
  Instant begin_;
  Instant next_;
};

}  // namespace qpeer::cli
