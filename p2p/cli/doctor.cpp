// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer doctor: what this network lets a peer be, and what to do about what stands in the way.
#include "qpeer/qpeer.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/p2p/async/lookup.hpp"
#include "qpeer/p2p/async/upnp_gateway.hpp"
#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/doctor_report.hpp"
#include "qpeer/p2p/nat/network_probe.hpp"
#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/driver.hpp"
#include "qpeer/transport/io/internet_path.hpp"

namespace qpeer::cli {
namespace {

constexpr std::uint16_t kStunPort = 3478;
/// All ends in three seconds: names are looked up in the first one, and the rest is for the probe, which
/// leaves the gateway some time to take its mapping back.
constexpr Duration kLookupPatience = 1s;
constexpr Duration kProbeEnd = 2'700ms;
constexpr Duration kLongestProbe = 2'500ms;
constexpr Duration kMappingEnd = 250ms;
/// A router that speaks UPnP answers a search within a second.
constexpr Duration kUpnpSearch = 1500ms;
constexpr Duration kUpnpRequest = 1s;
constexpr Duration kUpnpEnd = 2'700ms;

struct DoctorOptions {
  std::vector<PeerAddress> contacts{};
  std::vector<PeerAddress> servers{};
  bool no_port_mapping = false;
  bool json = false;
};

/// One address of each family, or none, which is reported.
Task<std::vector<SocketAddress>> look_up(EventLoop& loop, PeerAddress server) {
  const std::vector<PeerAddress> one{server};
  p2p::detail::Lookup lookup{loop, one, kLookupPatience};
  const auto found = co_await lookup;
  for (const auto& failure : found.failures) {
    complain("qpeer doctor: {}: {}", server.to_string(), failure.why);
  }
  std::vector<SocketAddress> out;
  for (const auto& candidate : found.candidates) {
    const bool is_known = std::ranges::any_of(out, [&](const SocketAddress& each) {
      return each.is_ipv4() == candidate.address.is_ipv4();
    });
    if (!is_known) out.push_back(candidate.address);
  }
  co_return out;
}

Task<std::vector<SocketAddress>> look_up_all(EventLoop& loop, const DoctorOptions& options) {
  std::vector<Task<std::vector<SocketAddress>>> tasks;
  for (const auto* list : {&options.contacts, &options.servers}) {
    for (const PeerAddress& server : *list) tasks.push_back(look_up(loop, server));
  }
  std::vector<SocketAddress> out;
  const auto found = co_await when_all(std::move(tasks));
  for (const auto& of_one : found) {
    for (const SocketAddress& each : of_one) {
      if (std::ranges::find(out, each) == out.end()) out.push_back(each);
    }
  }
  co_return out;
}

std::expected<io::UdpSocket, std::error_code> bind_any() {
  auto socket = io::UdpSocket::bind(SocketAddress::ipv6({}, 0));
  return socket ? std::move(socket) : io::UdpSocket::bind(SocketAddress::ipv4({}, 0));
}

/// The router, and our private address; neither is valid() where no router can be asked.
Path gateway_for(const std::optional<io::UdpSocket>& mapped) {
  if (!mapped) return {};
  const Path path = io::read_internet_path(mapped->local_address().port());
  const bool is_private = scope_of(path.local) == AddressScope::private_use;
  return is_private ? path : Path{};
}

/// The socket whose port the gateway maps for a moment: nobody else uses that port meanwhile.
std::optional<io::UdpSocket> socket_to_map(const DoctorOptions& options) {
  if (options.no_port_mapping) return std::nullopt;
  auto socket = io::UdpSocket::bind(SocketAddress::ipv4({}, 0));
  return socket ? std::optional(std::move(*socket)) : std::nullopt;
}

/// Asks the router by UPnP, beside the rest: to map the port of a socket that only this is for.
class UpnpQuestion {
 public:
  UpnpQuestion(EventLoop& loop, const DoctorOptions& options)
      : socket_(socket_to_map(options)), way_(gateway_for(socket_)), answered_(loop) {
    if (!way_.remote.valid() || !p2p::detail::upnp_is_built()) return;
    p2p::detail::UpnpConfig config;
    config.search_time = kUpnpSearch;
    config.request.time = kUpnpRequest;
    gateway_ = std::make_shared<p2p::detail::UpnpGateway>(way_.remote, way_.local, config);
    call_ = io::Background(
        loop,
        [gateway = gateway_, result = result_] {
          *result = gateway->map();
          gateway->remove();
        },
        [this] { answered_.set(); });
  }

  UpnpQuestion(const UpnpQuestion&) = delete;
  UpnpQuestion& operator=(const UpnpQuestion&) = delete;
  ~UpnpQuestion() = default;

  /// Waits for the answer, and adds it to a report that has no mapping.
  Task<void> add_to(EventLoop& loop, p2p::NetworkReport& report, Instant end) {
    if (gateway_ == nullptr) {
      if (way_.remote.valid()) report.gateway.upnp_failure = "UPnP is not built in";
      co_return;
    }
    auto answered = answered_.wait();
    const auto is_known =
        co_await async::with_timeout(loop, std::max(Duration{}, end - io::now()), answered);
    if (!is_known) gateway_->stop();
    if (report.gateway.mapping) co_return;
    if (!is_known) {
      report.gateway.upnp_failure = "its UPnP does not answer in time";
    } else if (!*result_) {
      report.gateway.upnp_failure = result_->error();
    } else {
      report.set_mapping({.external = (*result_)->external,
                          .protocol = p2p::MappingProtocol::upnp,
                          .lifetime = (*result_)->lifetime,
                          .double_nat = p2p::is_behind_nat((*result_)->external)});
    }
  }

 private:
  std::optional<io::UdpSocket> socket_;
  Path way_;
  std::shared_ptr<p2p::detail::UpnpGateway> gateway_;
  std::shared_ptr<p2p::detail::UpnpGateway::Result> result_ =
      std::make_shared<p2p::detail::UpnpGateway::Result>();
  async::Event answered_;
  io::Background call_;
};

Task<std::expected<DoctorReport, std::string>> examine(EventLoop& loop,
                                                       const DoctorOptions& options) {
  using Driver = io::Driver<p2p::NetworkProbe>;
  const Instant begin = io::now();
  const std::vector<SocketAddress> servers = co_await look_up_all(loop, options);
  if (servers.empty() && options.contacts.size() + options.servers.size() > 0) {
    co_return std::unexpected("none of the names has an address");
  }
  auto socket = bind_any();
  if (!socket) co_return std::unexpected("cannot open a UDP socket: " + socket.error().message());
  const std::optional<io::UdpSocket> mapped = socket_to_map(options);
  DoctorReport out{.network = {},
                   .socket = {},
                   .buffers_wanted = io::UdpOptions{}.buffer_size,
                   .clock = read_clock()};
  UpnpQuestion upnp{loop, options};
  const Instant start = io::now();
  p2p::NetworkProbe probe{crypto::system_random(),
                          {.time_limit = std::min(kLongestProbe, begin + kProbeEnd - start)}};
  probe.start(start, servers, gateway_for(mapped));
  async::Event reported{loop};
  auto driver = Driver::start(loop, std::move(*socket), probe, [&](p2p::NetworkReport&& report) {
    out.network = std::move(report);
    reported.set();
  });
  if (!driver) co_return std::unexpected("cannot use the socket: " + driver.error().message());
  std::string error;
  (*driver)->on_error([&](std::error_code why) {
    error = "the socket failed: " + why.message();
    reported.set();
  });
  co_await reported.wait();
  if (!error.empty()) co_return std::unexpected(error);
  out.socket = (*driver)->socket().capabilities();
  co_await upnp.add_to(loop, out.network, begin + kUpnpEnd);
  const Instant end = io::now() + kMappingEnd;
  while (!probe.is_finished() && io::now() < end) co_await sleep_for(loop, 10ms);
  co_return out;
}

Task<int> doctor(EventLoop& loop, const DoctorOptions& options) {
  const auto report = co_await examine(loop, options);
  if (!report) {
    complain("qpeer doctor: {}", report.error());
    co_return kFailure;
  }
  if (options.json) {
    print_json(*report);
  } else {
    print_text(*report);
  }
  co_return status_of(report->network);
}

Arguments::Setter add_server(std::vector<PeerAddress>& servers) {
  return [&servers](std::string_view text) -> std::expected<void, std::string> {
    auto server = PeerAddress::parse(text, kStunPort);
    if (!server) return std::unexpected("is no address of a server: " + server.error());
    if (server->id) return std::unexpected("has an id: give a node by --contact");
    servers.push_back(std::move(*server));
    return {};
  };
}

}  // namespace

int doctor_command(std::span<char* const> words) {
  DoctorOptions options;
  Arguments arguments{
      "qpeer doctor", "[--contact PEER...] [--stun HOST[:PORT]...] [OPTION...]",
      "Finds out, in three seconds at most, what a peer in this network can be: whether UDP and "
      "IPv6 work,\nhow nodes and STUN servers see us, what the NAT or firewall does, whether the "
      "router maps ports;\nand says what to do about what stands in the way. Two servers on "
      "different hosts show how the NAT\nmaps; one with two addresses (RFC 5780) shows whom it "
      "lets in. With nobody to ask, only this machine\nand its router are examined."};
  arguments.custom("--contact", "PEER", "a node to ask, ID@HOST[:PORT]; may be repeated",
                   add_contact(options.contacts));
  arguments.custom("--stun", "HOST[:PORT]", "a STUN server to ask (port: 3478); may be repeated",
                   add_server(options.servers));
  arguments.toggle("--no-port-mapping", options.no_port_mapping,
                   "do not ask the router to map a port (PCP, NAT-PMP, UPnP)");
  arguments.toggle("--json", options.json, "print the report as one line of JSON");
  arguments.note(
      "Exit status: 0 could be a node, 3 a client, 4 a client that only a relay could "
      "call, 1 no UDP\nor failed, 2 wrong usage.");
  if (const auto status = arguments.parse(words)) return *status;
  if (options.contacts.size() + options.servers.size() > p2p::NetworkProbe::kMaxServers) {
    return arguments.misuse("too many servers: 8 are enough");
  }
  EventLoop loop;
  return run_program(loop, doctor(loop, options));
}

}  // namespace qpeer::cli
