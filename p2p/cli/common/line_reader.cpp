// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/line_reader.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace qpeer::cli {
namespace {

constexpr std::size_t kLongestLine = 64 << 10;
constexpr std::size_t kMostLines = 1'000;

}  // namespace

LineReader::LineReader(io::EventLoop& loop, int descriptor)
    : descriptor_(descriptor), timer_(loop, [this](Instant) {
        if (const auto waiter = std::exchange(waiter_, {})) async::Trampoline::resume(waiter);
      }) {
  auto watch =
      loop.watch(descriptor, io::Interest::read, [this](io::Ready, Instant) { on_readable(); });
  if (watch) {
    watch_ = std::move(*watch);
  } else {
    while (!ended_ && read_some()) {
    }
    end();
  }
}

void LineReader::close() {
  lines_.clear();
  partial_.clear();
  end();
}

void LineReader::on_readable() {
  if (!read_some()) end();
  if (lines_.size() >= kMostLines) watch_.set_interest(io::Interest::none);
  wake();
}

// False at the end.
bool LineReader::read_some() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::read(descriptor_, buffer.data(), buffer.size());
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(size))) {
    if (c == '\n') {
      lines_.push_back(std::exchange(partial_, {}));
    } else {
      partial_ += c;
    }
  }
  return size > 0 && partial_.size() <= kLongestLine;
}

void LineReader::end() {
  if (std::exchange(ended_, true)) return;
  if (!partial_.empty()) lines_.push_back(std::exchange(partial_, {}));
  watch_.reset();
  wake();
}

void LineReader::wake() {
  if (waiter_) timer_.fire_soon();
}

std::optional<std::string> LineReader::take() {
  if (lines_.empty()) return std::nullopt;
  std::string line = std::move(lines_.front());
  lines_.pop_front();
  if (watch_ && lines_.size() == kMostLines - 1) watch_.set_interest(io::Interest::read);
  return line;
}

}  // namespace qpeer::cli
