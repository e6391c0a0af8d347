// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/files.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace qpeer::cli {
namespace {

// The kernel is asked to write behind us each time so much is new, so that the fsync at the end
// has little left to do.
constexpr std::uint64_t kWriteBehind = 16 << 20;
constexpr unsigned kMostOfAName = 10'000;

}  // namespace

std::expected<AtomicFile, std::string> AtomicFile::create(const std::string& folder) {
  auto file = TemporaryFile::create(folder, 0644);
  if (!file) return std::unexpected(std::move(file.error()));
  return AtomicFile{std::move(*file)};
}

FileResult AtomicFile::write(Bytes data) {
  if (!write_all(file_.fd(), data)) {
    return std::unexpected(std::string("cannot write: ") + std::strerror(errno));
  }
  written_ += data.size();
  if (written_ - flushed_ >= kWriteBehind) {
    ::sync_file_range(file_.fd(), static_cast<off_t>(flushed_),
                      static_cast<off_t>(written_ - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = written_;
  }
  return {};
}

std::expected<std::string, std::string> AtomicFile::commit(const std::string& name,
                                                           Collision collision) {
  if (auto synced = file_.sync_contents(); !synced) return std::unexpected(synced.error());
  const auto taken = collision == Collision::replace ? TemporaryFile::Taken::replace
                                                     : TemporaryFile::Taken::refuse;
  std::string chosen = name;
  for (unsigned number = 1;; ++number) {
    const auto named = file_.name_it(chosen, taken);
    if (!named) return std::unexpected(named.error());
    if (*named) break;
    if (number > kMostOfAName) return std::unexpected("cannot name " + chosen + ": File exists");
    chosen = name + "." + std::to_string(number);
  }
  if (auto synced = file_.sync_name(); !synced) return std::unexpected(synced.error());
  return chosen;
}

}  // namespace qpeer::cli
