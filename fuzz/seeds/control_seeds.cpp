// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>
#include <initializer_list>
#include <variant>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/p2p/control_messages.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  using namespace qpeer::p2p;
  Introduction hello{.role = Role::node, .nonce = {1, 2, 3}};
  hello.instance = 0x0102'0304'0506'0708;
  Introduction older = hello;
  Introduction newer = hello;
  Introduction newest = hello;
  hello.advertised.push_back(SocketAddress::ipv4({5, 6, 7, 8}, 443));
  hello.advertised.push_back(SocketAddress::ipv6({0x2a, 1}, 4433));
  hello.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, 443));
  older.minor = 0;
  newer.minor = kProtocolMinor + 1;
  newest.major = kProtocolMajor + 1;
  Peers peers;
  for (u8 i = 1; i <= kMaxPeers; ++i) {
    peers.peers.push_back({.id = PeerId({i}), .address = SocketAddress::ipv4({5, 6, 7, i}, 443)});
  }
  Receipts receipts;
  for (std::uint64_t i = 0; i < kMaxReceipts; ++i) receipts.streams.push_back({2 + i * 1'000'000});
  Input all{2};
  for (const ControlMessage& message : std::initializer_list<ControlMessage>{
           Introduction{}, hello, older, newer, newest, Proof{.nonce = {4, 5}}, VerdictMessage{},
           VerdictMessage{.verdict = p2p::Verdict::refused, .address = hello.advertised[0]},
           VerdictMessage{.verdict = p2p::Verdict::only_where_it_wrote,
                          .address = hello.advertised[1],
                          .by_strangers = false},
           KnockMe{}, Knock{.token = {6, 7}, .address = hello.advertised[0]},
           Knocked{.token = {6, 7}, .source = hello.advertised[1]},
           KnockSent{.token = {6, 7}, .status = KnockStatus::busy}, PeersRequest{.max = 70'000},
           peers, Receipts{}, receipts, KeySharedNotice{.address = hello.advertised[1]}}) {
    Input storage(kMaxControlMessage);
    Writer out{storage};
    std::visit([&out](const auto& each) { each.encode(out); }, message);
    corpus.add(join({std::array<u8, 1>{255}, out.written()}));
    all.insert(all.end(), out.written().begin(), out.written().end());
    all.insert(all.end(), {40, 3, 1, 2, 3});  // Of an unknown type.
  }
  corpus.add(all);
}

}  // namespace qpeer::fuzz
