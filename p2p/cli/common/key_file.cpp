#include "p2p/cli/common/key_file.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "crypto/identity.hpp"
#include "p2p/cli/common/files.hpp"
#include "p2p/cli/common/program.hpp"

namespace qpeer::cli {
namespace {

constexpr std::string_view kCertificateBegins = "-----BEGIN CERTIFICATE-----";

std::expected<Identity, std::string> make(crypto::Credentials credentials) {
  const auto id = crypto::spki_sha256(credentials.private_key_pem);
  if (!id) return std::unexpected(id.error());
  return Identity{.credentials = std::move(credentials), .id = *id};
}

crypto::Credentials generate() {
  return crypto::generate_credentials(crypto::KeyType::ed25519, "qpeer");
}

std::expected<Identity, std::string> load(const std::string& path) {
  const auto text = read_file(path, 64 << 10);
  if (!text) return std::unexpected(text.error());
  const std::size_t certificate = text->find(kCertificateBegins);
  if (certificate == std::string::npos) {
    return std::unexpected(path + ": there is no certificate in it");
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    complain("{}: others than its owner may use this key (chmod 600)", path);
  }
  auto identity = make({.certificate_pem = text->substr(certificate),
                        .private_key_pem = text->substr(0, certificate)});
  if (!identity) return std::unexpected(path + ": " + identity.error());
  return identity;
}

}  // namespace

std::expected<Identity, std::string> load_identity(const std::string& path) {
  if (path.empty()) return make(generate());
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return std::unexpected(path + ": " + std::strerror(errno));
    const crypto::Credentials fresh = generate();
    const auto created = create_private_file(path, fresh.private_key_pem + fresh.certificate_pem);
    if (!created) return std::unexpected(created.error());
  }
  return load(path);  // Also what we made: another process may have been faster.
}

std::string id_text(const std::array<u8, 32>& id) { return hex(id); }

std::expected<std::array<u8, 32>, std::string> parse_id(std::string_view text) {
  std::array<u8, 32> id{};
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() != 64) return std::unexpected("is not a peer's id of 64 hexadecimal digits");
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::unexpected("is not a peer's id of 64 hexadecimal digits");
    id[i] = static_cast<u8>(high << 4 | low);
  }
  return id;
}

}  // namespace qpeer::cli
