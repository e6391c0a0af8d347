// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/network_examination.hpp"

#include <optional>
#include <utility>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/p2p/async/upnp_question.hpp"
#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/io/driver.hpp"
#include "qpeer/transport/io/internet_path.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

/// For the router to take its mapping back.
constexpr Duration kMappingEnd = 250ms;
constexpr Duration kLook = 10ms;

std::expected<io::UdpSocket, std::error_code> bind_any() {
  auto socket = io::UdpSocket::bind(SocketAddress::ipv6({}, 0));
  return socket ? std::move(socket) : io::UdpSocket::bind(SocketAddress::ipv4({}, 0));
}

/// The socket whose port the router maps for a moment: nobody else uses that port meanwhile.
std::optional<io::UdpSocket> socket_to_map(bool is_wanted) {
  if (!is_wanted) return std::nullopt;
  auto socket = io::UdpSocket::bind(SocketAddress::ipv4({}, 0));
  return socket ? std::optional(std::move(*socket)) : std::nullopt;
}

/// The router, and our private address; neither is valid() where no router can be asked.
Path router_for(const std::optional<io::UdpSocket>& mapped) {
  if (!mapped) return {};
  const Path path = io::read_internet_path(mapped->local_address().port());
  const bool is_private = scope_of(path.local) == AddressScope::private_use;
  return is_private ? path : Path{};
}

}  // namespace

NatFiltering filtering_of(const FilteringFound& found) {
  if (!found.strangers) return NatFiltering::unknown;  // One knock alone may have been lost.
  if (*found.strangers) return NatFiltering::independent;
  if (!found.other_port) return NatFiltering::restricted;
  return *found.other_port ? NatFiltering::by_address : NatFiltering::by_address_and_port;
}

async::Task<std::expected<NetworkExamination, std::error_code>> examine_network(
    io::EventLoop& loop, NetworkQuestions questions) {
  using Driver = io::Driver<NetworkProbe>;
  auto socket = bind_any();
  if (!socket) co_return std::unexpected(socket.error());
  const std::optional<io::UdpSocket> mapped = socket_to_map(questions.asks_router);
  auto mapped_by_upnp = socket_to_map(questions.asks_router);
  const Path way_of_upnp = router_for(mapped_by_upnp);
  UpnpQuestion upnp{loop, std::move(mapped_by_upnp), way_of_upnp};
  const Instant begin = io::now();
  NetworkExamination out;
  NetworkProbe probe{crypto::system_random(), {.time_limit = questions.time_limit}};
  const bool more_follows = questions.filtering || !questions.later.empty();
  probe.start(io::now(), questions.servers, router_for(mapped), more_follows);
  async::Event reported{loop};
  auto driver = Driver::start(loop, std::move(*socket), probe, [&](NetworkReport&& report) {
    out.report = std::move(report);
    reported.set();
  });
  if (!driver) co_return std::unexpected(driver.error());
  std::error_code error;
  (*driver)->on_error([&](std::error_code why) {
    error = why;
    reported.set();
  });
  if (more_follows) {
    FoundFiltering found;
    if (questions.filtering) {
      auto task = questions.filtering();
      const auto result =
          co_await async::with_timeout(loop, questions.filtering_time, std::move(task));
      found = result.value_or(FoundFiltering{});
    }
    probe.add(io::now(), questions.later, found);
    (*driver)->wake();
  }
  co_await reported.wait();
  if (error) co_return std::unexpected(error);
  out.socket = (*driver)->socket().capabilities();
  co_await upnp.add_to(loop, out.report, begin + questions.time_limit);
  const Instant end = io::now() + kMappingEnd;
  while (!probe.is_finished() && io::now() < end) co_await async::sleep_for(loop, kLook);
  co_return out;
}

}  // namespace qpeer::p2p::detail
