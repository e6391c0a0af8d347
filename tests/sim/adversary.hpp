// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A peer that holds real keys and keeps no rule: it sends any frame, any packet and any transport
// parameters, as client or as server, at any time and encryption level, and notes what comes back.
//
// It is no Connection: a TLS session, keys, and packet numbers, no more. What it sends arrives at
// once; nothing that it sends is lost, and nothing sent again.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/tests/sim/network.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/test_tls.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::sim {

using Octets = std::vector<u8>;

/// Integers of variable length in their shortest form, which most frames are.
Octets varints(std::initializer_list<std::uint64_t> values);
/// One of them in a form of 1, 2, 4 or 8 bytes.
Octets varint_of_size(std::uint64_t value, std::size_t size);
Octets join(std::initializer_list<Octets> parts);
inline Octets zeros(std::size_t count) { return Octets(count); }

/// How far it goes by itself.
enum class Stage : u8 {
  initial,    ///< Says nothing of the handshake: there are Initial keys, no more.
  handshake,  ///< Sends its part of the Initial level, so that both sides have Handshake keys.
  connected,  ///< Completes, and as a server confirms, the handshake.
};

struct AdversaryConfig {
  Side side = Side::client;
  Stage stage = Stage::connected;
  Version version = Version::v1;
  std::size_t cid_size = 8;
  TestTlsConfig tls{};
  std::shared_ptr<crypto::TlsContext> real_tls{};  ///< Instead of the test TLS.
  Octets session{};  ///< As a client: of an earlier connection, to send 0-RTT packets with.
  crypto::KeyFactory* keys = nullptr;                            ///< Unset is NullKeys.
  std::function<void(wire::TransportParameters&)> parameters{};  ///< Changes what it announces ...
  std::function<void(Octets&)> raw_parameters{};                 ///< ... and this the bytes of it.
  bool acknowledges = true;                                      ///< Each packet that asks for it.
};

/// What differs from an honest packet. All but `forged` are under the packet's protection.
struct PacketOptions {
  std::optional<PacketNumber> number{};  ///< Else the next one of its space.
  u8 first_byte_flips = 0;               ///< Bits of the first byte, before header protection.
  std::optional<Octets> dcid{};
  std::optional<Octets> scid{};
  std::optional<Version> version{};
  Octets token{};
  bool pads = true;      ///< Datagrams with an Initial in them to 1200 bytes.
  bool old_key = false;  ///< 1-RTT: of the key phase before.
  bool forged = false;   ///< Breaks the tag.
};

class Adversary final : private crypto::TlsHandler {
 public:
  /// One packet that it got and could open.
  struct Heard {
    EncryptionLevel level = EncryptionLevel::initial;
    PacketNumber number = 0;
    Instant at{};
    std::size_t datagram = 0;  ///< The count of datagrams before its own.
    std::size_t datagram_size = 0;
    wire::ProtectedHeader header{};  ///< Its views are void.
    u8 first_byte = 0;               ///< Unprotected.
    Octets payload;
  };

  Adversary(Network& network, AdversaryConfig config);

  /// As a client: draws connection IDs, and sends a ClientHello if the stage says so.
  void dials(const SocketAddress& victim);

  // --- sending -----------------------------------------------------------------------------------

  /// A packet with these frames, in a datagram of its own.
  void send(EncryptionLevel level, const Octets& frames, const PacketOptions& options = {});
  /// The same without sending, to coalesce or spoil.
  Octets packet(EncryptionLevel level, Octets frames, const PacketOptions& options = {});
  /// A datagram as it is; `from` another address if set.
  void send_raw(const Octets& datagram, const SocketAddress& from = {}, Ecn ecn = Ecn::not_ect);
  /// Sends what the stage held back of a level.
  void release(EncryptionLevel level);
  /// Handshake bytes in 1-RTT, behind those that were sent.
  void send_post_handshake(const Octets& message);
  /// From now on the next generation of 1-RTT keys.
  void update_keys();
  [[nodiscard]] bool can_send(EncryptionLevel level) const;
  /// What it answers a ClientHello with that has not come: TLS messages held at a level.
  [[nodiscard]] const Octets& held(EncryptionLevel level) const { return space(level).out; }
  PacketNumber& next_number(EncryptionLevel level) { return space(level).next; }

  // --- what came ---------------------------------------------------------------------------------

  [[nodiscard]] const std::vector<Heard>& heard() const { return heard_; }
  void forget() { heard_.clear(); }
  /// Calls for each frame of each packet in order.
  void each(const std::function<void(const Heard&, const wire::Frame&)>& visit) const;
  /// The last frame of this kind, at any level; its views live until the next datagram.
  template <class F>
  [[nodiscard]] std::optional<F> last() const {
    std::optional<F> found;
    each([&](const Heard&, const wire::Frame& frame) {
      if (const F* const one = std::get_if<F>(&frame)) found = *one;
    });
    return found;
  }
  template <class F>
  [[nodiscard]] std::size_t count() const {
    std::size_t found = 0;
    each(
        [&](const Heard&, const wire::Frame& frame) { found += std::holds_alternative<F>(frame); });
    return found;
  }
  /// Whether a packet was acknowledged.
  [[nodiscard]] bool acknowledged(EncryptionLevel level, PacketNumber number) const;
  [[nodiscard]] std::size_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Packets with something in them that is no frame, or not one for their type.
  [[nodiscard]] std::size_t malformed() const { return malformed_; }
  /// The last datagram, as it came.
  [[nodiscard]] const Octets& last_datagram() const { return last_datagram_; }

  /// As a client: what the server gave for later connections.
  [[nodiscard]] const std::vector<Octets>& sessions() const { return sessions_; }

  [[nodiscard]] const SocketAddress& address() const { return host_.address(); }
  [[nodiscard]] const SocketAddress& victim() const { return victim_; }
  /// Another address that it sends from and is heard at; a new one each time.
  SocketAddress second_address();
  /// Connection IDs: the victim's, ours, and the one that the client drew for the server.
  [[nodiscard]] Octets victim_cid() const { return as_octets(victim_cid_); }
  [[nodiscard]] Octets cid() const { return as_octets(cid_); }
  [[nodiscard]] Octets original_dcid() const { return as_octets(original_dcid_); }
  [[nodiscard]] const std::optional<wire::TransportParameters>& victim_parameters() const {
    return victim_parameters_;
  }
  /// As they came.
  [[nodiscard]] const Octets& victim_parameter_bytes() const { return victim_parameter_bytes_; }

 private:
  class Ears;
  struct Space {
    PacketNumber next = 0;
    std::optional<PacketNumber> largest;
    crypto::PacketKeys send;
    crypto::PacketKeys receive;
    Octets out;  ///< Handshake messages that were held back.
    std::uint64_t out_offset = 0;
    Octets in;  ///< Handshake messages from in_offset on.
    std::vector<bool> in_known;
    std::uint64_t in_offset = 0;
  };

  void on_tls_data(EncryptionLevel level, Bytes data) override;
  void on_tls_secret(EncryptionLevel level, crypto::Direction direction, crypto::CipherSuite suite,
                     Bytes secret) override;
  Result on_tls_transport_parameters(Bytes parameters) override;
  void on_tls_session(Bytes session) override {
    sessions_.emplace_back(session.begin(), session.end());
  }

  void hear(ReceivedDatagram datagram);
  void hear_packet(const wire::ProtectedHeader& header, MutableBytes packet, std::size_t size);
  bool open(Space& from, EncryptionLevel level, PacketNumber number, bool phase, Bytes head,
            MutableBytes sealed);
  bool process(const Heard& packet);
  void hear_crypto(EncryptionLevel level, const wire::CryptoFrame& frame);
  void go_on();
  void start_tls();
  void initial_keys();
  [[nodiscard]] Octets parameters() const;
  static Octets as_octets(const ConnectionId& id) { return {id.bytes().begin(), id.bytes().end()}; }
  Space& space(EncryptionLevel level) { return spaces_[static_cast<std::size_t>(space_of(level))]; }
  [[nodiscard]] const Space& space(EncryptionLevel level) const {
    return spaces_[static_cast<std::size_t>(space_of(level))];
  }

  Network& network_;
  AdversaryConfig config_;
  SeededRandom random_;
  NullKeys null_keys_;
  crypto::KeyFactory& keys_;
  std::shared_ptr<crypto::TlsContext> tls_context_;
  std::unique_ptr<crypto::TlsSession> tls_;
  Host& host_;
  SocketAddress victim_;
  ConnectionId cid_;
  ConnectionId victim_cid_;
  ConnectionId original_dcid_;
  bool knows_victim_cid_ = false;
  bool confirmed_ = false;
  std::array<Space, kPacketNumberSpaces> spaces_{};

  crypto::PacketKeys early_send_;  ///< Of 0-RTT.
  std::vector<Octets> sessions_;

  // 1-RTT key phases.
  crypto::CipherSuite suite_ = crypto::CipherSuite::aes_128_gcm_sha256;
  crypto::Secret send_secret_;
  crypto::Secret receive_secret_;
  std::unique_ptr<crypto::Aead> old_send_;
  bool send_phase_ = false;
  bool receive_phase_ = false;

  std::optional<wire::TransportParameters> victim_parameters_;
  Octets victim_parameter_bytes_;
  std::vector<Heard> heard_;
  std::size_t datagrams_ = 0;
  std::size_t bytes_ = 0;
  std::size_t malformed_ = 0;
  Octets last_datagram_;
};

}  // namespace qpeer::sim
