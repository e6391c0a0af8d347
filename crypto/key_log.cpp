// SPDX-License-Identifier: MIT OR BSD-3-Clause
// TLS secrets for packet analysers, in the file that SSLKEYLOGFILE names.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::crypto {

std::function<void(std::string_view)> key_log_from_environment(
    const std::function<void(const std::string&)>& on_error) {
  const char* const path = std::getenv("SSLKEYLOGFILE");  // NOLINT(concurrency-mt-unsafe)
  if (path == nullptr || *path == '\0') return {};
  // Without waiting: a pipe that is read slowly, or not at all, must not stop the program.
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
  auto file = std::make_shared<const Descriptor>(::open(path, kFlags, 0600));
  if (!*file) {
    if (on_error) {
      on_error(std::string("cannot write keys to SSLKEYLOGFILE ") + path + ": " +
               std::strerror(errno));
    }
    return {};
  }
  return [file = std::move(file)](std::string_view line) {
    // Each line in one write, so that several processes can share the file. What cannot be written is
    // lost: the connection does not depend on it.
    const std::string text = std::string(line) + "\n";
    [[maybe_unused]] const auto written = ::write(file->get(), text.data(), text.size());
  };
}

}  // namespace qpeer::crypto
