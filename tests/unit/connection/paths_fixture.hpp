// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The Paths of one side with all that they need, and a peer that is played by the test.
#pragma once

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/fakes.hpp"
#include "qpeer/transport/connection/paths.hpp"
#include "qpeer/transport/connection/setup.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport::test {

using Intent = NetworkPath::Intent;

inline SocketAddress address(u8 host, std::uint16_t port = 1) {
  return SocketAddress::ipv4({10, 0, 0, host}, port);
}

inline constexpr u8 kHome = 1;
inline constexpr u8 kPeer = 2;

/// Records the calls of the paths.
struct PathRecord final : PathObserver {
  void on_path_result(const Path& path, bool works) override {
    (works ? validated : failed).push_back(path);
  }
  void on_path_changed(Instant, const Path& path) override { changes.push_back(path); }
  void on_local_address_learned(const Path& path) override { learned.push_back(path); }
  void on_new_address_validated(Instant) override { ++new_addresses; }

  std::vector<Path> validated, failed, changes, learned;
  int new_addresses = 0;
};

/// The paths of one side, whose handshake is confirmed, and a peer that gave four connection IDs. The
/// second of them belongs to the address that the peer prefers, if there is one.
struct PathsFixture {
  explicit PathsFixture(Side side, ConnectionConfig changed = {},
                        const SocketAddress& preferred = {})
      : config(sanitized(std::move(changed))),
        recovery(side, {}, make_new_reno(1200)),
        cids(issuer, id_of(50), 4),
        paths(side, config, {.local = address(kHome), .remote = address(kPeer)}, recovery, cids,
              observer) {
    if (preferred.valid()) {
      cids.add_preferred(id_of(51), {1});
      paths.set_peer_parameters({.preferred_address = wire::PreferredAddress{.ipv4 = preferred}});
    }
    for (u8 number = preferred.valid() ? 2 : 1; number < 4; ++number) give_cid(number);
    paths.on_handshake_confirmed(at(0s));
    check();
  }

  void give_cid(u8 number) {
    EXPECT_TRUE(cids.on_frame({.sequence_number = number,
                               .retire_prior_to = 0,
                               .connection_id = id_of(static_cast<u8>(50 + number)),
                               .stateless_reset_token = {number}}));
  }
  void check() const { ASSERT_TRUE(paths.consistent()); }

  std::optional<IncomingDatagram> receive(const Path& from, std::size_t size = 1200,
                                          bool open = true) {
    std::vector<u8> bytes(size);
    return paths.on_datagram({.path = from, .payload = bytes}, open);
  }
  /// The newest packet of the peer, and no probe, comes from there.
  void peer_moves(Instant now, const Path& from, const ConnectionId& destination,
                  std::size_t size = 1200) {
    auto datagram = receive(from, size);
    ASSERT_TRUE(datagram);
    if (!paths.is_active(*datagram)) paths.on_peer_migrated(now, *datagram, destination);
    paths.on_packet(now, *datagram, destination);
    check();
  }

  struct Sent {
    Path path;
    std::size_t size = 0;
    std::vector<wire::PathChallengeFrame> challenges;
    std::vector<wire::PathResponseFrame> responses;
  };
  /// The path probe that is due, written.
  std::optional<Sent> probe(Instant now) {
    const auto due = paths.next_probe(now, 1500);
    if (!due || due->is_mtu_probe) return std::nullopt;
    std::vector<u8> storage(due->size);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    const SentPacketInfo info = paths.write_probe(now, *due, random, out);
    EXPECT_TRUE(info.other_path && info.ack_eliciting);
    due->path->on_sent(due->size);
    Sent sent = read(Bytes(storage).first(out.size()));
    sent.path = due->path->address;
    sent.size = due->size;
    check();
    return sent;
  }
  /// What goes into a packet over the path in use.
  Sent frames(Instant now, bool expandable = true) {
    std::vector<u8> storage(1200);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    const bool expand = paths.write_frames(now, random, out, expandable);
    EXPECT_EQ(expand, !out.empty()) << "what is written asks for an expanded datagram";
    return read(Bytes(storage).first(out.size()));
  }
  void respond(Instant now, const wire::PathChallengeFrame& challenge) {
    paths.on_path_response(now, {.data = challenge.data});
    check();
  }

  static Sent read(Bytes payload) {
    Sent sent;
    Reader in(payload);
    while (!in.empty()) {
      const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
      EXPECT_TRUE(frame);
      if (!frame) break;
      if (const auto* challenge = std::get_if<wire::PathChallengeFrame>(&*frame)) {
        sent.challenges.push_back(*challenge);
      } else if (const auto* response = std::get_if<wire::PathResponseFrame>(&*frame)) {
        sent.responses.push_back(*response);
      }
    }
    return sent;
  }

  CountingRandom random;
  QuietIssuer issuer;
  PathRecord observer;
  ConnectionConfig config;
  Recovery recovery;
  RemoteCids cids;
  Paths paths;
};

inline Path from_peer(const SocketAddress& remote) {
  return {.local = address(kHome), .remote = remote};
}

}  // namespace qpeer::transport::test
