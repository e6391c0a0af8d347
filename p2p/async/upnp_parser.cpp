// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/upnp_parser.hpp"

#include <charconv>
#include <cstddef>
#include <memory>
#include <system_error>

#ifdef QPEER_HAS_MINIUPNPC
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpreplyparse.h>
#endif

namespace qpeer::p2p::detail {

#ifdef QPEER_HAS_MINIUPNPC
namespace {

/// The parser looks a little beyond what it was given.
constexpr std::size_t kSpare = 16;

/// A type is sent back in XML and in a header.
bool may_be_type(std::string_view text) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:.-_";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::optional<HttpUrl> control_of(IGDdatas& data, const HttpUrl& description) {
  const std::string from = "http://" + description.host.to_string() + description.path;
  UPNPUrls urls{};
  GetUPNPUrls(&urls, &data, from.c_str(), 0);
  const std::unique_ptr<UPNPUrls, decltype(&FreeUPNPUrls)> owner{&urls, &FreeUPNPUrls};
  if (urls.controlURL == nullptr) return std::nullopt;
  auto out = HttpUrl::parse(urls.controlURL);
  if (!out || !out->host.same_host(description.host)) return std::nullopt;
  return out;
}

}  // namespace

bool upnp_is_built() { return true; }

std::vector<UpnpService> read_upnp_services(std::string_view xml, const HttpUrl& description) {
  std::string text{xml};
  text.append(kSpare, '\0');
  auto data = std::make_unique<IGDdatas>();
  parserootdesc(text.data(), static_cast<int>(xml.size()), data.get());
  std::vector<UpnpService> out;
  for (const IGDdatas_service& service : {data->first, data->second}) {
    if (!may_be_type(service.servicetype) || service.controlurl[0] == '\0') continue;
    data->first = service;
    if (auto control = control_of(*data, description)) {
      out.push_back({.control = std::move(*control), .type = service.servicetype});
    }
  }
  return out;
}

std::optional<std::string> UpnpReply::value(const char* name) const {
  std::string text = xml_;
  text.append(kSpare, '\0');
  NameValueParserData data{};
  ParseNameValue(text.data(), static_cast<int>(xml_.size()), &data);
  const std::unique_ptr<NameValueParserData, decltype(&ClearNameValueList)> owner{
      &data, &ClearNameValueList};
  const char* const found = GetValueFromNameValueList(&data, name);
  return found == nullptr ? std::nullopt : std::optional<std::string>(found);
}

#else

bool upnp_is_built() { return false; }
std::vector<UpnpService> read_upnp_services(std::string_view, const HttpUrl&) { return {}; }
std::optional<std::string> UpnpReply::value(const char*) const { return std::nullopt; }

#endif

std::optional<std::uint16_t> UpnpReply::number(const char* name) const {
  const auto text = value(name);
  if (!text) return std::nullopt;
  std::uint16_t out = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, out);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return out;
}

}  // namespace qpeer::p2p::detail
