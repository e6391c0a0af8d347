// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The bytes of a cache file.
//
//   "QPEERNC\n" | major u16 | minor u16 | count u32 | entry... | SHA-256 of all before
//   entry: length u32 | field...
//   field: type varint | length varint | value
//
// Integers are in network order. Every version, now and later, begins with the magic and the
// version, and ends with the checksum, so that a newer file can be told from a damaged one. A newer
// minor version may add types of fields, and bytes behind the last entry; a reader of an older
// version skips and drops them.
//
//   type  1 id, 32 bytes      2 address: 4 octets, port u16; or 16 octets, port u16, scope u32
//         3 certificate       4 first reached, 8 bytes      5 last reached, 8 bytes
//         6 evidence, 1 byte  7 failures, varint            8 ticket          9 address token
//        10 spare ticket (since 1.1)                 11 order, varint (since 1.2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::cache {

inline constexpr std::uint16_t kCacheMajorVersion = 1;
inline constexpr std::uint16_t kCacheMinorVersion = 2;

enum class DecodeError : u8 {
  damaged,        ///< Not a whole cache file.
  newer_version,  ///< Whole, but of a major version that is not known here.
};

struct Decoded {
  std::uint16_t minor_version = 0;
  std::vector<CacheEntry> entries;  ///< In the order of the file; no limit of a cache is applied.
};

[[nodiscard]] std::vector<u8> encode(std::span<const CacheEntry> entries);

/// Whether these bytes begin as every cache file does, damaged or newer ones too. A file that does
/// not is another program's.
[[nodiscard]] bool has_magic(Bytes file);
/// How many bytes has_magic() looks at.
inline constexpr std::size_t kMagicSize = 8;

/// Decodes a file from any bytes, hostile ones too. Takes memory in proportion to their number.
[[nodiscard]] std::expected<Decoded, DecodeError> decode(Bytes file);

}  // namespace qpeer::cache
