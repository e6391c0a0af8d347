// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The folder of a node's files: what is in it, and how much of it each peer may fill.
//
// Room is reserved before the first byte is written, so that files under way count too. The peer that
// stored a file is noted in the file's extended attribute "user.qpeer.peer", which outlives the
// process; on a file system without such attributes a peer's share is empty again after each start.
//
// Invariant: reserved_ is the sum of all living Reservations; owners_ has only files that were there
// at the last scan, or were stored since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/cli/common/transfer.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::cli {

struct StoreLimits {
  std::uint64_t max_size = std::uint64_t{64} << 30;    ///< Bytes of one file.
  std::uint64_t quota = std::uint64_t{64} << 30;       ///< Bytes of all files, ours included.
  std::uint64_t peer_quota = std::uint64_t{16} << 30;  ///< Bytes of the files of one peer.
  std::size_t max_files = 10'000;                      ///< How many files, ours included.
  std::size_t max_files_of_peer = 2'500;
};

class Store {
 public:
  /// Bytes that each file counts in addition to its size, since an empty file takes room too.
  static constexpr std::uint64_t kPerFile = 4096;
  /// The shortest time between two scans of the folder, which find files that were removed meanwhile.
  /// Longer when a scan takes more than a fiftieth of this time.
  static constexpr Duration kRescan = 10s;

  /// The folder must exist; an empty name is a store that has no files and takes none.
  Store(std::string folder, const StoreLimits& limits);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Room for one file, which is given back unless keep() is called. The store must outlive it.
  class Reservation {
   public:
    Reservation(Reservation&& other) noexcept
        : store_(std::exchange(other.store_, nullptr)), peer_(other.peer_), size_(other.size_) {}
    Reservation& operator=(Reservation&&) = delete;
    ~Reservation();
    /// To be called when the file is in the store, by this name.
    void keep(const std::string& name);

   private:
    friend Store;
    Reservation(Store& store, const PeerId& peer, std::uint64_t size)
        : store_(&store), peer_(peer), size_(size) {}
    Store* store_;
    PeerId peer_;
    std::uint64_t size_;  ///< Bytes, kPerFile included.
  };

  [[nodiscard]] bool exists() const { return !folder_.empty(); }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Reserves room for a file of `size` bytes from `peer`. The error is a sentence for the peer.
  [[nodiscard]] std::expected<Reservation, std::string> reserve(const PeerId& peer,
                                                                std::uint64_t size, Instant now);
  /// Notes in the file's extended attribute that `peer` stored it.
  static void set_owner(const AtomicFile& file, const PeerId& peer);
  /// Opens a file of the folder: no link, and none in a folder below. The error is a sentence for our
  /// own user, not for peers.
  [[nodiscard]] std::expected<OpenFile, std::string> open(const std::string& name) const;
  /// The names of the files, sorted, without links.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct Usage {
    std::uint64_t bytes = 0;
    std::size_t files = 0;
    void add(std::uint64_t size) { bytes += size, ++files; }
    void remove(std::uint64_t size) { bytes -= size, --files; }
  };
  struct Account {
    Usage all = Usage();
    std::map<PeerId, Usage> of_peers{};
    [[nodiscard]] Usage of(const PeerId& peer) const;
    void add(const PeerId& peer, std::uint64_t size);
    void remove(const PeerId& peer, std::uint64_t size);
  };
  void scan();
  [[nodiscard]] std::string why_no_room(const PeerId& peer, std::uint64_t charge) const;

  std::string folder_;
  StoreLimits limits_;
  Account stored_ = Account();
  Account reserved_ = Account();
  std::map<std::string, PeerId> owners_;  ///< By name, of the files stored since the process began.
  Instant rescan_at_ = Instant::min();
};

}  // namespace qpeer::cli
