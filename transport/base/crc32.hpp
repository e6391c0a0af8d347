// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The CRC-32 of ITU V.42, as in Ethernet, zip and RFC 8489 §14.7. Finds errors, and no forgeries.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// A change of at most four neighbouring bytes always gives another CRC.
[[nodiscard]] std::uint32_t crc32(Bytes data);

}  // namespace qpeer
