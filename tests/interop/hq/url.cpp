// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/interop/hq/url.hpp"

#include <algorithm>

#include "qpeer/transport/base/host_port.hpp"

namespace qpeer::hq {

std::string Url::file_name() const {
  const std::string_view plain = std::string_view(path).substr(0, path.find_first_of("?#"));
  const std::string_view last = plain.substr(plain.find_last_of('/') + 1);
  return last.empty() ? "index.html" : std::string(last);
}

std::expected<Url, std::string> parse_url(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  if (!text.starts_with(kScheme)) return std::unexpected("does not begin with https://");
  text.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto parts = split_host_port(text.substr(0, slash), 443);
  if (!parts) return std::unexpected(parts.error());
  Url url{.authority = std::string(text.substr(0, slash)),
          .host = parts->host,
          .port = parts->port,
          .path = slash == text.size() ? "/" : std::string(text.substr(slash))};
  const bool clean = std::ranges::all_of(url.path, [](char c) { return c > ' ' && c < 0x7f; });
  if (!clean) return std::unexpected("has a space or worse in its path");
  return url;
}

}  // namespace qpeer::hq
