// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/line_writer.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace qpeer::cli {
namespace {

constexpr std::size_t kAtOnce = 64
                                << 10;  // Bytes of one write(2), after which there is room again.

// Writes all of the text; false when writing fails. The descriptor may be non-blocking, because
// another program that shares it made it so.
bool write_text(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size >= 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN) {
      std::this_thread::sleep_for(10ms);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

/// The state that both threads share; it lives until the last of them has ended.
struct LineWriter::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> texts;
  std::size_t bytes = 0;  ///< Of `texts`, and of what is being written.
  bool ending = false;
  bool broken = false;  ///< Writing failed.
};

LineWriter::LineWriter(int descriptor, std::size_t room)
    : room_(room), shared_(std::make_shared<Shared>()) {
  // Signals are for the thread that has the event loop. A write to a pipe without a reader fails.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread(run, shared_, descriptor);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LineWriter::~LineWriter() {
  const bool done = finish({});
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
    for (const std::string& text : shared_->texts) shared_->bytes -= text.size();
    shared_->texts.clear();
  }
  shared_->changed.notify_all();
  if (done) {
    thread_.join();
  } else {
    thread_.detach();  // It may be stuck in write(2).
  }
}

bool LineWriter::write(std::string text, WhenFull when_full) {
  {
    const std::lock_guard lock(shared_->mutex);
    const bool full = shared_->bytes + text.size() > room_;
    if (shared_->broken || (full && when_full == WhenFull::lose)) return false;
    shared_->bytes += text.size();
    shared_->texts.push_back(std::move(text));
  }
  shared_->changed.notify_all();
  return true;
}

bool LineWriter::has_room() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->bytes <= room_ / 2;
}

bool LineWriter::finish(Duration limit) {
  std::unique_lock lock(shared_->mutex);
  const auto is_done = [this] { return shared_->bytes == 0; };
  if (limit != Duration::max()) return shared_->changed.wait_for(lock, limit, is_done);
  shared_->changed.wait(lock, is_done);
  return true;
}

void LineWriter::run(const std::shared_ptr<Shared>& shared, int descriptor) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&] { return shared->ending || !shared->texts.empty(); });
    if (shared->texts.empty()) return;
    std::string text;
    while (!shared->texts.empty() &&
           (text.empty() || text.size() + shared->texts.front().size() <= kAtOnce)) {
      text += shared->texts.front();
      shared->texts.pop_front();
    }
    lock.unlock();
    const bool written = write_text(descriptor, text);
    lock.lock();
    shared->bytes -= text.size();
    if (!written) {
      shared->broken = true;
      shared->texts.clear();
      shared->bytes = 0;
    }
    shared->changed.notify_all();
  }
}

}  // namespace qpeer::cli
