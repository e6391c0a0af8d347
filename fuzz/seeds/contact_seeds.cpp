// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>
#include <string>
#include <string_view>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/p2p/ticket.hpp"
#include "qpeer/transport/base/base32.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  const auto add = [&corpus](u8 choice, std::string_view text) {
    corpus.add(join({std::array{choice}, as_bytes(text)}));
  };
  const std::string id = PeerId({1, 2, 3, 0xff}).to_string();
  add(0, id);
  add(0, " " + id + "\n");
  add(0, "MZXW6YTB" + id.substr(8));
  for (const std::string_view address :
       {"192.0.2.1:443", "[2001:db8::1]:443", "[fe80::1%2]:65535", "[::ffff:192.0.2.1]:1",
        "[1:2:3:4:5:6:7:8]:0", "[::]:80", "[64:ff9b::192.0.2.33]:4433"}) {
    add(1, address);
    add(2, address);
    add(3, address);
    add(3, id + "@" + std::string(address));
  }
  for (const std::string_view host :
       {"example.net", "example.net:443", "2001:db8::1", "fe80::1%eth0", "xn--bcher-kva.example:1",
        "localhost", "192.0.2.1"}) {
    add(2, host);
    add(3, host);
    add(3, id + "@" + std::string(host));
  }
  corpus.add(join({std::array<u8, 1>{4}, Input(32, 7)}));
  corpus.add(join({std::array<u8, 1>{4}, Input(32, 7), text_input(std::string_view("\5a\7B", 4))}));
  const p2p::Ticket ticket{.id = PeerId({1, 2, 3, 0xff}),
                           .places = {{.host = "192.0.2.1", .port = 4477},
                                      {.host = "2001:db8::1", .port = 443},
                                      {.host = "fe80::1%eth0", .port = 9},
                                      {.host = "node.test", .port = 65535}}};
  add(3, ticket.to_string());
  const Input sealed = from_base32(ticket.to_string().substr(12)).bytes;
  corpus.add(join({std::array<u8, 1>{5}, Bytes(sealed).first(sealed.size() - 4)}));
}

}  // namespace qpeer::fuzz
