// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/p2p/nat/pcp.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  using namespace qpeer::p2p;
  const auto add = [&corpus](const auto& message, Input more) {
    std::array<u8, kPcpMapSize> storage{};
    Writer out{storage};
    message.encode(out);
    corpus.add(join({out.written(), more}));
  };
  const PcpMapping ipv4{.nonce = {1, 2, 3},
                        .internal_port = 4433,
                        .external = SocketAddress::ipv4({203, 0, 113, 7}, 4433)};
  const PcpMapping ipv6{.internal_port = 4433, .external = SocketAddress::ipv6({0x2a, 1}, 4433)};
  add(
      PcpMapRequest{
          .client = SocketAddress::ipv4({10, 0, 0, 1}, 0), .lifetime = 7'200, .mapping = ipv4},
      {});
  add(PcpMapRequest{.client = SocketAddress::ipv6({0x2a, 1}, 0), .mapping = ipv6}, {});
  add(PcpResponse{.opcode = PcpOpcode::map, .lifetime = 7'200, .epoch = 9, .mapping = ipv4}, {});
  add(PcpResponse{.opcode = PcpOpcode::map, .lifetime = 7'200, .mapping = ipv6}, {2, 0, 0, 0});
  add(PcpResponse{.opcode = PcpOpcode::map, .result = PcpResult::no_resources, .lifetime = 30}, {});
  add(PcpResponse{.epoch = 3}, {});
  corpus.add({0, 0, 0, 1, 0, 0, 1, 2});
  corpus.add({3, 0x81, 0, 1});
}

}  // namespace qpeer::fuzz
