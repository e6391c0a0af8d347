// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a UPnP router says: answers over HTTP, in whatever pieces they come; URLs; descriptions; answers to commands.
// Whatever a description says, commands go to the router alone.
//
// The first byte chooses which of these the rest is. Without libminiupnpc the latter two are not read.
#include <algorithm>
#include <string>
#include <string_view>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/async/http_message.hpp"
#include "qpeer/p2p/async/upnp_parser.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::p2p::detail;

namespace {

void read_answer(std::string_view text) {
  HttpReader reader;
  bool was_whole = false;
  for (std::size_t size = 0; size < text.size(); ++size) {
    was_whole = reader.is_whole(text.substr(0, size));
    if (was_whole) text = text.substr(0, size);
  }
  check(HttpReader().is_whole(text) == (was_whole || reader.is_whole(text)));
  const auto response = HttpReader::read(text);
  if (!response) return;
  check(response->body.size() < text.size());
  check(response->status >= 0 && response->status <= 999);
}

void check_url(const HttpUrl& url) {
  check(url.host.is_ipv4() && url.host.port() != 0);
  check(url.path.starts_with('/'));
  check(url.path.find_first_of(" \r\n") == std::string::npos);
}

void read_url(std::string_view text) {
  const auto url = HttpUrl::parse(text);
  if (!url) return;
  check_url(*url);
  if (text.size() > 400) return;  // With the port it may become too long.
  const auto again = HttpUrl::parse("http://" + url->host.to_string() + url->path);
  check(again && again->host == url->host && again->path == url->path);
}

void read_description(std::string_view text) {
  const HttpUrl from{.host = SocketAddress::ipv4({192, 168, 1, 1}, 5000), .path = "/d"};
  const auto services = read_upnp_services(text, from);
  check(services.size() <= 2);
  for (const UpnpService& each : services) {
    check_url(each.control);
    check(each.control.host.same_host(from.host));
    check(!each.type.empty() && each.type.find_first_of("<>&\"' \r\n") == std::string::npos);
  }
}

void read_reply(std::string_view text) {
  const UpnpReply reply{std::string(text)};
  for (const char* name : {"errorCode", "NewExternalIPAddress", "NewInternalPort"}) {
    const auto value = reply.value(name);
    check(!value || value->size() <= 127);
    if (!value) check(!reply.number(name));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0 || size > 8192) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 4) {
    case 0:
      read_answer(text);
      break;
    case 1:
      read_url(text);
      break;
    case 2:
      read_description(text);
      break;
    default:
      read_reply(text);
  }
  return 0;
}
