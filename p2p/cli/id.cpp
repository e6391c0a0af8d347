// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer id: prints who we are, or whom a ticket names and where.
#include <string>
#include <vector>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/identity_option.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::cli {
namespace {

void print_own(const std::string& id, const std::string& key, bool json) {
  if (!json) return void(print_line(id));
  say("{{\"id\":\"{}\",\"key\":{}}}", id, key.empty() ? "null" : json_string(key));
}

void print_contact(const p2p::PeerAddress& contact, bool json) {
  const std::string id = contact.id->to_string();
  if (!json) print_line(id);
  std::string addresses;
  for (const p2p::PeerAddress::Place& place : contact.places()) {
    if (!json) print_line(place.to_string());
    addresses += (addresses.empty() ? "" : ",") + json_string(place.to_string());
  }
  if (json) say("{{\"id\":\"{}\",\"addresses\":[{}]}}", id, addresses);
}

}  // namespace

int id_command(std::span<char* const> words) {
  std::string key;
  std::vector<p2p::PeerAddress> contacts;
  bool json = false;
  Arguments arguments{"qpeer id", "[--key FILE | --of PEER] [--json]",
                      "Prints the id of the peer that has this key: 56 characters, made from the "
                      "SHA-256 of its\npublic key and a checksum. With --of: the id that a ticket "
                      "names, and each address in it."};
  arguments.text("--key", "FILE", key, "the key, made if missing (default: one for this run)");
  arguments.custom("--of", "PEER", "a ticket or ID@HOST[:PORT]", add_contact(contacts));
  arguments.toggle("--json", json, "print a JSON object");
  if (const auto status = arguments.parse(words)) return *status;
  if (!contacts.empty()) {
    if (!key.empty()) return arguments.misuse("--key and --of exclude each other");
    if (contacts.size() > 1) return arguments.misuse("one PEER at a time");
    const p2p::PeerAddress& contact = contacts.front();
    if (!contact.id) return arguments.misuse("'" + contact.to_string() + "' names no id");
    print_contact(contact, json);
    return kSuccess;
  }
  const auto identity = identity_of(key);
  if (!identity) {
    complain("qpeer id: {}", identity.error());
    return kFailure;
  }
  if (key.empty()) complain("qpeer id: this key is not kept; --key FILE keeps one");
  print_own(identity->id.to_string(), key, json);
  return kSuccess;
}

}  // namespace qpeer::cli
