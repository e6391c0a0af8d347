// SPDX-License-Identifier: MIT OR BSD-3-Clause
// As much of HTTP/1.1 as a router of the local network needs: URLs of its address, requests for one connection
// each, and the answer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::p2p::detail {

/// Of a host that is named by its IPv4 address.
struct HttpUrl {
  SocketAddress host;
  std::string path;  ///< With what follows it; begins with a slash.

  /// Reads "http://192.168.1.1:5000/path"; nullopt for other schemes, for names of hosts, for port 0, and where
  /// characters are not those of a URL.
  static std::optional<HttpUrl> parse(std::string_view text);
};

/// The whole request. What a URL's path and `headers` say is not checked here.
[[nodiscard]] std::string http_get(const HttpUrl& url);
[[nodiscard]] std::string http_post(const HttpUrl& url, std::string_view headers,
                                    std::string_view body);

/// What the first line of this name says, without spaces around it; names differ in case alone. nullopt for none.
[[nodiscard]] std::optional<std::string_view> header_of(std::string_view head,
                                                        std::string_view name);

/// What was answered.
struct HttpResponse {
  int status = 0;
  std::string body;
};

/// Reads an answer that arrives in pieces. RFC 9112 §6.3.
class HttpReader {
 public:
  /// All that has arrived up to now, which must begin as before. Whether more cannot belong to it. Looks at each
  /// byte of the head once or twice, and at none of the body.
  bool is_whole(std::string_view so_far);
  /// What `all` says; nullopt for what is no answer, or was cut off.
  [[nodiscard]] static std::optional<HttpResponse> read(std::string_view all);

 private:
  std::size_t looked_at_ = 0;
  std::optional<std::size_t> head_size_;
  std::optional<std::size_t> body_size_;
  bool is_chunked_ = false;
};

}  // namespace qpeer::p2p::detail
