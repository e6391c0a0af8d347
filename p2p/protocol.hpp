// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The words of the peer protocol: roles, verdicts, and the codes that close a connection.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::p2p {

/// The application protocol that peers agree on in TLS. It changes with kProtocolMajor.
inline constexpr std::string_view kAlpn = "qpeer/1";
/// Peers of different majors do not understand each other; a higher minor only adds.
inline constexpr std::uint64_t kProtocolMajor = 1;
/// Of this version of qpeer.
inline constexpr std::uint64_t kProtocolMinor = 2;
/// From this minor on an introduction carries the instance.
inline constexpr std::uint64_t kMinorOfInstance = 1;
/// From this minor on receipts are sent: see Receipts.
inline constexpr std::uint64_t kMinorOfReceipts = 1;
/// From this minor on nodes knock, and a verdict says what strangers saw: see Knock.
inline constexpr std::uint64_t kMinorOfKnocks = 2;

/// What a peer says that it is. A client uses bidirectional streams on the connection that it
/// dialled and is never dialled back; a node uses unidirectional ones and must be reachable.
enum class Role : u8 { client = 0, node = 1 };

/// What became of a dial-back, and of the knocks of strangers after it, told to the peer that was dialled.
enum class Verdict : u8 {
  reachable = 0,
  refused = 1,
  timed_out = 2,
  another_peer_answered = 3,
  address_not_allowed = 4,
  try_again_later = 5,
  only_where_it_wrote = 6,  ///< The dial-back got through, and no stranger does.
};

/// What became of a Knock.
enum class KnockStatus : u8 {
  sent = 0,
  knows_the_host = 1,  ///< That host has written to the sender lately, which is no stranger to it.
  busy = 2,            ///< Too many knocks now, or none to such an address.
};

/// Application error codes of CONNECTION_CLOSE, RESET_STREAM and STOP_SENDING.
enum class ErrorCode : std::uint64_t {
  none = 0,
  role_violation = 1,
  unreachable = 2,
  unsupported_version = 3,
  wrong_peer = 4,
  malformed = 5,
  introduction_timeout = 6,
  replaced = 7,
  shutting_down = 8,
  too_many_links = 9,
  not_needed = 10,
  self = 11,
  message_too_large = 12,
  interrupted = 13,
  not_allowed = 14,
  timed_out = 15,
  key_in_use = 16,
};

/// In words for people, without a full stop; "unknown …" for a value that has no name.
template <class Enum, std::size_t kSize>
constexpr std::string_view word_of(Enum value, const std::array<std::string_view, kSize>& words,
                                   std::string_view unknown) {
  const auto index = std::to_underlying(value);
  return index < kSize ? words[index] : unknown;
}

/// In words for people; a literal.
constexpr std::string_view to_string(Role role) {
  return word_of(role, std::to_array<std::string_view>({"client", "node"}), "unknown role");
}

/// In words for people; a literal.
constexpr std::string_view to_string(Verdict verdict) {
  constexpr auto kWords = std::to_array<std::string_view>({
      "reachable",
      "the dial-back was refused",
      "the dial-back was not answered",
      "another peer answered the dial-back",
      "the advertised address may not be dialled",
      "too many dial-backs now, try again later",
      "only peers that it wrote to reach it",
  });
  return word_of(verdict, kWords, "unknown verdict");
}

/// In words for people; a literal.
constexpr std::string_view to_string(ErrorCode code) {
  constexpr auto kWords = std::to_array<std::string_view>({
      "no error",
      "the peer did what its role forbids",
      "the peer said node but cannot be reached",
      "no common version of the protocol",
      "another peer than was expected",
      "a message that cannot be read",
      "no introduction in time",
      "replaced by a newer connection to the same peer",
      "the peer is shutting down",
      "too many connections",
      "the connection is not needed",
      "a connection to oneself",
      "a message that is too large",
      "interrupted",
      "not allowed",
      "timed out",
      "another node uses the same key",
  });
  return word_of(code, kWords, "unknown error");
}

}  // namespace qpeer::p2p
