// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a cache file and an imported text hold: read whatever they are, and the same again once
// written. The first byte chooses: 0 a file, 1 a file's body, which gets magic and checksum, 2 text.
#include <algorithm>
#include <set>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/cache/cache_codec.hpp"
#include "qpeer/cache/cache_text.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/fuzz/check.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using namespace qpeer::cache;

void check_rules(const BootstrapCache& cache) {
  std::set<PeerId> ids;
  std::set<SocketAddress> addresses;
  check(cache.consistent());
  check(cache.size() <= cache.config().capacity);
  for (const CacheEntry& entry : cache.entries()) {
    check(ids.insert(entry.id).second && addresses.insert(entry.address).second);
    check(0 <= entry.first_reached && entry.first_reached <= entry.last_reached);
  }
}

void use(const std::vector<CacheEntry>& entries) {
  const auto again = decode(encode(entries));
  check(again && again->entries == entries);

  BootstrapCache cache(CacheConfig{.capacity = 4, .prefix_share = 2, .max_ticket = 10});
  cache.merge(entries);
  check_rules(cache);
  for (const CacheEntry& entry : entries) cache.on_reached(entry);
  check_rules(cache);

  std::vector<CacheEntry> open = cache.entries();
  for (CacheEntry& entry : open) {
    entry.ticket.clear();
    entry.spare_ticket.clear();
    entry.address_token.clear();
    entry.order = 0;  // Of the cache that takes them in.
  }
  check(import_text(export_text(cache.entries())) == open);
}

std::vector<u8> sealed(Bytes rest) {
  std::vector<u8> file{'Q', 'P', 'E', 'E', 'R', 'N', 'C', '\n'};
  file.insert(file.end(), rest.begin(), rest.end());
  const auto checksum = crypto::sha256(file);
  file.insert(file.end(), checksum.begin(), checksum.end());
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest{data + 1, size - 1};
  if (data[0] == 2) {
    const auto entries = import_text(as_text(rest));
    if (entries) use(*entries);
    if (!entries) {
      check(entries.error().starts_with("line "));
      check(std::ranges::all_of(entries.error(), [](char c) { return c >= ' ' && c < '\x7f'; }));
    }
    return 0;
  }
  const auto decoded = data[0] == 1 ? decode(sealed(rest)) : decode(rest);
  if (decoded) use(decoded->entries);
  return 0;
}
