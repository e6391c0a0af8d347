// SPDX-License-Identifier: MIT OR BSD-3-Clause
// https URLs of the few forms that qpeer-hq takes.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace qpeer::hq {

struct Url {
  std::string authority;  ///< As written: "host:port".
  std::string host;
  std::uint16_t port = 443;
  std::string path;  ///< Begins with a slash; never empty.

  /// What to call the file: the last part of the path, "index.html" when that is empty.
  [[nodiscard]] std::string file_name() const;
};

/// Reads "https://host[:port][/path]"; else what is wrong, in words.
[[nodiscard]] std::expected<Url, std::string> parse_url(std::string_view text);

}  // namespace qpeer::hq
