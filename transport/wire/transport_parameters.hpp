// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Transport parameters, as the TLS extension carries them. RFC 9000 §7.4, §18; RFC 9221 §3;
// RFC 9287 §3; RFC 9368 §3; draft-ietf-quic-address-discovery §3.
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
  SocketAddress ipv4{};  ///< Not valid() when the server names none.
  SocketAddress ipv6{};
  ConnectionId connection_id{};  ///< Sequence number 1.
  StatelessResetToken stateless_reset_token{};
  friend constexpr bool operator==(const PreferredAddress&, const PreferredAddress&) = default;
};

/// The versions that the sender speaks, RFC 9368 §3.
class VersionInformation {
 public:
  static constexpr std::size_t kMaxAvailable = 8;

  constexpr VersionInformation() = default;
  constexpr explicit VersionInformation(Version chosen) : chosen_version(chosen) {}

  Version chosen_version = Version::negotiation;

  [[nodiscard]] constexpr std::span<const Version> available_versions() const {
    return std::span(available_).first(count_);
  }
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
  [[nodiscard]] constexpr bool any() const { return provide || request; }
  friend constexpr bool operator==(const AddressDiscovery&, const AddressDiscovery&) = default;
};

/// All parameters, with the values they have when absent.
struct TransportParameters {
  std::optional<ConnectionId> original_destination_connection_id{};
  std::optional<ConnectionId> initial_source_connection_id{};
  std::optional<ConnectionId> retry_source_connection_id{};
  std::uint64_t max_idle_timeout_ms = 0;  ///< 0: none.
  std::optional<StatelessResetToken> stateless_reset_token{};
  std::uint64_t max_udp_payload_size = 65527;
  std::uint64_t initial_max_data = 0;
  std::uint64_t initial_max_stream_data_bidi_local = 0;
  std::uint64_t initial_max_stream_data_bidi_remote = 0;
  std::uint64_t initial_max_stream_data_uni = 0;
  std::uint64_t initial_max_streams_bidi = 0;
  std::uint64_t initial_max_streams_uni = 0;
  std::uint64_t ack_delay_exponent = 3;
  std::uint64_t max_ack_delay_ms = 25;
  bool disable_active_migration = false;
  std::optional<PreferredAddress> preferred_address{};
  std::uint64_t active_connection_id_limit = 2;
  std::uint64_t max_datagram_frame_size = 0;  ///< 0: no DATAGRAM frames. RFC 9221 §3.
  bool grease_quic_bit = false;               ///< RFC 9287 §3.
  std::optional<VersionInformation> version_information{};
  AddressDiscovery address_discovery{};  ///< Neither: not sent, or not received.
  /// Sent only: a reserved id, 31 * N + 27, under which a parameter without meaning is written.
  std::optional<std::uint64_t> grease{};

  /// Writes what differs from the default, each parameter once. Valid values are the caller's
  /// duty. At most kMaxEncodedSize bytes.
  void encode(Writer& out) const;
  static constexpr std::size_t kMaxEncodedSize = 400;

  /// Decodes what the peer, being `sender`, sent. Every error is a TRANSPORT_PARAMETER_ERROR.
  /// Whether the connection IDs are those of the handshake is not checked here.
  static std::expected<TransportParameters, TransportError> decode(Bytes bytes, Side sender);

  friend constexpr bool operator==(const TransportParameters&,
                                   const TransportParameters&) = default;
};

}  // namespace qpeer::wire
