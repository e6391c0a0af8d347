// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/cache_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "qpeer/cache/cache_codec.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cache {
namespace {

constexpr unsigned kLockWaitMs = 10'000;

std::string error_text(const std::string& path, int error) {
  return path + ": " + std::strerror(error);
}

std::string not_ours(const std::string& path) {
  struct stat status{};
  const bool empty = ::stat(path.c_str(), &status) == 0 && status.st_size == 0;
  return path + (empty ? ": empty, so not a cache of qpeer; remove it, and one is made"
                       : ": not a cache of qpeer; it is left as it is");
}

// Whether there is a file that can be read, and does not begin as a cache does.
bool is_not_ours(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  std::array<u8, kMagicSize> begin{};
  const ssize_t size = ::pread(file.get(), begin.data(), begin.size(), 0);
  return size >= 0 && !has_magic(Bytes(begin).first(static_cast<std::size_t>(size)));
}

}  // namespace

/// The result of reading the file. When it has an error, the file must not be overwritten.
struct CacheFile::Found {
  std::vector<CacheEntry> entries;
  bool damaged = false;
  std::string error;
};

std::expected<CacheFile, std::string> CacheFile::open(const std::string& path) {
  if (path.empty()) return std::unexpected("the path of the cache is empty");
  const std::unique_ptr<char, decltype(&::free)> real{::realpath(path.c_str(), nullptr), ::free};
  std::string resolved = real ? std::string(real.get()) : path;
  struct stat status{};
  if (::stat(resolved.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return std::unexpected(error_text(path, EISDIR));
  }
  if (is_not_ours(resolved)) return std::unexpected(not_ours(path));
  const std::string folder = folder_of(resolved);
  if (::stat(folder.c_str(), &status) != 0) return std::unexpected(error_text(folder, errno));
  if (!S_ISDIR(status.st_mode)) return std::unexpected(error_text(folder, ENOTDIR));
  TemporaryFile::remove_stale(folder);
  return CacheFile{std::move(resolved)};
}

CacheFile::Found CacheFile::read() const {
  const auto file = read_file_if_there(path_, kMaxSize);
  if (!file) return {.entries = {}, .damaged = false, .error = file.error()};
  if (!*file) return {};
  if (!has_magic(as_bytes(**file))) {
    return {.entries = {}, .damaged = false, .error = not_ours(path_)};
  }
  auto decoded = decode(as_bytes(**file));
  if (decoded) return {.entries = std::move(decoded->entries), .damaged = false, .error = {}};
  if (decoded.error() == DecodeError::damaged) return {.entries = {}, .damaged = true, .error = {}};
  return {.entries = {},
          .damaged = false,
          .error = path_ + ": a newer version of qpeer wrote this cache; it is left as it is"};
}

CacheFile::Loaded CacheFile::load() {
  Loaded out;
  Found found = read();
  if (found.damaged) {
    // Another process may be about to rename the damaged file, and to save a good one.
    const auto lock = FileLock::acquire(lock_path(), kLockWaitMs);
    if (!lock) {
      out.warnings.push_back(path_ + ": damaged, and cannot be set aside: " + lock.error());
      return out;
    }
    found = read();
    if (found.damaged) {
      auto told = set_aside();
      out.warnings.push_back(std::move(told ? *told : told.error()));
    }
  }
  if (!found.error.empty()) out.warnings.push_back(std::move(found.error));
  out.entries = std::move(found.entries);
  orders_.clear();
  for (const CacheEntry& entry : out.entries) orders_[entry.id] = {entry.order, entry.order};
  return out;
}

// Nodes that were reached since the last load or save get numbers after all in the file, in their
// own order.
CacheFile::Orders CacheFile::number(BootstrapCache& cache,
                                    const std::vector<CacheEntry>& in_file) const {
  std::uint64_t latest = 0;
  for (const CacheEntry& entry : in_file) latest = std::max(latest, entry.order);
  Orders out;
  cache.renumber([&](const CacheEntry& entry) {
    const auto known = orders_.find(entry.id);
    Order order{.ours = entry.order};
    if (known != orders_.end() && known->second.ours == entry.order) {
      order = known->second;
    } else {
      order.in_file = latest = std::max(latest + 1, entry.order);
    }
    out.emplace(entry.id, order);
    return order.in_file;
  });
  return out;
}

std::expected<CacheFile::Saved, std::string> CacheFile::save(const BootstrapCache& cache) {
  const auto lock = FileLock::acquire(lock_path(), kLockWaitMs);
  if (!lock) return std::unexpected(lock.error());
  Saved out;
  Found found = read();
  if (!found.error.empty()) return std::unexpected(std::move(found.error));
  if (found.damaged) {
    auto told = set_aside();
    if (!told) return std::unexpected(std::move(told.error()));
    out.warnings.push_back(std::move(*told));
  }
  BootstrapCache merged = cache;
  Orders orders = number(merged, found.entries);
  merged.merge(found.entries);
  const std::vector<u8> bytes = encode(merged.entries());
  if (bytes.size() > kMaxSize) return std::unexpected(path_ + ": the cache is too large to save");
  if (auto replaced = replace_file(path_, bytes, 0600); !replaced) {
    return std::unexpected(std::move(replaced.error()));
  }
  orders_ = std::move(orders);
  return out;
}

/// Renames the damaged file. To be called with the lock held. Returns a sentence that says what was
/// done.
std::expected<std::string, std::string> CacheFile::set_aside() const {
  std::string aside = path_ + ".damaged";
  struct stat status{};
  bool taken = ::lstat(aside.c_str(), &status) == 0;
  for (std::size_t i = 1; taken && i < kMostDamaged; ++i) {
    aside = path_ + ".damaged." + std::to_string(i);
    taken = ::lstat(aside.c_str(), &status) == 0;
  }
  if (taken && (!S_ISREG(status.st_mode) || is_not_ours(aside))) {
    return std::unexpected(path_ + ": damaged, and cannot be set aside: " + not_ours(aside));
  }
  if (::rename(path_.c_str(), aside.c_str()) != 0) {
    return std::unexpected(path_ + ": damaged, and cannot be set aside: " + std::strerror(errno));
  }
  return path_ + ": damaged, set aside as " + name_in_folder(aside);
}

}  // namespace qpeer::cache
