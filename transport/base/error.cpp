// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/error.hpp"

#include <array>
#include <utility>

namespace qpeer {

std::string_view to_string(TransportErrorCode code) {
  static constexpr std::array<std::string_view, 18> kNames{
      "NO_ERROR",
      "INTERNAL_ERROR",
      "CONNECTION_REFUSED",
      "FLOW_CONTROL_ERROR",
      "STREAM_LIMIT_ERROR",
      "STREAM_STATE_ERROR",
      "FINAL_SIZE_ERROR",
      "FRAME_ENCODING_ERROR",
      "TRANSPORT_PARAMETER_ERROR",
      "CONNECTION_ID_LIMIT_ERROR",
      "PROTOCOL_VIOLATION",
      "INVALID_TOKEN",
      "APPLICATION_ERROR",
      "CRYPTO_BUFFER_EXCEEDED",
      "KEY_UPDATE_ERROR",
      "AEAD_LIMIT_REACHED",
      "NO_VIABLE_PATH",
      "VERSION_NEGOTIATION_ERROR",
  };
  const auto value = std::to_underlying(code);
  if (value < kNames.size()) return kNames[value];
  if (value >= 0x100 && value <= 0x1ff) return "CRYPTO_ERROR";
  return "UNKNOWN_ERROR";
}

std::string_view to_string(DropReason reason) {
  static constexpr std::array<std::string_view, std::to_underlying(DropReason::count_)> kNames{
      "malformed header",  "unsupported version", "unknown connection", "too small",
      "too large",         "wrong address",       "keys unavailable",   "undecryptable",
      "duplicate",         "invalid token",       "connection limit",   "rate limited",
      "unexpected packet", "handover full",
  };
  const auto value = std::to_underlying(reason);
  return value < kNames.size() ? kNames[value] : "unknown";
}

}  // namespace qpeer
