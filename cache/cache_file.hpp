// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The file of a bootstrap cache. It withstands crashes, full disks, other processes that save to it,
// and files of newer versions.
//
//   PATH             replaced as a whole; mode 0600, since it holds tickets
//   PATH.lock        locked while PATH is changed; not removed
//   PATH.damaged     a cache that was damaged; then PATH.damaged.1 to .4, of which the last is
//                    overwritten
//
// Saving merges what another process saved meanwhile. A file that cannot be read is never
// overwritten. A file that does not begin as a cache does belongs to another program: it is neither
// overwritten nor renamed. Then, and when a save fails, the cache goes on in memory. These calls
// block.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"

namespace qpeer::cache {

/// Loads and saves one file. One object per path and process is enough, but more do no harm. Not for
/// two threads at once.
class CacheFile {
 public:
  /// The largest file that is read, in bytes; a larger one is left as it is.
  static constexpr std::size_t kMaxSize = 16 << 20;
  /// How many damaged caches are kept beside the cache.
  static constexpr std::size_t kMostDamaged = 5;

  /// Prepares to use the file at `path`. The file may be missing, its folder may not. A link to a
  /// file stays a link. The error, a sentence for people: there is a file that is no cache, which
  /// includes an empty file. Removes the half-written files that killed processes left in the folder.
  [[nodiscard]] static std::expected<CacheFile, std::string> open(const std::string& path);

  /// What load() found.
  struct Loaded {
    std::vector<CacheEntry> entries;    ///< For BootstrapCache::merge(), which limits them.
    std::vector<std::string> warnings;  ///< Sentences for people, with the path.
  };
  /// Reads the file. When there is none, there are no entries and no warning. A damaged cache is
  /// renamed, as described above.
  [[nodiscard]] Loaded load();

  /// The result of a save() that succeeded.
  struct Saved {
    std::vector<std::string> warnings;  ///< Sentences for people, with the path.
  };
  /// Saves `cache` merged with the file as it is now. From the file come the entries that are newer,
  /// and those that `cache` does not have and has room for, but none that was forgotten. A node that
  /// `cache` reached since this object loaded or saved is newer than all in the file. On error, a
  /// sentence, and the file is as it was. Waits a few seconds for another process that is saving.
  [[nodiscard]] std::expected<Saved, std::string> save(const BootstrapCache& cache);

  /// Where the file is, links resolved.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Found;
  /// CacheEntry::order of one entry, in our cache and in the file. They differ because another
  /// process may have used the numbers after those that we loaded.
  struct Order {
    std::uint64_t ours = 0;
    std::uint64_t in_file = 0;
  };
  using Orders = std::map<PeerId, Order>;
  explicit CacheFile(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Found read() const;
  [[nodiscard]] Orders number(BootstrapCache& cache, const std::vector<CacheEntry>& in_file) const;
  [[nodiscard]] std::expected<std::string, std::string> set_aside() const;
  [[nodiscard]] std::string lock_path() const { return path_ + ".lock"; }

  std::string path_;
  Orders orders_{};  ///< Of the entries that were loaded or saved last.
};

}  // namespace qpeer::cache
