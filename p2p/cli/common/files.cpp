#include "p2p/cli/common/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "crypto/identity.hpp"

namespace qpeer::cli {
namespace {

// The kernel is asked to write behind us each time so much is new, so that the fsync at the end
// has little left to do.
constexpr std::uint64_t kWriteBehind = 16 << 20;

std::string error_text(std::string_view path) {
  return std::string(path) + ": " + std::strerror(errno);
}

std::string random_name() {
  std::array<u8, 8> random{};
  crypto::system_random().fill_public(random);
  std::string out{AtomicFile::kTemporaryPrefix};
  for (const u8 byte : random) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
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

// --- AtomicFile ----------------------------------------------------------------------------------

std::expected<AtomicFile, std::string> AtomicFile::create(const std::string& folder) {
  Descriptor folder_fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder_fd) return std::unexpected(error_text(folder));
  for (;;) {
    std::string name = random_name();
    Descriptor file{::openat(folder_fd.get(), name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!file && errno == EEXIST) continue;
    if (!file) return std::unexpected(error_text(folder));
    struct stat status{};
    // Somebody who tidies up may have come between.
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file.get(), &status) != 0 ||
        status.st_nlink == 0) {
      continue;
    }
    return AtomicFile{std::move(folder_fd), std::move(name), std::move(file)};
  }
}

AtomicFile::AtomicFile(Descriptor folder_fd, std::string temporary, Descriptor file)
    : folder_fd_(std::move(folder_fd)), temporary_(std::move(temporary)), file_(std::move(file)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : folder_fd_(std::move(other.folder_fd_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      written_(other.written_),
      flushed_(other.flushed_) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlinkat(folder_fd_.get(), temporary_.c_str(), 0);
}

std::string AtomicFile::failure(std::string_view what) {
  const std::string reason = std::strerror(errno);
  return std::string(what) + ": " + reason;
}

FileResult AtomicFile::write(Bytes data) {
  if (!write_all(file_.get(), data)) return std::unexpected(failure("cannot write"));
  written_ += data.size();
  if (written_ - flushed_ >= kWriteBehind) {
    ::sync_file_range(file_.get(), static_cast<off_t>(flushed_),
                      static_cast<off_t>(written_ - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = written_;
  }
  return {};
}

std::expected<std::string, std::string> AtomicFile::commit(const std::string& name,
                                                           Collision collision) {
  if (::fsync(file_.get()) != 0) return std::unexpected(failure("cannot write"));
  const int folder = folder_fd_.get();
  std::string chosen = name;
  for (unsigned number = 1;; ++number) {
    if (collision == Collision::replace) {
      if (::renameat(folder, temporary_.c_str(), folder, chosen.c_str()) == 0) break;
      return std::unexpected(failure("cannot name " + chosen));
    }
    if (::renameat2(folder, temporary_.c_str(), folder, chosen.c_str(), RENAME_NOREPLACE) == 0) {
      break;
    }
    if (errno == EINVAL) {  // Not every file system can; a link does not replace either.
      if (::linkat(folder, temporary_.c_str(), folder, chosen.c_str(), 0) == 0) {
        ::unlinkat(folder, temporary_.c_str(), 0);
        break;
      }
    }
    if (errno != EEXIST || number > 10'000) {
      return std::unexpected(failure("cannot name " + chosen));
    }
    chosen = name + "." + std::to_string(number);
  }
  temporary_.clear();
  if (::fsync(folder) != 0) return std::unexpected(failure("cannot write"));
  return chosen;
}

std::size_t AtomicFile::remove_stale(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries{::opendir(folder.c_str()), ::closedir};
  if (!entries) return 0;
  std::size_t removed = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    const char* const name = static_cast<const char*>(entry->d_name);
    if (!std::string_view(name).starts_with(kTemporaryPrefix)) continue;
    const int at = ::dirfd(entries.get());
    const Descriptor file{::openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (::unlinkat(at, name, 0) == 0) ++removed;
  }
  return removed;
}

// --- whole files ---------------------------------------------------------------------------------

std::expected<std::string, std::string> read_file(const std::string& path, std::size_t limit) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return std::unexpected(error_text(path));
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

std::expected<bool, std::string> create_private_file(const std::string& path,
                                                     std::string_view contents) {
  // Written aside and then linked, so that another process never sees half of it.
  const std::string temporary = path + random_name();
  const Descriptor file{
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return std::unexpected(error_text(path));
  const bool written = write_all(file.get(), as_bytes(contents)) && ::fsync(file.get()) == 0;
  const bool linked = written && ::link(temporary.c_str(), path.c_str()) == 0;
  const bool exists = written && !linked && errno == EEXIST;
  const std::string error = error_text(path);
  ::unlink(temporary.c_str());
  if (linked || exists) return linked;
  return std::unexpected(error);
}

}  // namespace qpeer::cli
