// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The file that a cache survives in: crashes, full disks, other processes and newer versions.
//
//   PATH             replaced as a whole, mode 0600, for it holds tickets
//   PATH.lock        held while PATH is changed; stays
//   PATH.damaged     a cache that was damaged; then PATH.damaged.1 to .4, of which the last is
//                    overwritten
//
// Saving takes in what another process saved meanwhile. What cannot be read is never overwritten, and
// a file that does not begin as a cache does belongs to another program: it is neither overwritten nor renamed.
// Then, and when a save fails, everything else goes on in memory. These calls block.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"

namespace qpeer::cache {

/// One per path and process is enough, but more do no harm. Not for two threads at once.
class CacheFile {
 public:
  /// The largest file that is read, in bytes; a larger one is left as it is.
  static constexpr std::size_t kMaxSize = 16 << 20;
  /// How many damaged caches are kept beside the cache.
  static constexpr std::size_t kMostDamaged = 5;

  /// The file may be missing, its folder may not. A link to a file stays a link. An error when there
  /// is a file that is no cache, an empty one too. Removes what killed processes left half-written in
  /// the folder.
  [[nodiscard]] static std::expected<CacheFile, std::string> open(const std::string& path);

  /// What load() found.
  struct Loaded {
    std::vector<CacheEntry> entries;    ///< For BootstrapCache::merge(), which limits them.
    std::vector<std::string> warnings;  ///< Sentences for people, with the path.
  };
  /// What the file holds; nothing, without a warning, when there is none. A damaged cache is set
  /// aside.
  [[nodiscard]] Loaded load();

  /// What save() has to say after it worked.
  struct Saved {
    std::vector<std::string> warnings;  ///< Sentences for people, with the path.
  };
  /// Saves `cache` merged with what the file holds by now: its entries that are newer, and those
  /// that `cache` does not know and has room for, but none that it forgot. What `cache` has reached
  /// since this object loaded or saved is newer than all that the file holds. On error the file is as
  /// it was. Waits a few seconds for another process that is saving.
  [[nodiscard]] std::expected<Saved, std::string> save(const BootstrapCache& cache);

  /// Where the file is, links resolved.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Found;
  /// CacheEntry::order of one entry: ours, and that which the file has for it. Another process may have
  /// used the numbers after those that we loaded.
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
  Orders orders_{};  ///< Of what was loaded or saved last.
};

}  // namespace qpeer::cache
