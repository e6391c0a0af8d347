// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/upnp_gateway.hpp"

#include <utility>
#include <vector>

namespace qpeer::p2p::detail {
namespace {

/// UPnP's errors that change what is done. WANIPConnection:1 §2.4.16, §2.4.18.
constexpr int kInvalidAction = 401;
constexpr int kConflict = 718;
constexpr int kOnlyPermanent = 725;
/// Ours, beside UPnP's.
constexpr int kSilent = -1;
constexpr int kUnusable = -2;

constexpr std::string_view kNoUpnp = "it has no UPnP";
constexpr std::string_view kNoUsableUpnp = "its UPnP cannot be used";
constexpr std::string_view kNoAddress = "its UPnP says that it has no address outside";
constexpr std::string_view kStopped = "nothing is mapped any more";

constexpr std::array<std::string_view, 3> kTargets{
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1"};

std::string question(const SocketAddress& group, std::string_view target) {
  std::string out = "M-SEARCH * HTTP/1.1\r\nHOST: " + group.to_string();
  out += "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ";
  out += target;
  out += "\r\n\r\n";
  return out;
}

/// Whether an answer to a question is about what maps ports. Of other devices there are many.
bool is_of_gateway(std::string_view target) {
  return target.find(":InternetGatewayDevice:") != std::string_view::npos ||
         target.find(":WANIPConnection:") != std::string_view::npos ||
         target.find(":WANPPPConnection:") != std::string_view::npos;
}

void append(std::string& out, std::string_view name, std::string_view value) {
  out += '<';
  out += name;
  out += '>';
  out += value;
  out += "</";
  out += name;
  out += '>';
}

/// The first arguments of each command about a mapping.
std::string key_of(std::uint16_t port) {
  std::string out;
  append(out, "NewRemoteHost", "");
  append(out, "NewExternalPort", std::to_string(port));
  append(out, "NewProtocol", "UDP");
  return out;
}

std::string host_text(const SocketAddress& address) {
  const std::string out = address.to_string();
  return out.substr(0, out.rfind(':'));
}

}  // namespace

// --- the router ----------------------------------------------------------------------------------

std::optional<HttpUrl> UpnpGateway::search() const {
  io::DatagramQuestions questions{.from = internal_,
                                  .to = {config_.group, router_.with_port(config_.search_port)},
                                  .time = config_.search_time};
  for (const std::string_view target : kTargets) {
    questions.datagrams.push_back(question(config_.group, target));
  }
  std::optional<HttpUrl> out;
  (void)io::ask_by_datagrams(questions, [&](const SocketAddress& from, std::string_view datagram) {
    if (!from.same_host(router_) || !datagram.starts_with("HTTP/1.")) return false;
    const auto target = header_of(datagram, "st");
    const auto location = header_of(datagram, "location");
    if (!target || !is_of_gateway(*target) || !location) return false;
    auto url = HttpUrl::parse(*location);
    if (!url || !url->host.same_host(router_)) return false;
    out = std::move(*url);
    return true;
  });
  return out;
}

std::expected<std::string, std::string> UpnpGateway::fetch(const HttpUrl& url) const {
  HttpReader reader;
  const auto answer = io::exchange_by_tcp(
      url.host, http_get(url), [&](std::string_view text) { return reader.is_whole(text); },
      config_.request);
  if (!answer) return std::unexpected(std::string(kNoUsableUpnp));
  auto response = HttpReader::read(*answer);
  if (!response || response->status != 200) return std::unexpected(std::string(kNoUsableUpnp));
  return std::move(response->body);
}

std::expected<void, std::string> UpnpGateway::find() {
  service_.reset();
  const auto url = search();
  if (!url) return std::unexpected(std::string(kNoUpnp));
  const auto xml = fetch(*url);
  if (!xml) return std::unexpected(xml.error());
  std::string why{kNoUsableUpnp};
  for (UpnpService& service : read_upnp_services(*xml, *url)) {
    service_ = std::move(service);
    const auto learned = learn_external_host();
    if (learned) return {};
    why = learned.error();
  }
  service_.reset();
  return std::unexpected(std::move(why));
}

std::expected<void, std::string> UpnpGateway::learn_external_host() {
  const Reply reply = command("GetExternalIPAddress", "");
  if (reply.error != 0) return std::unexpected(words_for(reply.error));
  const auto text = reply.values.value("NewExternalIPAddress");
  if (!text) return std::unexpected(std::string(kNoAddress));
  const auto address = SocketAddress::parse(*text + ":1");
  if (!address || !address->is_ipv4() || address->is_wildcard()) {
    return std::unexpected(std::string(kNoAddress));
  }
  external_ = address->with_port(external_.port());
  return {};
}

// --- the mapping ---------------------------------------------------------------------------------

UpnpGateway::Result UpnpGateway::map() { return unless_stopped(do_map()); }
UpnpGateway::Result UpnpGateway::keep(bool renews) { return unless_stopped(do_keep(renews)); }

UpnpGateway::Result UpnpGateway::unless_stopped(Result result) {
  if (!is_stopped_) return result;
  remove();
  return std::unexpected(std::string(kStopped));
}

UpnpGateway::Result UpnpGateway::do_map() {
  if (!internal_.is_ipv4() || !router_.is_ipv4()) return std::unexpected(std::string(kNoUpnp));
  if (!service_) {
    if (auto found = find(); !found) return std::unexpected(std::move(found.error()));
  }
  may_be_mapped_ = true;  // First: see stop().
  if (is_stopped_) return std::unexpected(std::string(kStopped));
  const auto port = add_any();
  external_ = external_.with_port(port.value_or(0));
  if (port) return UpnpMapping{.external = external_, .lifetime = lifetime_, .is_new = true};
  may_be_mapped_ = false;
  service_.reset();  // It is looked for again, for it may be another one by then.
  return std::unexpected(port.error());
}

// A router that restarts may take commands elsewhere, and may have another address outside.
UpnpGateway::Result UpnpGateway::do_keep(bool renews) {
  if (!service_ || !learn_external_host()) {
    service_.reset();
    return do_map();
  }
  if (renews || !has_mapping()) return do_map();
  return UpnpMapping{.external = external_, .lifetime = lifetime_};
}

void UpnpGateway::remove() {
  if (!service_ || external_.port() == 0) return;
  (void)command("DeletePortMapping", key_of(external_.port()));
  external_ = external_.with_port(0);
  may_be_mapped_ = false;
}

bool UpnpGateway::stop() {
  is_stopped_ = true;
  return may_be_mapped_;
}

bool UpnpGateway::has_mapping() const {
  const Reply reply = command("GetSpecificPortMappingEntry", key_of(external_.port()));
  if (reply.error == kInvalidAction) return true;  // It cannot say. Renewals do what is possible.
  if (reply.error != 0) return false;
  return reply.values.number("NewInternalPort") == internal_.port() &&
         reply.values.value("NewInternalClient") == host_text(internal_);
}

// What is mapped to us by the port that we have, or by our own, or by another one.
std::expected<std::uint16_t, std::string> UpnpGateway::add_any() {
  std::vector<std::uint16_t> ports;
  if (external_.port() != 0) ports.push_back(external_.port());
  ports.push_back(internal_.port());
  ports.insert(ports.end(), config_.other_ports.begin(), config_.other_ports.end());
  int error = kConflict;
  for (const std::uint16_t port : ports) {
    if (port == 0) continue;
    error = add(port, config_.lifetime);
    if (error == kOnlyPermanent) error = add(port, 0s);
    if (error == 0) return port;
    if (error != kConflict) break;
  }
  return std::unexpected(words_for(error));
}

int UpnpGateway::add(std::uint16_t port, std::chrono::seconds lifetime) {
  std::string arguments = key_of(port);
  append(arguments, "NewInternalPort", std::to_string(internal_.port()));
  append(arguments, "NewInternalClient", host_text(internal_));
  append(arguments, "NewEnabled", "1");
  append(arguments, "NewPortMappingDescription", "qpeer");
  append(arguments, "NewLeaseDuration", std::to_string(lifetime.count()));
  const int error = command("AddPortMapping", arguments).error;
  if (error == 0) lifetime_ = lifetime;
  return error;
}

// --- commands ------------------------------------------------------------------------------------

UpnpGateway::Reply UpnpGateway::command(std::string_view action, std::string_view arguments) const {
  const std::string name = "u:" + std::string(action);
  std::string body =
      "<?xml version=\"1.0\"?>\r\n"
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><";
  body += name + " xmlns:u=\"" + service_->type + "\">";
  body += arguments;
  body += "</" + name + "></s:Body></s:Envelope>\r\n";
  const std::string headers = "Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"" +
                              service_->type + "#" + std::string(action) + "\"\r\n";
  HttpReader reader;
  const auto answer = io::exchange_by_tcp(
      service_->control.host, http_post(service_->control, headers, body),
      [&](std::string_view text) { return reader.is_whole(text); }, config_.request);
  if (!answer) return {.error = kSilent};
  auto response = HttpReader::read(*answer);
  if (!response || (response->status != 200 && response->status != 500)) {
    return {.error = kUnusable};
  }
  UpnpReply values{std::move(response->body)};
  int error = values.number("errorCode").value_or(0);
  if (error == 0 && (response->status != 200 || !values.is_of(action))) error = kUnusable;
  return {.values = std::move(values), .error = error};
}

std::string UpnpGateway::words_for(int error) {
  switch (error) {
    case kSilent:
      return "its UPnP does not answer";
    case kUnusable:
      return std::string(kNoUsableUpnp);
    case kConflict:
      return "its UPnP has given all ports that were asked for to others";
    default:
      return "its UPnP refuses with error " + std::to_string(error);
  }
}

}  // namespace qpeer::p2p::detail
