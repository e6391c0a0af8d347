// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/cache_saver.hpp"

#include <cstdint>
#include <utility>

#include "qpeer/cache/cache_file.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {

CacheSaver::CacheSaver(io::EventLoop& loop, const std::string& path, Duration delay, Warn warn)
    : loop_(loop),
      delay_(delay),
      warn_(std::move(warn)),
      timer_(loop, [this](Instant) { start(); }) {
  if (path.empty()) return;
  auto file = cache::CacheFile::open(path);
  if (file) {
    file_ = std::make_shared<cache::CacheFile>(std::move(*file));
  } else {
    this->warn("the cache is kept in memory only: " + file.error());
  }
}

std::vector<cache::CacheEntry> CacheSaver::load() {
  if (file_ == nullptr) return {};
  auto loaded = file_->load(io::unix_now().time_since_epoch().count());
  for (const std::string& text : loaded.warnings) warn(text);
  return std::move(loaded.entries);
}

void CacheSaver::attach(const cache::BootstrapCache& cache, std::function<void()> on_idle) {
  cache_ = &cache;
  on_idle_ = std::move(on_idle);
}

void CacheSaver::on_changed() {
  if (file_ != nullptr && !std::exchange(dirty_, true) && !saving_) arm();
}

void CacheSaver::arm() { timer_.set(io::after(hurry_ ? Duration{} : delay_)); }

void CacheSaver::save_now() {
  hurry_ = true;
  if (dirty_ && !saving_) start();
}

void CacheSaver::start() {
  timer_.cancel();
  dirty_ = false;
  saving_ = true;
  const auto result = std::make_shared<Result>();
  const std::int64_t now = io::unix_now().time_since_epoch().count();
  call_ = io::Background(
      loop_, [result, file = file_, cache = *cache_, now] { *result = file->save(cache, now); },
      [this, result] { on_saved(*result); });
}

void CacheSaver::on_saved(const Result& result) {
  saving_ = false;
  if (dirty_) arm();
  on_idle_();  // First: a warning may throw.
  if (!result) return warn("the cache is not saved: " + result.error());
  for (const std::string& text : result->warnings) warn(text);
}

void CacheSaver::warn(std::string_view text) const {
  if (warn_) warn_(text);
}

}  // namespace qpeer::p2p::detail
