// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What travels on the control stream of a connection between peers.
//
//   message           varint type | varint length of the body | body
//   1 Introduction    varint major | varint minor | u8 role | u8 purpose | nonce (16) |
//                     varint max message size | addresses | from minor 1 on: u64 instance
//                     addresses: u8 count | count x address
//   2 Proof           nonce (16)
//   3 Verdict         u8 verdict | the address that was tried, or nothing |
//                     from minor 2 on, after an address: u8 whether strangers get through
//   4 PeersRequest    varint max
//   5 Peers           u8 count | count x (peer id (32) | address)
//  13 KnockMe         nothing                                                   from minor 2 on
//  14 Knock           token (16) | address                                      from minor 2 on
//  15 Knocked         token (16) | the address that the knock came from         from minor 2 on
//  17 KnockSent       token (16) | u8 status                                    from minor 2 on
//  18 Receipts        u8 count | count x varint stream id                      from minor 1 on
//  19 KeySharedNotice address                                                  from minor 1 on
//   address           u8 family (4, 6) | octets (4, 16) | u16 port, not 0
//
// Each message is a struct that reads and writes itself as the frames do: decode() takes a Reader
// of exactly one body and latches its failure, encode() writes type, length and body. Messages are
// plain values without a heap. p2p/control_reader.hpp finds them in a stream.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/nat/stun_message.hpp"
#include "qpeer/p2p/protocol.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/inline_vector.hpp"

namespace qpeer::p2p {

/// The form of an address above. The scope of an IPv6 address is ours alone and does not travel.
[[nodiscard]] std::size_t address_size(const SocketAddress& address);
void encode_address(Writer& out, const SocketAddress& address);
SocketAddress decode_address(Reader& in);

/// The largest body, and the largest message with its type and length.
inline constexpr std::size_t kMaxControlBody = 2048;
inline constexpr std::size_t kMaxControlMessage = kMaxControlBody + 16;

inline constexpr std::size_t kMaxAdvertised = 4;
inline constexpr std::size_t kMaxPeers = 32;
inline constexpr std::size_t kMaxReceipts = 128;

/// What a connection is for, by the word of its dialler.
enum class Purpose : u8 {
  link = 0,   ///< To stay.
  probe = 1,  ///< To see who answers: no link comes of it.
};

using Nonce = std::array<u8, 16>;
/// Where a peer says that it listens. A wildcard host (0.0.0.0 or ::) with a port means "the host
/// that you see me from".
using AdvertisedAddresses = InlineVector<SocketAddress, kMaxAdvertised>;

/// The first message of each side. Fails on a bad role or purpose, on an address of port 0 or given
/// twice, and on bytes after the last unless a newer minor may have put them there.
struct Introduction {
  static constexpr std::uint64_t kType = 1;
  std::uint64_t major = kProtocolMajor;
  std::uint64_t minor = kProtocolMinor;
  Role role = Role::client;
  Purpose purpose = Purpose::link;
  Nonce nonce{};  ///< Fresh; what a dial-back is to bring as its Proof.
  /// The longest message, request or answer that it takes; what is longer is not sent.
  std::uint64_t max_message_size = kMaxVarint;
  AdvertisedAddresses advertised{};
  /// Which process of its key the sender is: see PeerKey. Not sent by a minor below kMinorOfInstance.
  std::uint64_t instance = 0;

  /// Of another major only the version is meant: its body is not read, and nothing else is set.
  [[nodiscard]] constexpr bool is_ours() const { return major == kProtocolMajor; }
  [[nodiscard]] constexpr bool has_instance() const { return minor >= kMinorOfInstance; }
  [[nodiscard]] constexpr bool has_receipts() const { return minor >= kMinorOfReceipts; }
  [[nodiscard]] constexpr bool has_knocks() const { return minor >= kMinorOfKnocks; }

  static Introduction decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const;
  void encode(Writer& out) const;
  friend bool operator==(const Introduction&, const Introduction&) = default;
};

/// On the connection of a dial-back: the nonce of the introduction that it answers.
struct Proof {
  static constexpr std::uint64_t kType = 2;
  Nonce nonce{};

  static Proof decode(Reader& in);
  [[nodiscard]] static constexpr std::size_t body_size() { return std::tuple_size_v<Nonce>; }
  void encode(Writer& out) const;
  friend bool operator==(const Proof&, const Proof&) = default;
};

/// What became of the dial-back. `address` is what was tried: a host and port, never a wildcard.
/// `by_strangers` is set only for a peer from kMinorOfKnocks on, and with an address.
struct VerdictMessage {
  static constexpr std::uint64_t kType = 3;
  Verdict verdict = Verdict::reachable;
  std::optional<SocketAddress> address{};
  std::optional<bool> by_strangers{};

  static VerdictMessage decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const;
  void encode(Writer& out) const;
  friend bool operator==(const VerdictMessage&, const VerdictMessage&) = default;
};

/// Asks for nodes to meet. The answer holds at most `max`, and never more than kMaxPeers.
struct PeersRequest {
  static constexpr std::uint64_t kType = 4;
  std::uint64_t max = kMaxPeers;

  static PeersRequest decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const;
  void encode(Writer& out) const;
  friend bool operator==(const PeersRequest&, const PeersRequest&) = default;
};

struct KnownPeer {
  PeerId id;
  SocketAddress address;
  friend bool operator==(const KnownPeer&, const KnownPeer&) = default;
};

/// Nodes that the sender knows: hearsay, each only a candidate. Fails on the same pair twice, on an
/// id of zeros, and on a wildcard.
struct Peers {
  static constexpr std::uint64_t kType = 5;
  InlineVector<KnownPeer, kMaxPeers> peers{};

  static Peers decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const;
  void encode(Writer& out) const;
  friend bool operator==(const Peers&, const Peers&) = default;
};

/// The sender has the whole message, or answer, of each of these streams in its inbox. They are streams of
/// the connection that this comes on: those that the receiver opened for a message, and those on which
/// it answered. Sent at once, one for each stream.
struct Receipts {
  static constexpr std::uint64_t kType = 18;
  InlineVector<StreamId, kMaxReceipts> streams{};

  static Receipts decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const;
  void encode(Writer& out) const;
  friend bool operator==(const Receipts&, const Receipts&) = default;
};

/// Another node showed the key of the receiver, was seen there, and was refused.
struct KeySharedNotice {
  static constexpr std::uint64_t kType = 19;
  SocketAddress address{};

  static KeySharedNotice decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const { return address_size(address); }
  void encode(Writer& out) const;
  friend bool operator==(const KeySharedNotice&, const KeySharedNotice&) = default;
};

/// To the node that checks the sender: the sender reports knocks, so strangers may be asked for one. From a
/// client: it asks for knocks itself, to learn what its NAT or firewall does.
struct KnockMe {
  static constexpr std::uint64_t kType = 13;

  static KnockMe decode(Reader& in);
  [[nodiscard]] static constexpr std::size_t body_size() { return 0; }
  void encode(Writer& out) const;
  friend bool operator==(const KnockMe&, const KnockMe&) = default;
};

/// From the node that checks a peer to another node: it is to send a STUN indication with the token to the address.
struct Knock {
  static constexpr std::uint64_t kType = 14;
  KnockToken token{};
  SocketAddress address{};

  static Knock decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const { return token.size() + address_size(address); }
  void encode(Writer& out) const;
  friend bool operator==(const Knock&, const Knock&) = default;
};

/// From the peer that is checked: a knock with this token arrived.
struct Knocked {
  static constexpr std::uint64_t kType = 15;
  KnockToken token{};
  SocketAddress source{};

  static Knocked decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const { return token.size() + address_size(source); }
  void encode(Writer& out) const;
  friend bool operator==(const Knocked&, const Knocked&) = default;
};

/// The answer to a Knock. To a client that sent KnockMe: the first is of the knock from the node's own other
/// port, the others are of other nodes' knocks, or there is one that was not sent.
struct KnockSent {
  static constexpr std::uint64_t kType = 17;
  KnockToken token{};
  KnockStatus status = KnockStatus::sent;

  static KnockSent decode(Reader& in);
  [[nodiscard]] std::size_t body_size() const { return token.size() + 1; }
  void encode(Writer& out) const;
  friend bool operator==(const KnockSent&, const KnockSent&) = default;
};

using ControlMessage = std::variant<Introduction, Proof, VerdictMessage, PeersRequest, Peers,
                                    KnockMe, Knock, Knocked, KnockSent, Receipts, KeySharedNotice>;

/// Whether the type is one of those above.
[[nodiscard]] bool is_known_control(std::uint64_t type);

/// Reads the body of a message of `type`; nullopt when the type is unknown (nothing is read then)
/// or the body malformed (`body` has failed).
std::optional<ControlMessage> decode_control(std::uint64_t type, Reader& body);

}  // namespace qpeer::p2p
