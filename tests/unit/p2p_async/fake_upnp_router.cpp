// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/unit/p2p_async/fake_upnp_router.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace qpeer::p2p::detail::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kType = "urn:schemas-upnp-org:service:WANIPConnection:1";

/// Bound to 127.0.0.`last`, and to a port that the system chooses.
int open_socket(int type, std::uint8_t last, std::uint16_t& port) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(0x7f000000U + last);
  socklen_t size = sizeof name;
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&name), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    std::abort();
  }
  port = ntohs(name.sin_port);
  return fd;
}

bool is_readable(int fd) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 10) > 0;
}

/// What is between <name> and </name>.
std::string element(const std::string& xml, const std::string& name) {
  const std::size_t begin = xml.find('<' + name + '>');
  const std::size_t end = xml.find("</" + name + '>');
  if (begin == std::string::npos || end == std::string::npos) return {};
  const std::size_t from = begin + name.size() + 2;
  return xml.substr(from, end - from);
}

std::string reply(const std::string& command, const std::string& values) {
  return http_answer(200, "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"soap\"><s:Body><u:" +
                              command + "Response xmlns:u=\"" + std::string(kType) + "\">" +
                              values + "</u:" + command + "Response></s:Body></s:Envelope>");
}

}  // namespace

std::string http_answer(int status, std::string_view body, std::string_view headers) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Whatever\r\n";
  out += headers;
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

std::string upnp_error(int code) {
  return http_answer(
      500,
      "<s:Envelope xmlns:s=\"soap\"><s:Body><s:Fault><faultcode>s:Client</faultcode>"
      "<faultstring>UPnPError</faultstring><detail><UPnPError xmlns=\"control\"><errorCode>" +
          std::to_string(code) +
          "</errorCode><errorDescription>No</errorDescription></UPnPError></detail></s:Fault>"
          "</s:Body></s:Envelope>");
}

FakeUpnpRouter::FakeUpnpRouter() {
  std::uint16_t unused = 0;
  udp_ = open_socket(SOCK_DGRAM, 1, udp_port_);
  elsewhere_ = open_socket(SOCK_DGRAM, 2, unused);
  listen();
  searches_ = std::thread([this] { serve_searches(); });
  commands_ = std::thread([this] { serve_requests(); });
}

FakeUpnpRouter::~FakeUpnpRouter() {
  is_over_ = true;
  searches_.join();
  commands_.join();
  for (const int fd : {udp_, elsewhere_, tcp_.load()}) ::close(fd);
}

void FakeUpnpRouter::listen() {
  const int fd = open_socket(SOCK_STREAM, 1, tcp_port_);
  if (::listen(fd, 16) != 0) std::abort();
  tcp_ = fd;
  location = "http://127.0.0.1:" + std::to_string(tcp_port_) + "/description.xml";
}

void FakeUpnpRouter::restart() {
  is_over_ = true;
  searches_.join();
  commands_.join();
  ::close(tcp_);
  is_over_ = false;
  listen();
  forget_mappings();
  searches_ = std::thread([this] { serve_searches(); });
  commands_ = std::thread([this] { serve_requests(); });
}

std::map<std::uint16_t, FakeUpnpRouter::Mapping> FakeUpnpRouter::mappings() const {
  const std::lock_guard lock(mutex_);
  return mappings_;
}

std::vector<std::string> FakeUpnpRouter::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t FakeUpnpRouter::count(std::string_view request) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count(requests_, request));
}

void FakeUpnpRouter::forget_mappings() {
  const std::lock_guard lock(mutex_);
  mappings_.clear();
}

UpnpConfig FakeUpnpRouter::config() const {
  return {.group = SocketAddress::loopback4(udp_port_),
          .search_port = udp_port_,
          .other_ports = {50'001, 50'002, 50'003}};
}

std::string FakeUpnpRouter::description() const {
  return "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\">" +
         (url_base.empty() ? std::string() : "<URLBase>" + url_base + "</URLBase>") +
         "<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>"
         "<serviceList><service><serviceType>urn:schemas-upnp-org:service:"
         "WANCommonInterfaceConfig:1</serviceType><controlURL>/common</controlURL></service>"
         "<service><serviceType>" +
         std::string(kType) + "</serviceType><controlURL>" + control_url +
         "</controlURL><SCPDURL>/x</SCPDURL></service></serviceList></device></root>";
}

void FakeUpnpRouter::serve_searches() {
  while (!is_over_) {
    if (!is_readable(udp_)) continue;
    std::array<char, 2048> buffer{};
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    const auto size = ::recvfrom(udp_, buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size <= 0 || !answers_search) continue;
    const std::string_view question{buffer.data(), static_cast<std::size_t>(size)};
    if (!question.starts_with("M-SEARCH * HTTP/1.1\r\n")) continue;
    const std::string target{header_of(question, "ST").value_or("")};
    const std::string text = "HTTP/1.1 200 OK\r\nCache-Control: max-age=120\r\nST: " + target +
                             "\r\nlocation:  " + location + " \r\n\r\n";
    (void)::sendto(answers_from_elsewhere ? elsewhere_ : udp_, text.data(), text.size(), 0,
                   reinterpret_cast<const sockaddr*>(&from), from_size);
  }
}

void FakeUpnpRouter::serve_requests() {
  while (!is_over_) {
    if (!is_readable(tcp_)) continue;
    const int connection = ::accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve(connection);
    ::close(connection);
  }
}

void FakeUpnpRouter::serve(int connection) {
  std::string request;
  std::array<char, 4096> buffer{};
  for (;;) {
    const std::size_t head = request.find("\r\n\r\n");
    if (head != std::string::npos) {
      const std::string length{
          header_of(std::string_view(request).substr(0, head), "Content-Length").value_or("0")};
      if (request.size() >= head + 4 + std::strtoul(length.c_str(), nullptr, 10)) break;
    }
    const auto size = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    request.append(buffer.data(), static_cast<std::size_t>(size));
  }
  std::string out = answer(request);
  if (out.empty()) {  // Silent, until the other side gives up.
    while (!is_over_ && !is_readable(connection)) continue;
    return;
  }
  send_all(connection, out);
  for (std::size_t left = sends_more; left > 0 && !is_over_;) {
    const std::size_t before = bytes_sent_;
    send_all(connection, std::string(std::min<std::size_t>(left, 64 << 10), 'x'));
    if (bytes_sent_ == before) return;
    left -= std::min(left, bytes_sent_ - before);
  }
}

void FakeUpnpRouter::send_all(int connection, const std::string& bytes) {
  const std::size_t step = trickles ? 1 : bytes.size();
  for (std::size_t at = 0; at < bytes.size() && !is_over_;) {
    const auto sent =
        ::send(connection, bytes.data() + at, std::min(step, bytes.size() - at), MSG_NOSIGNAL);
    if (sent <= 0) return;
    at += static_cast<std::size_t>(sent);
    bytes_sent_ += static_cast<std::size_t>(sent);
    if (trickles) std::this_thread::sleep_for(20ms);
  }
}

std::string FakeUpnpRouter::answer(const std::string& request) {
  const std::string line = request.substr(0, request.find("\r\n"));
  const std::size_t head = request.find("\r\n\r\n");
  std::string action{
      header_of(std::string_view(request).substr(0, head), "SOAPAction").value_or("")};
  action = action.substr(action.find('#') + 1);
  if (action.ends_with('"')) action.pop_back();
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(action.empty() ? line : action);
  }
  if (instead) return instead(line);
  if (action.empty()) return http_answer(200, description());
  if (on_command) on_command(action);
  if (const auto error = errors.find(action); error != errors.end()) {
    return upnp_error(error->second);
  }
  return answer_command(action, request.substr(head + 4));
}

std::string FakeUpnpRouter::answer_command(const std::string& command, const std::string& body) {
  if (command == "GetExternalIPAddress") {
    return reply(command, "<NewExternalIPAddress>" + external + "</NewExternalIPAddress>");
  }
  const std::lock_guard lock(mutex_);
  const auto port = static_cast<std::uint16_t>(std::atoi(element(body, "NewExternalPort").c_str()));
  if (element(body, "NewProtocol") != "UDP") return upnp_error(402);
  const auto known = mappings_.find(port);
  if (command == "AddPortMapping") {
    const Mapping mapping{.client = element(body, "NewInternalClient"),
                          .port = element(body, "NewInternalPort"),
                          .lifetime = element(body, "NewLeaseDuration")};
    if (only_permanent && mapping.lifetime != "0") return upnp_error(725);
    if (conflicts > 0 && conflicts-- > 0) return upnp_error(718);
    mappings_[port] = mapping;
    return reply(command, "");
  }
  if (known == mappings_.end()) return upnp_error(714);
  if (command == "DeletePortMapping") {
    mappings_.erase(known);
    return reply(command, "");
  }
  if (command != "GetSpecificPortMappingEntry") return upnp_error(401);
  return reply(command, "<NewInternalPort>" + known->second.port +
                            "</NewInternalPort><NewInternalClient>" + known->second.client +
                            "</NewInternalClient>");
}

}  // namespace qpeer::p2p::detail::test
