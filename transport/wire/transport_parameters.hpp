// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Transport parameters, as the TLS extension carries them. RFC 9000 §7.4, §18; RFC 9221 §3;
// RFC 9287 §3; RFC 9368 §3; draft-ietf-quic-address-discovery §3; draft-ietf-quic-ack-frequency §3.
//
//   a sequence of: id (varint) | length (varint) | value
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer::wire {

/// Where the server would rather be reached, RFC 9000 §9.6, §18.2.
struct PreferredAddress {
  SocketAddress ipv4{};                         ///< Not valid() when the server names none.
  SocketAddress ipv6{};                         ///< Not valid() when the server names none.
  ConnectionId connection_id{};                 ///< Sequence number 1.
  StatelessResetToken stateless_reset_token{};  ///< Of that connection ID.
  friend constexpr bool operator==(const PreferredAddress&, const PreferredAddress&) = default;
};

/// The versions that the sender speaks, RFC 9368 §3.
class VersionInformation {
 public:
  /// The most versions that are kept.
  static constexpr std::size_t kMaxAvailable = 8;

  constexpr VersionInformation() = default;
  /// No version is available yet.
  constexpr explicit VersionInformation(Version chosen) : chosen_version(chosen) {}

  /// The version that the sender uses in this connection.
  Version chosen_version = Version::negotiation;

  /// What the sender speaks, the most preferred first. Valid while this object is.
  [[nodiscard]] constexpr std::span<const Version> available_versions() const {
    return std::span(available_).first(count_);
  }
  /// Whether the sender speaks it.
  [[nodiscard]] constexpr bool is_available(Version version) const {
    for (const Version each : available_versions()) {
      if (each == version) return true;
    }
    return false;
  }
  /// Adds a version, the most preferred first. Of versions that this library does not speak only
  /// six are kept, so that those it does speak always have room, whatever a peer lists.
  constexpr void add_available(Version version) {
    if (is_available(version)) return;
    if (!is_supported(version) && unsupported_++ >= kMaxAvailable - 2) return;
    available_[count_++] = version;
  }
  friend constexpr bool operator==(const VersionInformation& a, const VersionInformation& b) {
    if (a.chosen_version != b.chosen_version || a.count_ != b.count_) return false;
    for (std::size_t i = 0; i < a.count_; ++i) {
      if (a.available_[i] != b.available_[i]) return false;
    }
    return true;
  }

 private:
  std::array<Version, kMaxAvailable> available_{};
  std::size_t count_ = 0;
  std::size_t unsupported_ = 0;
};

/// What a side is ready to do about the addresses that it sees its peer at, and the peer it.
/// draft-ietf-quic-address-discovery §3.
struct AddressDiscovery {
  bool provide = false;  ///< Tell the peer its address.
  bool request = false;  ///< Be told our own.
  /// Whether it is to be sent at all.
  [[nodiscard]] constexpr bool any() const { return provide || request; }
  friend constexpr bool operator==(const AddressDiscovery&, const AddressDiscovery&) = default;
};

/// All parameters, with the values they have when absent.
struct TransportParameters {
  /// Of the server. RFC 9000 §7.3.
  std::optional<ConnectionId> original_destination_connection_id{};
  std::optional<ConnectionId> initial_source_connection_id{};  ///< Of both sides. RFC 9000 §7.3.
  /// Of a server that sent Retry. RFC 9000 §7.3.
  std::optional<ConnectionId> retry_source_connection_id{};
  std::uint64_t max_idle_timeout_ms = 0;  ///< 0: none.
  /// Of the server, for its first connection ID.
  std::optional<StatelessResetToken> stateless_reset_token{};
  std::uint64_t max_udp_payload_size = 65527;  ///< Bytes that the sender takes; at least 1200.
  std::uint64_t initial_max_data = 0;          ///< Bytes, all streams together.
  /// Bytes, of streams that the sender opens.
  std::uint64_t initial_max_stream_data_bidi_local = 0;
  /// Bytes, of streams that its peer opens.
  std::uint64_t initial_max_stream_data_bidi_remote = 0;
  std::uint64_t initial_max_stream_data_uni = 0;  ///< Bytes, of such streams too.
  std::uint64_t initial_max_streams_bidi = 0;     ///< How many its peer may open.
  std::uint64_t initial_max_streams_uni = 0;      ///< How many its peer may open.
  std::uint64_t ack_delay_exponent = 3;   ///< ACK Delay counts 2^this microseconds; at most 20.
  std::uint64_t max_ack_delay_ms = 25;    ///< Less than 2^14.
  bool disable_active_migration = false;  ///< The peer shall not move its connection.
  std::optional<PreferredAddress> preferred_address{};  ///< Of a server.
  std::uint64_t active_connection_id_limit = 2;         ///< How many the sender keeps; at least 2.
  std::uint64_t max_datagram_frame_size = 0;            ///< 0: no DATAGRAM frames. RFC 9221 §3.
  bool grease_quic_bit = false;                         ///< RFC 9287 §3.
  std::optional<VersionInformation> version_information{};  ///< RFC 9368 §3.
  AddressDiscovery address_discovery{};                     ///< Neither: not sent, or not received.
  /// Microseconds, no more than max_ack_delay_ms: the least delay that the sender can be asked for.
  /// None: it takes no ACK_FREQUENCY and IMMEDIATE_ACK frames.
  std::optional<std::uint64_t> min_ack_delay_us{};
  /// Sent only: a reserved id, 31 * N + 27, under which a parameter without meaning is written.
  std::optional<std::uint64_t> grease{};

  /// Writes what differs from the default, each parameter once. Valid values are the caller's
  /// duty. At most kMaxEncodedSize bytes.
  void encode(Writer& out) const;
  /// Bytes that encode() writes at most.
  static constexpr std::size_t kMaxEncodedSize = 400;

  /// Decodes what the peer, being `sender`, sent. Every error is a TRANSPORT_PARAMETER_ERROR.
  /// Whether the connection IDs are those of the handshake is not checked here.
  static std::expected<TransportParameters, TransportError> decode(Bytes bytes, Side sender);

  friend constexpr bool operator==(const TransportParameters&,
                                   const TransportParameters&) = default;
};

}  // namespace qpeer::wire
