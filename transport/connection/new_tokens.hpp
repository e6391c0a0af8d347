// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NEW_TOKEN: what a server gives a client for its next connection, and what the client keeps.
// RFC 9000 §8.1.3, §19.7.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"

namespace qpeer::transport {

/// Who makes address tokens: the endpoint. Bound to one connection.
class NewTokenSource {
 public:
  virtual ~NewTokenSource() = default;
  /// Writes a token for that client into `out` and returns its size; 0 when there is none.
  virtual std::size_t new_token(Instant now, const SocketAddress& client, Version version,
                                MutableBytes out) = 0;
};

/// The server's side: each token is sent until the client has it.
class NewTokens {
 public:
  /// The most that one client is given.
  static constexpr std::size_t kMax = 4;
  static constexpr std::size_t kMaxSize = 128;

  /// Takes what is written to `token`, to be sent; false when it is empty or there are too many.
  bool add(Bytes token);

  [[nodiscard]] bool has_frames() const { return to_send_ != 0; }
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

  /// Whether only tokens that there are wait to be sent. For assertions.
  [[nodiscard]] bool consistent() const {
    for (std::size_t i = 0; i < kMax; ++i) {
      const bool waits = (to_send_ >> i & 1U) != 0;
      if (waits && (i >= tokens_.size() || tokens_[i].empty())) return false;
    }
    return tokens_.size() <= kMax && to_send_ >> kMax == 0;
  }

 private:
  /// In the order of their making, whose index travels in SentFrame::offset; empty once acknowledged.
  std::vector<std::vector<u8>> tokens_;
  u8 to_send_ = 0;  ///< One bit each.
};

/// The client's side: a token with all that decides where and when it may be used. Applications
/// store its encoding and give it back without looking inside.
struct StoredToken {
  /// Larger ones are not kept: they would crowd the ClientHello out of its packets.
  static constexpr std::size_t kMaxToken = 512;

  Version version = Version::v1;  ///< Of the connection that it came on.
  bool grease_quic_bit = false;   ///< The server took packets without the QUIC Bit. RFC 9287 §3.1.
  std::int64_t received = 0;      ///< Seconds, on the clock of who dials.
  SocketAddress server;
  std::string server_name;
  std::vector<u8> token;

  [[nodiscard]] std::vector<u8> encode() const;
  /// nullopt when it is not what encode() made.
  static std::optional<StoredToken> decode(Bytes bytes);

  /// Whether it may be shown to this server, in this version.
  [[nodiscard]] bool applies_to(const SocketAddress& address, std::string_view name,
                                Version to_version) const;
};

}  // namespace qpeer::transport
