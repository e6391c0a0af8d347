// Files that appear whole or not at all.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "transport/base/bytes.hpp"

namespace qpeer::cli {

/// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

/// What went wrong with a file, in words. Those of AtomicFile name no path.
using FileResult = std::expected<void, std::string>;

/// A file that is written under a temporary name in its folder. Unless commit() succeeds, nothing
/// of it stays. Temporary names begin with kTemporaryPrefix; their files are locked while they are
/// in use, so that remove_stale() takes only those that a killed process left.
class AtomicFile {
 public:
  static constexpr std::string_view kTemporaryPrefix = ".qpeer-part-";

  [[nodiscard]] static std::expected<AtomicFile, std::string> create(const std::string& folder);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  [[nodiscard]] FileResult write(Bytes data);
  /// What to do when the name is taken.
  enum class Collision : u8 { replace, number };
  /// Makes it durable, and gives it its name: `name`, or, with Collision::number, the first free
  /// one of NAME, NAME.1, NAME.2, ... Returns the name.
  [[nodiscard]] std::expected<std::string, std::string> commit(const std::string& name,
                                                               Collision collision);

  /// Removes what processes that were killed left in `folder`. Returns how many.
  static std::size_t remove_stale(const std::string& folder);

 private:
  AtomicFile(Descriptor folder_fd, std::string temporary, Descriptor file);
  [[nodiscard]] static std::string failure(std::string_view what);

  Descriptor folder_fd_;
  std::string temporary_;  ///< Empty once it has its name.
  Descriptor file_;
  std::uint64_t written_ = 0;
  std::uint64_t flushed_ = 0;
};

/// The whole of a file of at most `limit` bytes.
[[nodiscard]] std::expected<std::string, std::string> read_file(const std::string& path,
                                                                std::size_t limit = 1 << 20);
/// A file that is only its owner's, unless there is one of that name already. Whether it was made.
[[nodiscard]] std::expected<bool, std::string> create_private_file(const std::string& path,
                                                                   std::string_view contents);

/// Why a name that a peer chose is not one for a file of ours; empty when it is. Refused are names
/// that leave the folder, hide, look like flags, are longer than 200 bytes, are not UTF-8 or hold
/// characters that control a terminal or the direction of text.
[[nodiscard]] std::string_view why_bad_name(std::string_view name);

}  // namespace qpeer::cli
