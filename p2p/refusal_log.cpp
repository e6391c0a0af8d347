// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/refusal_log.hpp"

#include <utility>

#include "qpeer/p2p/protocol.hpp"
#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/base/error.hpp"

namespace qpeer::p2p {

std::string_view to_string(Refusal refusal) {
  constexpr auto kWords = std::to_array<std::string_view>({
      "it shows no certificate",
      "its certificate is not trusted",
      "it is not allowed",
      "it speaks another protocol",
      "its handshake failed",
      "no introduction in time",
      "too many links",
      "too many newcomers",
      "too many newcomers of one network",
  });
  static_assert(kWords.size() == kRefusals);
  return word_of(refusal, kWords, "unknown reason");
}

Refusal refusal_of_alert(std::uint64_t code, bool names_allowed) {
  const std::uint64_t first = std::to_underlying(TransportErrorCode::crypto_error);
  if (code < first) return Refusal::handshake_failed;
  switch (code - first) {  // RFC 8446 §6.
    case 42:               // bad_certificate
      return names_allowed ? Refusal::not_allowed : Refusal::untrusted;
    case 43:  // unsupported_certificate
    case 44:  // certificate_revoked
    case 45:  // certificate_expired
    case 46:  // certificate_unknown
    case 48:  // unknown_ca
    case 49:  // access_denied
      return Refusal::untrusted;
    case 116:  // certificate_required
      return Refusal::no_certificate;
    case 120:  // no_application_protocol
      return Refusal::wrong_protocol;
    default:
      return Refusal::handshake_failed;
  }
}

std::optional<DialRefused> RefusalLog::on_refused(Instant now, DialRefused refused) {
  ++counts_[std::to_underlying(refused.reason)];
  if (now >= window_ends_) {
    reported_ = {};
    window_ends_ = now + kWindow;
  }
  const SocketAddress network = site_of(refused.address);
  if (reported_.total() >= kMaxReported || reported_.of(network) >= kMaxOfNetwork) {
    ++unreported_;
    return std::nullopt;
  }
  reported_.add(network);
  refused.unreported = std::exchange(unreported_, 0);
  return refused;
}

bool RefusalLog::consistent() const {
  std::uint64_t all = 0;
  for (const std::uint64_t count : counts_) all += count;
  return reported_.consistent() && reported_.total() <= kMaxReported &&
         reported_.total() + unreported_ <= all;
}

}  // namespace qpeer::p2p
