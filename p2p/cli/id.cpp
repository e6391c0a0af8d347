// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer id: prints who we are.
#include <string>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/identity_option.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::cli {

int id_command(std::span<char* const> words) {
  std::string key;
  bool json = false;
  Arguments arguments{"qpeer id", "[--key FILE] [--json]",
                      "Prints the id of the peer that has this key: 56 characters, made from the "
                      "SHA-256 of its\npublic key and a checksum."};
  arguments.text("--key", "FILE", key, "the key, made if missing (default: one for this run)");
  arguments.toggle("--json", json, "print a JSON object");
  if (const auto status = arguments.parse(words)) return *status;
  const auto identity = identity_of(key);
  if (!identity) {
    complain("qpeer id: {}", identity.error());
    return kFailure;
  }
  if (key.empty()) complain("qpeer id: this key is not kept; --key FILE keeps one");
  const std::string id = identity->id.to_string();
  if (json) {
    say("{{\"id\":\"{}\",\"key\":{}}}", id, key.empty() ? "null" : json_string(key));
  } else {
    print_line(id);
  }
  return kSuccess;
}

}  // namespace qpeer::cli
