// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::p2p {
namespace {

using Error = std::unexpected<std::string>;
using Text = std::expected<std::string, std::string>;

constexpr std::size_t kLargestFile = 64 << 10;

std::string system_error_of(const std::string& path) { return path + ": " + std::strerror(errno); }

bool is_trusted_owner(uid_t owner) { return owner == ::geteuid() || owner == 0; }

// What is wrong with a name that another may have put there; "" when nothing is.
std::string why_bad_link(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return system_error_of(path);
  if (S_ISLNK(status.st_mode) && !is_trusted_owner(status.st_uid)) {
    return path + ": this symbolic link belongs to another user";
  }
  return {};
}

std::string why_bad_key_file(const std::string& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return path + ": this is not a regular file";
  if (!is_trusted_owner(status.st_uid)) return path + ": this key belongs to another user";
  if ((status.st_mode & 077) != 0) {
    return path + ": others than its owner may use this key (chmod 600, if nobody did)";
  }
  return {};
}

Text read_opened(const std::string& path, const Descriptor& file) {
  std::string out;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error(system_error_of(path));
    if (size == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(size));
    if (out.size() > kLargestFile) return Error(path + ": this is too large for a key");
  }
}

// Looks at what was opened, not at the name again, which may lead elsewhere by then.
Text read_private_file(const std::string& path) {
  if (std::string wrong = why_bad_link(path); !wrong.empty()) return Error(std::move(wrong));
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return Error(system_error_of(path));
  if (std::string wrong = why_bad_key_file(path, status); !wrong.empty()) {
    return Error(std::move(wrong));
  }
  return read_opened(path, file);
}

// The PEM blocks of a text that are certificates, or those that are not.
std::string pem_blocks(std::string_view text, bool certificates) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kCertificate = "CERTIFICATE-----";
  std::string out;
  std::size_t at = text.find(kBegin);
  while (at != std::string_view::npos) {
    const std::size_t next = text.find(kBegin, at + kBegin.size());
    const std::string_view block = text.substr(at, next - at);
    if (block.substr(kBegin.size()).starts_with(kCertificate) == certificates) out += block;
    at = next;
  }
  return out;
}

std::expected<Identity, std::string> make(crypto::Credentials credentials) {
  const auto id = crypto::check_credentials(credentials);
  if (!id) return Error(id.error());
  return Identity{.credentials = std::move(credentials), .id = PeerId{*id}};
}

std::expected<Identity, std::string> load(const std::string& path) {
  const auto text = read_private_file(path);
  if (!text) return Error(text.error());
  auto identity = make(
      {.certificate_pem = pem_blocks(*text, true), .private_key_pem = pem_blocks(*text, false)});
  if (!identity) return Error(path + ": " + identity.error());
  return identity;
}

bool is_there(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 || errno != ENOENT;
}

}  // namespace

Identity make_identity() {
  // Cannot fail: the certificate and the key were made together.
  return make(crypto::generate_credentials(crypto::KeyType::ed25519, "qpeer")).value();
}

std::expected<Identity, std::string> load_or_create_identity(const std::string& path) {
  if (!is_there(path)) {
    const crypto::Credentials fresh = make_identity().credentials;
    const auto made = create_private_file(path, fresh.private_key_pem + fresh.certificate_pem);
    if (!made) return Error(made.error());
  }
  return load(path);  // Also what we made: another process may have been faster.
}

std::expected<Identity, std::string> load_identity(const std::string& certificate_path,
                                                   const std::string& key_path) {
  const auto certificate = read_file(certificate_path, kLargestFile);
  if (!certificate) return Error(certificate.error());
  const auto key = read_private_file(key_path);
  if (!key) return Error(key.error());
  auto identity = make({.certificate_pem = pem_blocks(*certificate, true),
                        .private_key_pem = pem_blocks(*key, false)});
  if (!identity) return Error(certificate_path + " with " + key_path + ": " + identity.error());
  return identity;
}

}  // namespace qpeer::p2p
