// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What UPnP routers say, read by libminiupnpc, which knows how they differ. Its parsers alone are used: its own
// requests believe any length and wait 5 s for each piece. The only file that includes it is upnp_parser.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/p2p/async/http_message.hpp"

namespace qpeer::p2p::detail {

/// Whether the library was built with libminiupnpc. Else nothing is read below.
[[nodiscard]] bool upnp_is_built();

/// Where a router takes commands about its connection to the internet.
struct UpnpService {
  HttpUrl control;
  std::string type;  ///< Such as "urn:schemas-upnp-org:service:WANIPConnection:1".
};

/// Those of a device's description (WANIPConnection, WANPPPConnection), at most two, that are at the same host as
/// `description`, which is where it came from.
[[nodiscard]] std::vector<UpnpService> read_upnp_services(std::string_view xml,
                                                          const HttpUrl& description);

/// The answer to a command.
class UpnpReply {
 public:
  explicit UpnpReply(std::string xml) : xml_(std::move(xml)) {}
  /// Whether it is the answer to this command, rather than a page for people.
  [[nodiscard]] bool is_of(std::string_view action) const {
    return xml_.find(std::string(action) + "Response") != std::string::npos;
  }
  /// The text of the element, such as "NewExternalIPAddress" or "errorCode"; 127 characters at most.
  [[nodiscard]] std::optional<std::string> value(const char* name) const;
  /// The same as a number; nullopt for what is none from 0 to 65535.
  [[nodiscard]] std::optional<std::uint16_t> number(const char* name) const;

 private:
  std::string xml_;
};

}  // namespace qpeer::p2p::detail
