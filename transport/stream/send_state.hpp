// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The states of the sending part of a stream, as the figure draws them. RFC 9000 §3.1.
//
//   ready --STREAM or blocked--> send --STREAM+FIN--> data_sent --all acked--> data_recvd
//     '--------------- RESET_STREAM -----------'------------------------'
//                           '--> reset_sent --acked--> reset_recvd
#pragma once

#include <initializer_list>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

class SendState {
 public:
  enum Value : u8 { ready, send, data_sent, reset_sent, data_recvd, reset_recvd };

  constexpr SendState() = default;
  constexpr explicit SendState(Value value) : value_(value) {}
  [[nodiscard]] constexpr Value value() const { return value_; }
  friend constexpr bool operator==(SendState a, Value b) { return a.value_ == b; }

  // Each event says whether it changed the state; one that is not in the figure changes nothing.
  constexpr bool on_send() { return step({ready}, send); }
  constexpr bool on_fin() { return step({send}, data_sent); }
  constexpr bool on_reset() { return step({ready, send, data_sent}, reset_sent); }
  constexpr bool on_all_acked() { return step({data_sent}, data_recvd); }
  constexpr bool on_reset_acked() { return step({reset_sent}, reset_recvd); }

  /// RFC 9000 §3.3 [rfc9000-3.3-1] [rfc9000-3.3-2]: STREAM and STREAM_DATA_BLOCKED only from these.
  [[nodiscard]] constexpr bool can_send() const {
    return value_ == ready || value_ == send || value_ == data_sent;
  }
  [[nodiscard]] constexpr bool is_terminal() const {
    return value_ == data_recvd || value_ == reset_recvd;
  }

 private:
  constexpr bool step(std::initializer_list<Value> from, Value to) {
    for (const Value value : from) {
      if (value_ != value) continue;
      value_ = to;
      return true;
    }
    return false;
  }

  Value value_ = ready;
};

}  // namespace qpeer::transport
