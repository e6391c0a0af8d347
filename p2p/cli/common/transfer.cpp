// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/transfer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::cli {
namespace {

using async::Task;
using Error = std::unexpected<std::string>;

// The next bytes of the file; empty at its end.
std::expected<Bytes, std::string> read_some(const OpenFile& file, MutableBytes buffer) {
  for (;;) {
    const ssize_t size = ::read(file.file.get(), buffer.data(), buffer.size());
    if (size >= 0) return buffer.first(static_cast<std::size_t>(size));
    if (errno != EINTR) return Error(std::strerror(errno));
  }
}

constexpr int kReading = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

std::expected<OpenFile, std::string> opened(Descriptor file, const std::string& path) {
  OpenFile out{.file = std::move(file)};
  struct stat status{};
  if (!out.file || ::fstat(out.file.get(), &status) != 0) {
    return Error(path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return Error(path + ": not a file");
  out.size = static_cast<std::uint64_t>(status.st_size);
  return out;
}

}  // namespace

std::expected<OpenFile, std::string> open_file(const std::string& path) {
  return opened(Descriptor{::open(path.c_str(), kReading)}, path);
}

std::expected<OpenFile, std::string> open_file_in(const std::string& folder,
                                                  const std::string& name) {
  const std::string path = folder + "/" + name;
  if (name.empty() || name == "." || name == ".." || name.contains('/') || name.contains('\0')) {
    return Error(path + ": not the name of a file");
  }
  const Descriptor at{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!at) return Error(folder + ": " + std::strerror(errno));
  return opened(Descriptor{::openat(at.get(), name.c_str(), kReading | O_NOFOLLOW)}, path);
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

Task<std::expected<SentBody, std::string>> send_body(async::StreamHandle& stream,
                                                     const OpenFile& file, const std::string& what,
                                                     Progress& progress) {
  constexpr std::size_t kBufferSize = 32 << 10;  // Progress is counted in such steps.
  const auto buffer = std::make_unique_for_overwrite<u8[]>(kBufferSize);
  crypto::Sha256 hash;
  std::uint64_t sent = 0;
  for (;;) {
    const auto data = read_some(file, {buffer.get(), kBufferSize});
    if (!data) co_return Error(what + ": " + data.error());
    if (data->empty()) break;
    sent += data->size();
    if (sent > file.size) co_return Error(what + ": it grew while it was sent");
    hash.update(*data);
    const auto written = co_await stream.write(*data);
    if (!written) co_return SentBody{.taken = false};
    progress.update(sent);
  }
  if (sent < file.size) co_return Error(what + ": it shrank while it was sent");
  co_return SentBody{.sha256 = hash.finish()};
}

Task<std::expected<ReceivedBody, BodyFailure>> receive_body(async::StreamHandle& stream,
                                                            AtomicFile& file, std::uint64_t size,
                                                            Progress& progress) {
  crypto::Sha256 hash;
  std::uint64_t received = 0;
  bool ended = false;
  while (received < size) {
    if (ended) co_return std::unexpected(BodyFailure{.error = BodyError::too_short});
    const auto view = co_await stream.peek();
    if (!view) co_return std::unexpected(BodyFailure{});
    const std::uint64_t left = size - received;
    const Bytes data = view->data.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(left, view->data.size())));
    hash.update(data);
    if (const auto written = file.write(data); !written) {
      co_return std::unexpected(
          BodyFailure{.error = BodyError::cannot_write, .why = written.error()});
    }
    ended = view->fin && data.size() == view->data.size();
    received += data.size();
    stream.consume(data.size());
    progress.update(received);
  }
  co_return ReceivedBody{.sha256 = hash.finish(), .ended = ended};
}

}  // namespace qpeer::cli
