// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <vector>

#include "qpeer/cache/cache_codec.hpp"
#include "qpeer/cache/cache_text.hpp"
#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  cache::CacheEntry entry;
  entry.id = PeerId({1, 2, 3});
  entry.address = SocketAddress::ipv4({192, 0, 2, 1}, 4433);
  entry.last_reached = 1'700'000'000;
  cache::CacheEntry full = entry;
  full.id = PeerId({4});
  full.address = SocketAddress::ipv6({0xfe, 0x80}, 443, 2);
  full.certificate.assign(60, 0x30);
  full.evidence = cache::Evidence::dialled_back;
  full.failures = 3;
  full.ticket.assign(20, 1);
  full.spare_ticket.assign(15, 3);
  full.address_token.assign(10, 2);
  constexpr std::size_t kMagicSize = 8;
  constexpr std::size_t kChecksumSize = 32;
  for (const auto& entries : {std::vector<cache::CacheEntry>{}, std::vector{entry},
                              std::vector{full}, std::vector{entry, full}}) {
    const Input file = cache::encode(entries);
    corpus.add(join({Input{0}, file}));
    const Bytes body = Bytes(file).first(file.size() - kChecksumSize).subspan(kMagicSize);
    corpus.add(join({Input{1}, body}));
    corpus.add(join({Input{2}, as_bytes(cache::export_text(entries))}));
  }
}

}  // namespace qpeer::fuzz
