// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A cache as text that people can read, edit and exchange: one JSON object a line.
//
//   {"id":"aeaq...","address":"192.0.2.1:4433","first_reached":1700000000,
//    "last_reached":1700000100,"evidence":"dialled","failures":0,"certificate":"3082..."}
//
// The above is one line of the text. Times are Unix seconds, a certificate is DER in hexadecimal.
// Tickets and tokens are secrets and left out.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"

namespace qpeer::cache {

/// Bounds of what import_text() takes.
inline constexpr std::size_t kMostTextLines = 10'000;
inline constexpr std::size_t kLongestTextLine = 64 << 10;

[[nodiscard]] std::string export_text(std::span<const CacheEntry> entries);

/// Reads export_text()'s form, with white space and empty lines between, the keys in any order;
/// all but id and address may be missing. Nothing else that JSON allows is taken. On error a
/// sentence that begins with "line N: ", in which no control character of the text appears.
[[nodiscard]] std::expected<std::vector<CacheEntry>, std::string> import_text(
    std::string_view text);

}  // namespace qpeer::cache
