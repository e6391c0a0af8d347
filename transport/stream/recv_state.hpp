// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The states of the receiving part of a stream, as the figure draws them. RFC 9000 §3.2.
//
//   recv --STREAM+FIN--> size_known --all data--> data_recvd --app read all--> data_read
//     '-- RESET_STREAM --'--> reset_recvd --app read reset--> reset_read
//
// The optional edges between data_recvd and reset_recvd are not taken: all data is there, and is kept.
#pragma once

#include <initializer_list>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

class RecvState {
 public:
  enum Value : u8 { recv, size_known, data_recvd, reset_recvd, data_read, reset_read };

  constexpr RecvState() = default;
  constexpr explicit RecvState(Value value) : value_(value) {}
  [[nodiscard]] constexpr Value value() const { return value_; }
  friend constexpr bool operator==(RecvState a, Value b) { return a.value_ == b; }

  // Each event says whether it changed the state; one that is not in the figure changes nothing.
  constexpr bool on_fin() { return step({recv}, size_known); }
  constexpr bool on_all_data() { return step({size_known}, data_recvd); }
  constexpr bool on_reset() { return step({recv, size_known}, reset_recvd); }
  constexpr bool on_data_read() { return step({data_recvd}, data_read); }
  constexpr bool on_reset_read() { return step({reset_recvd}, reset_read); }

  /// Whether data may still arrive.
  [[nodiscard]] constexpr bool is_receiving() const {
    return value_ == recv || value_ == size_known;
  }
  [[nodiscard]] constexpr bool is_reset() const {
    return value_ == reset_recvd || value_ == reset_read;
  }
  [[nodiscard]] constexpr bool is_terminal() const {
    return value_ == data_read || value_ == reset_read;
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

  Value value_ = recv;
};

}  // namespace qpeer::transport
