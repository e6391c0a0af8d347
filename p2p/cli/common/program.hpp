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

/// Runs `task` and returns its exit status. Meanwhile a thread writes what is printed, so that a
/// reader that has stopped reading does not block the loop. At the end all output is written; after
/// a signal, output that cannot be written within a second is lost. SIGINT and SIGTERM cancel the
/// task: then the status is `when_stopped`, or 128 + the signal's number if `when_stopped` is
/// negative. SIGPIPE is ignored.
int run_program(io::EventLoop& loop, async::Task<int> task, int when_stopped = -1);
/// The same, but the first signal calls `stop`, after which the task must end by itself; the second
/// signal cancels the task.
int run_program(io::EventLoop& loop, async::Task<int> task, std::function<void()> stop);

/// What becomes of a line when too many earlier ones were not read: see LineWriter.
using WhenFull = LineWriter::WhenFull;
/// Prints one line on standard output, without buffering it, even to a pipe. False when it is lost.
bool print_line(std::string_view line, WhenFull when_full = WhenFull::keep);
/// False while too much of the output is unread: a caller that prints much waits then.
[[nodiscard]] bool output_has_room();
template <class... T>
void say(fmt::format_string<T...> format, T&&... values) {
  print_line(fmt::format(format, std::forward<T>(values)...));
}
/// Prints one line on standard error, with control characters masked. The line is lost when a
/// megabyte of earlier ones is unread; the next line that is not lost says how many were.
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

/// A progress bar on standard error, when that is a terminal; else nothing is shown.
class Progress {
 public:
  Progress(std::string_view label, std::uint64_t total, bool quiet);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::uint64_t done);
  void clear();
  /// The number that update() got last.
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
