// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each act of each of them, in worlds of several kinds; every control message from the malicious peer.
#include <array>
#include <variant>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/p2p/control_messages.hpp"

namespace qpeer::fuzz {
namespace {

constexpr u8 kSecond = 32;
constexpr u8 kSay = 0xc0 | 3;
constexpr u8 kOpenOneWay = 0xc0 | 5;
constexpr u8 kWriteAll = 0xc0 | 7;
constexpr u8 kDial = 0xc0;

std::vector<Input> control_messages() {
  using namespace qpeer::p2p;
  Introduction node{.role = Role::node, .nonce = {1, 2, 3}};
  node.advertised.push_back(SocketAddress::ipv4({10, 0, 0, 9}, 4433));
  Peers peers;
  peers.peers.push_back({.id = PeerId({1}), .address = SocketAddress::ipv4({10, 0, 0, 9}, 443)});
  std::vector<Input> out;
  for (const ControlMessage& message : std::initializer_list<ControlMessage>{
           Introduction{}, node, Proof{}, VerdictMessage{}, PeersRequest{}, peers, Receipts{},
           KeySharedNotice{}}) {
    Input storage(kMaxControlMessage);
    Writer writer{storage};
    std::visit([&writer](const auto& each) { each.encode(writer); }, message);
    storage.resize(writer.size());
    out.push_back(std::move(storage));
  }
  return out;
}

}  // namespace

void add_seeds(Corpus& corpus) {
  constexpr int kAllLinked = 32 | 64 | 128;
  for (const u8 options : {0, 1, kAllLinked, kAllLinked | 1, kAllLinked | 2, kAllLinked | 8}) {
    for (u8 act = 0x40; act < 0xc0; ++act) {
      if ((act + options) % 3 != 0) continue;  // A third of them is enough to begin with.
      corpus.add({options, 20, act, kSecond});
      corpus.add({options, 20, act, 0x48, 10, static_cast<u8>(act ^ 1), kSecond, act, 20});
    }
    for (u8 act = 0xc0; act <= 0xcf; ++act) {
      corpus.add({options, kDial, 20, kOpenOneWay, 5, act, 3, 1, 2, 3, kSecond});
    }
    for (const Input& message : control_messages()) {
      const std::array<u8, 4> first{options, kDial, 20, kSay};
      corpus.add(join(
          {first, std::array{static_cast<u8>(message.size())}, message, Input{kSecond, kSecond}}));
    }
    // Datagrams of strangers, ICMP messages, other news of the system.
    for (u8 act = 0xb8; act <= 0xbf; ++act) {
      corpus.add({options, 10, act, 1, 5, 0xc0, 0, 0, 0, 1, 20, act, 2, 4, 0x40, 1, 2, 3, kSecond});
    }
    // A message, a raw stream, and what is neither.
    for (const u8 prefix : {0, 1, 2, 200}) {
      corpus.add(
          {options, 20, kOpenOneWay, kWriteAll, 4, prefix, 'a', 'b', 'c', kSecond, 0x52, 0x53});
    }
  }
}

}  // namespace qpeer::fuzz
