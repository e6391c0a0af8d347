// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The log of a program that runs for long: one line for each thing that happened, with time and level.
//
//   2026-07-01T12:00:00.123Z info link up: node ...
//   {"time":"2026-07-01T12:00:00.123Z","level":"info","event":"link_up",...}
//
// A thread of its own writes it, so that a slow disk or reader does not stop the program; what finds no
// room is lost, and the next line that is not says how many lines were.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "qpeer/p2p/cli/common/line_writer.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {

enum class LogLevel : u8 { error, warning, info, debug };

class OperatorLog {
 public:
  enum class Format : u8 { text, json };

  /// Appends to the file at `path`, which is made if it is missing (mode 0600); "-" is the standard error.
  /// `debug`: whether lines of that level are written too.
  [[nodiscard]] static std::expected<std::shared_ptr<OperatorLog>, std::string> open(
      const std::string& path, Format format, bool debug);

  OperatorLog(Descriptor file, int descriptor, Format format, bool debug);
  /// Waits for a second at most until all is written.
  ~OperatorLog();
  OperatorLog(const OperatorLog&) = delete;
  OperatorLog& operator=(const OperatorLog&) = delete;

  [[nodiscard]] bool wants(LogLevel level) const { return level != LogLevel::debug || debug_; }
  /// `json` is an object, as Json makes it; `text` the same for people. Control characters of `text` are
  /// masked. Of one thread.
  void write(LogLevel level, std::string_view json, std::string_view text);

 private:
  Descriptor file_;
  LineWriter writer_;
  Format format_;
  bool debug_;
  std::uint64_t lost_ = 0;
};

/// The time of day of now, as RFC 3339 has it, in UTC and to the millisecond.
[[nodiscard]] std::string timestamp();

}  // namespace qpeer::cli
