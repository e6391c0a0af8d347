// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Certificates and private keys: whatever a text holds, it is refused with a reason, or what was read
// serves for all that reads it.
//
// The input is a choice (1 byte), a form (1 byte), the size of the certificates (2 bytes), the
// certificates, and what is left is the key. Form 0 is PEM; in form 1 both are DER, and get the rest
// of PEM, so that a mutation meets the fields of the certificate. The choice: 0 credentials, 1 the
// same as an identity's file, 2 authorities to trust, 3 an authority that issues, 4 the certificates
// are a name to issue for.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/crypto/authority.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/identity.hpp"
#include "qpeer/transport/base/file.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using namespace qpeer::crypto;

std::string base64(Bytes data) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < data.size(); at += 3) {
    const Bytes three = data.subspan(at, std::min<std::size_t>(3, data.size() - at));
    unsigned bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < three.size() ? three[i] : 0U);
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= three.size() ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
    }
    if (out.size() % 65 == 64) out += '\n';
  }
  return out;
}

std::string block(std::string_view label, Bytes der) {
  const std::string name(label);
  return "-----BEGIN " + name + "-----\n" + base64(der) + "\n-----END " + name + "-----\n";
}

TlsConfig config_of(const Credentials& credentials) {
  TlsConfig config;
  config.credentials = credentials;
  config.alpn = {"fuzz"};
  return config;
}

/// What TLS takes is a pair that belongs together.
void use_credentials(const Credentials& credentials) {
  const auto id = check_credentials(credentials);
  check(id || !id.error().empty());
  const auto key_id = spki_sha256(credentials.private_key_pem);
  check(key_id || !key_id.error().empty());
  check(!id || (key_id && *key_id == *id));
  const auto context = make_tls_context(config_of(credentials));
  check(id || !context);
}

/// One file for all inputs of the process, where only its owner may read it.
class PrivateFile {
 public:
  PrivateFile() {
    const char* const folder = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    path_ = std::string(folder) + "/qpeer_pem_fuzz.XXXXXX";
    fd_ = Descriptor(::mkstemp(path_.data()));
    check(static_cast<bool>(fd_));
  }
  ~PrivateFile() { ::unlink(path_.c_str()); }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;

  void write(std::string_view text) const {
    check(::ftruncate(fd_.get(), 0) == 0 && ::lseek(fd_.get(), 0, SEEK_SET) == 0);
    check(write_all(fd_.get(), as_bytes(text)));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  Descriptor fd_;
};

void use_file(const Credentials& credentials) {
  static const PrivateFile file;
  file.write(credentials.private_key_pem + credentials.certificate_pem);
  const auto identity = p2p::load_identity(file.path(), file.path());
  if (!identity) return check(identity.error().contains(file.path()));
  const auto id = check_credentials(identity->credentials);
  check(id && PeerId(*id) == identity->id);
}

void use_authorities(const std::string& pem) {
  TlsConfig config;
  config.alpn = {"fuzz"};
  config.trust = Trust::private_authority;
  config.authorities_pem = pem;
  const auto context = make_tls_context(std::move(config));
  if (!context) check(!to_string(context.error()).empty());
}

void issue(const Credentials& authority, const std::vector<std::string>& names) {
  const auto issued = issue_certificate(authority, names, KeyType::ed25519, 10);
  if (!issued) return check(!issued.error().empty());
  check(check_credentials(authority).has_value());
  check(check_credentials(*issued).has_value());
  check(make_tls_context(config_of(*issued)).has_value());
}

void issue_for(std::string_view name) {
  static const Credentials authority = make_authority("authority", 10);
  const bool usable = is_certificate_name(name);
  check(!usable || std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; }));
  if (usable)
    check(issue_certificate(authority, std::vector{std::string(name)}, KeyType::ed25519, 1)
              .has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Reader in{{data, size}};
  const u8 choice = in.byte();
  const bool is_der = in.byte() == 1;
  const std::size_t wanted = in.u16();
  const Bytes certificates = in.bytes(std::min(wanted, in.remaining()));
  const Bytes key = in.rest();
  if (!in.ok()) return 0;
  const Credentials credentials{
      .certificate_pem =
          is_der ? block("CERTIFICATE", certificates) : std::string(as_text(certificates)),
      .private_key_pem = is_der ? block("PRIVATE KEY", key) : std::string(as_text(key))};
  switch (choice) {
    case 0:
      use_credentials(credentials);
      break;
    case 1:
      use_file(credentials);
      break;
    case 2:
      use_authorities(credentials.certificate_pem);
      break;
    case 3:
      issue(credentials, {"peer.example"});
      break;
    case 4:
      issue_for(as_text(certificates));
      break;
    default:
      break;
  }
  return 0;
}
