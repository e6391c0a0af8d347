// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/host_port.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace qpeer {

std::string HostPort::to_string() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

std::expected<HostPort, std::string> split_host_port(std::string_view text,
                                                     std::uint16_t default_port) {
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
  HostPort out{std::string{host}, default_port};
  if (has_port) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc{} || end != port.data() + port.size()) {
      return std::unexpected("\"" + std::string{port} + "\" is not a port");
    }
  }
  return out;
}

}  // namespace qpeer
