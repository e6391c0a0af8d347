// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a fuzzer's input does to an endpoint, and to an established connection; and how real traffic
// is written down as such inputs. Everything is decided by the input: no seed, no clock.
//
// Both inputs are a byte of options and then a list of steps; a step begins with its kind.
//
//   endpoint    options: 1 any tag opens, 2 Retry always, 4 the endpoint dials out too,
//                        8 its tickets take early data, 16 it prefers version 2
//     1 t t t t t t t               t milliseconds go by (64 of them: t seconds)
//     0 . . . e e s s, size (2 bytes), bytes     a datagram from address s with ECN mark e
//
//   connection  options: 1 the client is attacked, else the server; 14 how far the handshake is;
//                        16 datagrams and observed addresses are negotiated,
//                        32 the client comes back with a ticket, and early data,
//                        64 the server prefers version 2
//     0 0 t t t t t t               as above
//     0 1 0 . a a a a               the application does a
//     0 1 1 0 . . . ., size (2 bytes), bytes     Version Negotiation with these versions
//     0 1 1 1 . . . ., size (2 bytes), bytes     a Retry with this token
//     1 l l n n e e k, size (2 bytes), frames    a packet at level l, its number by n, mark e, phase k;
//                                                k with a long header: of the other version
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {

/// One server endpoint, with null keys and an application that reads, echoes and opens streams.
class EndpointFuzzFixture {
 public:
  static constexpr u8 kAnyTag = 1;
  static constexpr u8 kRetryAlways = 2;
  static constexpr u8 kDials = 4;
  static constexpr u8 kEarlyData = 8;
  static constexpr u8 kPrefersV2 = 16;

  explicit EndpointFuzzFixture(u8 options);
  /// Takes all steps of an input, its first byte being the options.
  static void run(Bytes input);
  void step(Reader& in);

  [[nodiscard]] PeerNetwork& network() { return network_; }
  [[nodiscard]] Peer& server() { return *server_; }

 private:
  NullKeys keys_;
  PeerNetwork network_;
  Peer* server_ = nullptr;
};

/// Writes down what a server endpoint gets, as an input for EndpointFuzzFixture.
class EndpointRecorder {
 public:
  EndpointRecorder(EndpointFuzzFixture& fixture, u8 options);
  [[nodiscard]] const std::vector<u8>& input() const { return input_; }

 private:
  std::vector<u8> input_;
  Instant last_;
};

/// A client and a server at some point of their life, one of them attacked by somebody who has all
/// keys: tags are not checked, and the other end is silent from here on.
class ConnectionFuzzFixture {
 public:
  static constexpr u8 kAttackClient = 1;
  static constexpr u8 kEstablished = 14;
  static constexpr u8 kExtensions = 16;
  static constexpr u8 kComesBack = 32;
  static constexpr u8 kPrefersV2 = 64;

  explicit ConnectionFuzzFixture(u8 options);
  static void run(Bytes input);
  void step(Reader& in);

  [[nodiscard]] Peer& target() { return *target_; }

 private:
  void come_back(Peer& client, Peer& server);
  void act(u8 what);
  void send_versions(Bytes versions);
  void send_retry(Bytes token);
  void send_packet(unsigned level, unsigned number_mode, Ecn ecn, bool key_phase, Bytes frames);
  void inject(Bytes datagram, Ecn ecn = Ecn::not_ect);
  void watch(const Passing& datagram);

  NullKeys keys_;
  PeerNetwork network_;
  Peer* target_ = nullptr;
  Peer* silent_ = nullptr;
  std::vector<u8> long_destination_;  ///< By which the target is reached with long headers ...
  std::vector<u8> long_source_;
  std::vector<u8> original_destination_;  ///< Of the client's first packet.
  Version version_ = Version::v1;         ///< Of the last packet that was not 0-RTT.
  std::vector<u8> short_destination_;     ///< ... and with short ones.
  std::array<std::uint32_t, 3> next_number_{1'000, 1'000, 1'000};
};

}  // namespace qpeer::sim
