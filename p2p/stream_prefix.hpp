// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The first byte of a stream of the application says what it carries.
//
//   message   unidirectional stream, node to node:        u8 0 | data | FIN
//   request   bidirectional stream, client to node:       u8 0 | data | FIN,  answer: data | FIN
//   raw       either, by the role of who opens it:        u8 1 | whatever the application writes
#pragma once

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::p2p {

inline constexpr u8 kMessageStream = 0;
inline constexpr u8 kRawStream = 1;

}  // namespace qpeer::p2p
