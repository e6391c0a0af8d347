// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/operator_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::cli {
namespace {

constexpr std::array<std::string_view, 4> kLevels{"error", "warning", "info", "debug"};

}  // namespace

std::string timestamp() {
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const auto day = floor<days>(now);
  const year_month_day date{day};
  const hh_mm_ss clock{now - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::expected<std::shared_ptr<OperatorLog>, std::string> OperatorLog::open(const std::string& path,
                                                                           Format format,
                                                                           bool debug) {
  if (path == "-") {
    return std::make_shared<OperatorLog>(Descriptor(), STDERR_FILENO, format, debug);
  }
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file) return std::unexpected("cannot write " + path + ": " + std::strerror(errno));
  const int descriptor = file.get();
  return std::make_shared<OperatorLog>(std::move(file), descriptor, format, debug);
}

OperatorLog::OperatorLog(Descriptor file, int descriptor, Format format, bool debug)
    : file_(std::move(file)), writer_(descriptor), format_(format), debug_(debug) {}

OperatorLog::~OperatorLog() {
  if (writer_.finish(1s)) return;
  // The thread may be stuck in write(2): nobody else may get the number of its descriptor.
  static Descriptor kept;
  kept = std::move(file_);
}

void OperatorLog::write(LogLevel level, std::string_view json, std::string_view text) {
  if (!wants(level)) return;
  const std::string_view name = kLevels[static_cast<std::size_t>(level)];
  std::string line;
  const auto add = [&](std::string_view as_json, std::string_view as_text) {
    if (format_ == Format::json) {
      line += fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",{}\n", timestamp(), name,
                          as_json.substr(1));
    } else {
      line += fmt::format("{} {} {}\n", timestamp(), name, visible(as_text));
    }
  };
  if (lost_ > 0) {
    add(fmt::format("{{\"event\":\"lines_lost\",\"lines\":{}}}", lost_),
        fmt::format("{} lines were lost: they were not written in time", lost_));
  }
  add(json, text);
  lost_ = writer_.write(std::move(line), LineWriter::WhenFull::lose) ? 0 : lost_ + 1;
}

}  // namespace qpeer::cli
