// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Bytes as letters and digits that people can copy: base32 in lower case, without padding. RFC 4648 §6.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// Five bits a character, of "a" to "z" and "2" to "7".
[[nodiscard]] std::string to_base32(Bytes bytes);

/// What from_base32() read.
struct Base32Bytes {
  std::vector<u8> bytes{};  ///< All that are whole, of what comes before `wrong_at`.
  /// The first character that stands for no bits; npos when there is none.
  std::size_t wrong_at = std::string_view::npos;
  bool is_exact = true;  ///< The text is what to_base32() makes of `bytes`, but for upper case.
};
/// Takes upper and lower case.
[[nodiscard]] Base32Bytes from_base32(std::string_view text);

/// For people: "only letters and the digits 2 to 7, but '8' is at position 3", of text[2].
[[nodiscard]] std::string why_not_base32(std::string_view text, std::size_t wrong_at);

}  // namespace qpeer
