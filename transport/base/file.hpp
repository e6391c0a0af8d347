// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Small files that appear whole or not at all, and locks between processes. An error is a sentence
// that names the file and the system's reason.
//
// A file is written under a temporary name in its own folder, made durable, and then renamed:
// whoever opens the name sees all of the old bytes or all of the new, after a crash as well. A
// temporary file is locked while it is in use, so that remove_stale() can tell those that a killed
// process left. These calls block; no machine makes them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  /// Takes the descriptor over; -1 is none.
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  /// The descriptor, or -1. Remains the property of this object.
  [[nodiscard]] int get() const { return fd_; }
  /// Whether there is one.
  explicit operator bool() const { return fd_ >= 0; }
  /// Closes it.
  void reset();

 private:
  int fd_ = -1;
};

/// What went wrong with a file, in words.
using FileResult = std::expected<void, std::string>;

/// Writes all of it; false, and errno, when that fails.
[[nodiscard]] bool write_all(int fd, Bytes data);

/// The whole of a file of at most `limit` bytes. Reads pipes too, and waits for them.
[[nodiscard]] std::expected<std::string, std::string> read_file(const std::string& path,
                                                                std::size_t limit = 1 << 20);

/// The same of a regular file that may be missing, which is nullopt. Anything else of that name is
/// an error, at once.
[[nodiscard]] std::expected<std::optional<std::string>, std::string> read_file_if_there(
    const std::string& path, std::size_t limit);

/// Makes a file that is only its owner's (mode 0600), unless there is one of that name already,
/// which is left as it is. Returns whether it was made.
[[nodiscard]] std::expected<bool, std::string> create_private_file(const std::string& path,
                                                                   std::string_view contents);

/// Gives `path` these contents, durably; what was there before stays until the new is whole, and
/// when this fails. `mode` is what open(2) takes. A symbolic link is replaced, not followed. A path
/// to a folder, a device or a pipe, or to a link to one, is an error, and is left as it is.
[[nodiscard]] FileResult replace_file(const std::string& path, Bytes contents,
                                      unsigned mode = 0600);

/// A file that is being written, under a name that begins with kPrefix, in the folder where it is to
/// stay. The destructor removes it unless name_it() has named it. Errors do not name the file.
class TemporaryFile {
 public:
  /// How the names of such files begin.
  static constexpr std::string_view kPrefix = ".qpeer-part-";

  /// Makes and locks one. `mode` is what open(2) takes.
  [[nodiscard]] static std::expected<TemporaryFile, std::string> create(const std::string& folder,
                                                                        unsigned mode);
  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  /// Where to write the contents; valid while this object is.
  [[nodiscard]] int fd() const { return file_.get(); }
  /// What name_it() does where a file has the name already: replaces that file, or returns false.
  enum class Taken : u8 { replace, refuse };
  /// Whether name_it() with Taken::replace would take this name: not from a folder, a device, a
  /// pipe, nor from a link to one.
  [[nodiscard]] FileResult can_replace(const std::string& name) const;
  /// Gives the file its name, which is in the same folder. False with Taken::refuse when a file has it.
  [[nodiscard]] std::expected<bool, std::string> name_it(const std::string& name, Taken taken);
  /// Makes the contents durable. To be called before name_it().
  [[nodiscard]] FileResult sync_contents() const;
  /// Makes the name durable. To be called after name_it().
  [[nodiscard]] FileResult sync_name() const;

  /// Removes what processes that were killed left in `folder`. Returns how many.
  static std::size_t remove_stale(const std::string& folder);

 private:
  TemporaryFile(Descriptor folder, std::string name, Descriptor file);

  Descriptor folder_;
  std::string name_;  ///< Empty once it has its own.
  Descriptor file_;
};

/// An exclusive lock, among all processes and within this one, on what the file at a path stands for.
/// The file is made when it is missing and never removed, for another process may be waiting for it.
/// A lock ends with its object or its process, however that ends.
class FileLock {
 public:
  /// Tries again for about `wait_ms`, and blocks meanwhile; 0 tries once.
  [[nodiscard]] static std::expected<FileLock, std::string> acquire(const std::string& path,
                                                                    unsigned wait_ms = 0);

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

/// The folder of a path; "." when it names none.
[[nodiscard]] std::string folder_of(const std::string& path);
/// What follows the last slash of a path.
[[nodiscard]] std::string name_in_folder(const std::string& path);

}  // namespace qpeer
