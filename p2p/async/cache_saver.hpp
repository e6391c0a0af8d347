// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keeps the cache's file up to date: some time after a change, in a thread of its own, so that the
// loop never waits for a disk.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/cache/cache_file.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::p2p::detail {

/// `warn` gets each problem; none ends anything. Of the loop's thread.
class CacheSaver {
 public:
  using Warn = std::function<void(std::string_view)>;

  /// For the file at `path`. With an empty path, or a file that cannot be opened, it does nothing.
  CacheSaver(io::EventLoop& loop, const std::string& path, Duration delay, Warn warn);

  /// What the file holds, newest first. Blocks: for the start.
  std::vector<cache::CacheEntry> load();
  /// From now on saves `cache`, which must stay; calls `on_idle` after each time.
  void attach(const cache::BootstrapCache& cache, std::function<void()> on_idle);
  /// The cache changed: saved after the delay.
  void on_changed();
  /// Saves at once what is not saved; on_idle is called at the end.
  void save_now();
  /// Whether nothing is left to do, or can be done.
  [[nodiscard]] bool is_idle() const { return !saving_ && !dirty_; }

  async::WaitList idle;

 private:
  using Result = std::expected<cache::CacheFile::Saved, std::string>;

  void start();
  void on_saved(const Result& result);
  void arm();
  void warn(std::string_view text) const;

  io::EventLoop& loop_;
  Duration delay_;
  Warn warn_;
  std::shared_ptr<cache::CacheFile> file_;  // Used by one thread at a time.
  const cache::BootstrapCache* cache_ = nullptr;
  std::function<void()> on_idle_;
  io::Timer timer_;
  io::Background call_;
  bool dirty_ = false;
  bool saving_ = false;
  bool hurry_ = false;  // No delay any more.
};

}  // namespace qpeer::p2p::detail
