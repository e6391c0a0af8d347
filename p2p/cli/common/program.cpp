// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/program.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/signal_set.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

async::Task<void> keep_status(async::Task<int> task, std::optional<int>& status) {
  status = co_await std::move(task);
}

std::string masked(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
  return out;
}

/// Writes what is printed while a loop runs.
struct Console {
  LineWriter out{STDOUT_FILENO};
  LineWriter error{STDERR_FILENO};
};
Console* console = nullptr;
bool is_abandoned = false;  // The program ends and output is not read: nothing more is written.
std::uint64_t complaints_lost = 0;

bool show(std::FILE* file, std::string text, WhenFull when_full) {
  if (is_abandoned) return false;
  if (console != nullptr) {
    return (file == stdout ? console->out : console->error).write(std::move(text), when_full);
  }
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
  return true;
}

/// Makes the console, and destroys it at the end of its own life.
class RunningConsole {
 public:
  RunningConsole() { console = &console_; }
  RunningConsole(const RunningConsole&) = delete;
  RunningConsole& operator=(const RunningConsole&) = delete;
  ~RunningConsole() { console = nullptr; }
  void finish(Duration limit) {
    const Instant end = limit == Duration::max() ? kNever : io::after(limit);
    const auto left = [&] { return end == kNever ? limit : std::max(Duration{}, end - io::now()); };
    const bool out = console_.out.finish(left());
    const bool error = console_.error.finish(left());
    is_abandoned = !out || !error;
  }

 private:
  Console console_;
};

constexpr Duration kLastWords = 1s;

int run(io::EventLoop& loop, async::Task<int> task, int when_stopped, std::function<void()> stop) {
  std::signal(SIGPIPE, SIG_IGN);
  RunningConsole running;
  bool told_to_stop = false;
  std::optional<int> status;
  async::TaskGroup group;
  constexpr std::array kSignals{SIGINT, SIGTERM};
  auto signals = io::SignalSet::make(loop, kSignals, [&](int signal) {
    told_to_stop = true;
    if (const auto gently = std::exchange(stop, nullptr)) return gently();
    if (!status) status = when_stopped < 0 ? 128 + signal : when_stopped;
    group.cancel();
  });
  if (!signals) complain("cannot watch for signals: {}", signals.error().message());
  group.spawn(keep_status(std::move(task), status));
  while (group.size() != 0) loop.run_once(1h);
  for (int turn = 0; turn < 3; ++turn) loop.run_once({});  // For the last packets.
  signals = std::unexpected(std::error_code{});            // From now on a signal ends the process.
  running.finish(told_to_stop ? kLastWords : Duration::max());
  return *status;
}

}  // namespace

int run_program(io::EventLoop& loop, async::Task<int> task, int when_stopped) {
  return run(loop, std::move(task), when_stopped, nullptr);
}

int run_program(io::EventLoop& loop, async::Task<int> task, std::function<void()> stop) {
  return run(loop, std::move(task), -1, std::move(stop));
}

bool print_line(std::string_view line, WhenFull when_full) {
  return show(stdout, std::string(line) + '\n', when_full);
}

bool output_has_room() { return console == nullptr || console->out.has_room(); }

void complain(std::string_view line) {
  std::string text = masked(line) + '\n';
  if (complaints_lost > 0) {
    text = fmt::format("{} lines were lost: they were not read in time\n", complaints_lost) + text;
  }
  complaints_lost = show(stderr, std::move(text), WhenFull::lose) ? 0 : complaints_lost + 1;
}

std::string hex(Bytes bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const u8 byte : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  return out;
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

Progress::Progress(std::string_view label, std::uint64_t total, bool quiet)
    : label_(masked(label)),
      total_(total),
      visible_(!quiet && ::isatty(STDERR_FILENO) != 0),
      begin_(io::now()),
      next_(begin_ + 200ms) {}

void Progress::update(std::uint64_t done) {
  done_ = done;
  if (!visible_) return;
  const Instant now = io::now();
  if (now < next_) return;
  next_ = now + 100ms;
  constexpr std::size_t kWidth = 30;
  const double part = total_ == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total_);
  const auto filled = std::min(kWidth, static_cast<std::size_t>(part * kWidth));
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(done) / seconds);
  show(stderr,
       fmt::format("\r{:.40} [{}{}] {:3.0f} % {}/s \x1b[K", label_, std::string(filled, '='),
                   std::string(kWidth - filled, ' '), 100 * part, human_size(rate)),
       WhenFull::lose);
  drawn_ = true;
}

void Progress::clear() {
  if (!std::exchange(drawn_, false)) return;
  show(stderr, "\r\x1b[K", WhenFull::lose);
}

}  // namespace qpeer::cli
