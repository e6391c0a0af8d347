// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace qpeer {
namespace {

constexpr unsigned kLockStepMs = 5;

std::string error_text(std::string_view what) {
  const int error = errno;
  return std::string(what) + ": " + std::strerror(error);
}

std::expected<std::string, std::string> read_all(const Descriptor& file, const std::string& path,
                                                 std::size_t limit) {
  std::string out;
  std::array<char, 16 << 10> buffer;
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::unexpected(error_text(path));
    if (size == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(size));
    if (out.size() > limit) return std::unexpected(path + ": File too large");
  }
}

// Some file systems have no folders to make durable, and say so.
bool sync_folder(int fd) { return ::fsync(fd) == 0 || errno == EINVAL || errno == EOPNOTSUPP; }

/// A temporary file of `path` with these contents, which are durable.
std::expected<TemporaryFile, std::string> written_aside(const std::string& path, Bytes contents,
                                                        unsigned mode) {
  auto file = TemporaryFile::create(folder_of(path), mode);
  if (!file) return file;
  if (!write_all(file->fd(), contents)) return std::unexpected(error_text("cannot write"));
  if (const auto synced = file->sync_contents(); !synced) return std::unexpected(synced.error());
  return file;
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}
Descriptor::~Descriptor() { reset(); }
void Descriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool write_all(int fd, Bytes data) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_in_folder(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

// --- whole files ---------------------------------------------------------------------------------

std::expected<std::string, std::string> read_file(const std::string& path, std::size_t limit) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return std::unexpected(error_text(path));
  return read_all(file, path, limit);
}

std::expected<std::optional<std::string>, std::string> read_file_if_there(const std::string& path,
                                                                          std::size_t limit) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file && errno == ENOENT) return std::nullopt;
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return std::unexpected(error_text(path));
  if (!S_ISREG(status.st_mode)) return std::unexpected(path + ": Not a regular file");
  auto contents = read_all(file, path, limit);
  if (!contents) return std::unexpected(std::move(contents.error()));
  return std::move(*contents);
}

std::expected<bool, std::string> create_private_file(const std::string& path,
                                                     std::string_view contents) {
  auto file = written_aside(path, as_bytes(contents), 0600);
  if (!file) return std::unexpected(path + ": " + file.error());
  auto named = file->name_it(name_in_folder(path), TemporaryFile::Taken::refuse);
  if (!named) return std::unexpected(path + ": " + named.error());
  if (!*named) return false;
  if (const auto synced = file->sync_name(); !synced) {
    return std::unexpected(path + ": " + synced.error());
  }
  return true;
}

FileResult replace_file(const std::string& path, Bytes contents, unsigned mode) {
  auto file = written_aside(path, contents, mode);
  if (!file) return std::unexpected(path + ": " + file.error());
  const auto named = file->name_it(name_in_folder(path), TemporaryFile::Taken::replace);
  if (!named) return std::unexpected(path + ": " + named.error());
  if (const auto synced = file->sync_name(); !synced) {
    return std::unexpected(path + ": " + synced.error());
  }
  return {};
}

// --- TemporaryFile -------------------------------------------------------------------------------

std::expected<TemporaryFile, std::string> TemporaryFile::create(const std::string& folder,
                                                                unsigned mode) {
  Descriptor at{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!at) return std::unexpected(error_text(folder));
  const std::string begin = std::string(kPrefix) + std::to_string(::getpid()) + "-";
  for (unsigned number = 0;; ++number) {
    std::string name = begin + std::to_string(number);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    Descriptor file{::openat(at.get(), name.c_str(), kFlags, static_cast<mode_t>(mode))};
    if (!file && errno == EEXIST) continue;
    if (!file) return std::unexpected(error_text(folder));
    // Before it was locked, remove_stale() of another process may have removed it. Not where the file
    // system has no locks: remove_stale() needs the lock, too.
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || status.st_nlink == 0) continue;
    return TemporaryFile{std::move(at), std::move(name), std::move(file)};
  }
}

TemporaryFile::TemporaryFile(Descriptor folder, std::string name, Descriptor file)
    : folder_(std::move(folder)), name_(std::move(name)), file_(std::move(file)) {}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      name_(std::exchange(other.name_, {})),
      file_(std::move(other.file_)) {}

TemporaryFile::~TemporaryFile() {
  if (!name_.empty()) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

FileResult TemporaryFile::can_replace(const std::string& name) const {
  struct stat status{};
  if (::fstatat(folder_.get(), name.c_str(), &status, 0) != 0 || S_ISREG(status.st_mode)) return {};
  return std::unexpected("cannot name " + name + ": Not a regular file");
}

std::expected<bool, std::string> TemporaryFile::name_it(const std::string& name, Taken taken) {
  const int at = folder_.get();
  if (taken == Taken::replace) {
    if (const auto free = can_replace(name); !free) return std::unexpected(free.error());
    if (::renameat(at, name_.c_str(), at, name.c_str()) != 0) {
      return std::unexpected(error_text("cannot name " + name));
    }
  } else if (::linkat(at, name_.c_str(), at, name.c_str(), 0) == 0) {
    ::unlinkat(at, name_.c_str(), 0);
  } else if (errno == EEXIST) {
    return false;
  } else if (::renameat2(at, name_.c_str(), at, name.c_str(), RENAME_NOREPLACE) != 0) {
    // Some file systems have no links, others no such rename.
    if (errno == EEXIST) return false;
    return std::unexpected(error_text("cannot name " + name));
  }
  name_.clear();
  return true;
}

FileResult TemporaryFile::sync_contents() const {
  if (::fsync(file_.get()) != 0) return std::unexpected(error_text("cannot write"));
  return {};
}

FileResult TemporaryFile::sync_name() const {
  if (!sync_folder(folder_.get())) return std::unexpected(error_text("cannot write"));
  return {};
}

std::size_t TemporaryFile::remove_stale(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries{::opendir(folder.c_str()), ::closedir};
  if (!entries) return 0;
  std::size_t removed = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    const char* const name = static_cast<const char*>(entry->d_name);
    if (!std::string_view(name).starts_with(kPrefix)) continue;
    const int at = ::dirfd(entries.get());
    const Descriptor file{::openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (::unlinkat(at, name, 0) == 0) ++removed;
  }
  return removed;
}

// --- FileLock ------------------------------------------------------------------------------------

std::expected<FileLock, std::string> FileLock::acquire(const std::string& path, unsigned wait_ms) {
  Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return std::unexpected(error_text(path));
  for (unsigned waited = 0;; waited += kLockStepMs) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return FileLock{std::move(file)};
    if (errno != EWOULDBLOCK && errno != EINTR) return std::unexpected(error_text(path));
    if (waited >= wait_ms) return std::unexpected(path + ": Locked by another process");
    const timespec step{.tv_sec = 0, .tv_nsec = kLockStepMs * 1'000'000L};
    ::nanosleep(&step, nullptr);
  }
}

}  // namespace qpeer
