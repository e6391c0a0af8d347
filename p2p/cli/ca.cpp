// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer ca: a certificate authority of one's own, kept in a folder, and the certificates it issues.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/crypto/authority.hpp"
#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/identity.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {
namespace {

using Error = std::unexpected<std::string>;

struct Options {
  std::string folder;
  std::vector<std::string> names;
  std::string out;
  std::uint32_t days = 0;
  bool json = false;
};

FileResult write_new(const std::string& path, std::string_view text, unsigned mode) {
  const auto failure = [&path](const std::string& why) { return Error(path + ": " + why); };
  auto file = TemporaryFile::create(folder_of(path), mode);
  if (!file) return failure(file.error());
  if (!write_all(file->fd(), as_bytes(text))) return failure(std::strerror(errno));
  if (const auto synced = file->sync_contents(); !synced) return failure(synced.error());
  const auto named = file->name_it(name_in_folder(path), TemporaryFile::Taken::refuse);
  if (!named) return failure(named.error());
  if (!*named) return failure("there is such a file already");
  if (const auto synced = file->sync_name(); !synced) return failure(synced.error());
  return {};
}

// Writes PREFIX.key and PREFIX.pem: both, or neither. Files that exist already are not changed.
FileResult write_pair(const std::string& prefix, const crypto::Credentials& credentials) {
  const std::string key = prefix + ".key";
  const std::string certificate = prefix + ".pem";
  if (const auto written = write_new(key, credentials.private_key_pem, 0600); !written) {
    return written;
  }
  auto written = write_new(certificate, credentials.certificate_pem, 0644);
  if (!written) ::unlink(key.c_str());
  return written;
}

// Prints what was made, or why it was not.
int report(const Options& options, const std::string& prefix,
           const std::expected<PeerId, std::string>& made) {
  if (!made) {
    complain("qpeer ca: {}", made.error());
    return kFailure;
  }
  const std::string certificate = prefix + ".pem";
  const std::string key = prefix + ".key";
  if (options.json) {
    std::string names;
    for (const std::string& name : options.names) {
      names += (names.empty() ? "" : ",") + json_string(name);
    }
    say("{{\"id\":\"{}\",\"names\":[{}],\"certificate\":{},\"key\":{},\"days\":{}}}",
        made->to_string(), names, json_string(certificate), json_string(key), options.days);
  } else {
    say("made {} and {}, good for {} days, id {}", certificate, key, options.days,
        made->to_string());
  }
  return kSuccess;
}

std::expected<PeerId, std::string> save(const std::string& prefix,
                                        const crypto::Credentials& credentials) {
  const auto key = crypto::check_credentials(credentials);
  if (!key) return Error(key.error());
  if (const auto written = write_pair(prefix, credentials); !written) {
    return Error(written.error());
  }
  return PeerId{*key};
}

std::expected<PeerId, std::string> init(const Options& options, const std::string& prefix) {
  if (::mkdir(options.folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return Error(options.folder + ": " + std::strerror(errno));
  }
  return save(prefix, crypto::make_authority(options.names.front(), options.days));
}

std::expected<PeerId, std::string> issue(const Options& options, const std::string& prefix) {
  const std::string authority = options.folder + "/ca";
  const auto loaded = p2p::load_identity(authority + ".pem", authority + ".key");
  if (!loaded) return Error(loaded.error());
  const auto issued = crypto::issue_certificate(loaded->credentials, options.names,
                                                crypto::KeyType::ed25519, options.days);
  if (!issued) return Error(issued.error());
  return save(prefix, *issued);
}

int init_command(std::span<char* const> words) {
  Options options{.folder = {}, .names = {"qpeer authority"}, .out = {}, .days = 3650};
  Arguments arguments{"qpeer ca init", "DIR [OPTION...]",
                      "Makes an authority for a network of one's own: DIR/ca.pem, which every "
                      "peer trusts, and\nDIR/ca.key, which nobody else may see."};
  arguments.positional("DIR", options.folder);
  arguments.text("--name", "NAME", options.names.front(),
                 "what people read in it (default: qpeer authority)");
  arguments.number("--days", "N", options.days, 1, crypto::kMaxDays,
                   "how long it is good (default: 3650)");
  arguments.toggle("--json", options.json, "print a JSON object");
  if (const auto status = arguments.parse(words)) return *status;
  const std::string prefix = options.folder + "/ca";
  return report(options, prefix, init(options, prefix));
}

int issue_command(std::span<char* const> words) {
  Options options{.folder = {}, .names = {}, .out = {}, .days = 365};
  Arguments arguments{"qpeer ca issue", "DIR --name NAME [--name NAME...] [OPTION...]",
                      "Makes a key, and a certificate of the authority in DIR for it, by which a "
                      "peer may dial and\nbe dialled."};
  arguments.positional("DIR", options.folder);
  arguments.custom("--name", "NAME", "a host name or an address of the peer",
                   [&](std::string_view text) -> std::expected<void, std::string> {
                     if (!crypto::is_certificate_name(text)) {
                       return Error("is neither a DNS name nor an IP address");
                     }
                     options.names.emplace_back(text);
                     return {};
                   });
  arguments.text("--out", "PREFIX", options.out,
                 "makes PREFIX.pem and PREFIX.key (default: DIR/ and the first NAME)");
  arguments.number("--days", "N", options.days, 1, crypto::kMaxDays,
                   "how long it is good (default: 365)");
  arguments.toggle("--json", options.json, "print a JSON object");
  if (const auto status = arguments.parse(words)) return *status;
  if (options.names.empty()) return arguments.misuse("--name NAME is missing");
  const std::string prefix =
      options.out.empty() ? options.folder + "/" + options.names.front() : options.out;
  return report(options, prefix, issue(options, prefix));
}

}  // namespace

int ca_command(std::span<char* const> words) {
  const std::string_view name = words.empty() ? std::string_view{} : words.front();
  if (name == "init") return init_command(words.subspan(1));
  if (name == "issue") return issue_command(words.subspan(1));
  Arguments arguments{"qpeer ca", "init|issue DIR [OPTION...]",
                      "An authority for a network of one's own.\n\n"
                      "  init   make the authority\n"
                      "  issue  make a key with a certificate for a peer\n\n"
                      "'qpeer ca init --help' and 'qpeer ca issue --help' tell more."};
  if (name.empty()) return arguments.misuse("a command is missing, init or issue");
  if (!name.starts_with('-'))
    return arguments.misuse("unknown command '" + std::string(name) + "'");
  if (const auto status = arguments.parse(words)) return *status;
  return arguments.misuse("a command is missing, init or issue");
}

}  // namespace qpeer::cli
