// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/host_port.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace qpeer {
namespace {

// How much of the text is an id with its "@".
std::size_t size_of_id(std::string_view text) {
  const std::size_t at = text.rfind('@');
  return at == std::string_view::npos ? 0 : at + 1;
}

}  // namespace

std::string HostPort::to_string() const {
  const std::size_t begin = size_of_id(host);
  const std::string bare = host.substr(begin);
  const bool brackets = bare.contains(':');
  return host.substr(0, begin) + (brackets ? '[' + bare + ']' : bare) + ':' + std::to_string(port);
}

std::expected<HostPort, std::string> split_host_port(std::string_view text,
                                                     std::uint16_t default_port) {
  const std::string_view id = text.substr(0, size_of_id(text));
  text.remove_prefix(id.size());
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::unexpected("\"[\" without \"]\"");
    host = text.substr(1, end - 1);
    const std::string_view after = text.substr(end + 1);
    has_port = after.starts_with(':');
    if (!after.empty() && !has_port) return std::unexpected("only a port may follow \"]\"");
    if (has_port) port = after.substr(1);
  } else if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (host.empty()) return std::unexpected("no host is named");
  if (host.find_first_of("[]") != std::string_view::npos) {
    return std::unexpected("brackets go around an IPv6 address only");
  }
  HostPort out{std::string{id} + std::string{host}, default_port};
  if (has_port) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc{} || end != port.data() + port.size()) {
      return std::unexpected("\"" + std::string{port} + "\" is not a port");
    }
  }
  return out;
}

}  // namespace qpeer
