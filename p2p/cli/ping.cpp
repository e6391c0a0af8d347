// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer ping: measures round trips.
#include <algorithm>
#include <string>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"
#include "qpeer/p2p/cli/dial.hpp"

namespace qpeer::cli {
namespace {

struct PingOptions {
  DialOptions dial;
  std::uint32_t count = 4;
  Duration interval = 1s;
  bool json = false;
  bool quiet = false;
};

struct Times {
  Duration least = Duration::max();
  Duration most{};
  Duration total{};
};

void tell(const PingOptions& options, const LinkInfo& link, const Times& times) {
  const std::string remote = link.address.to_string();
  const Duration average = times.total / options.count;
  if (options.json) {
    Json json{"pinged"};
    json.text("peer", link.peer.to_string()).text("address", remote);
    json.number("count", options.count).milliseconds("min_ms", times.least);
    json.milliseconds("avg_ms", average).milliseconds("max_ms", times.most);
    json.milliseconds("handshake_ms", link.stats.handshake_time);
    print_line(json.milliseconds("rtt_ms", link.stats.smoothed_rtt).end());
    return;
  }
  say("{} pings to {}: min {} avg {} max {} ms, smoothed {} ms", options.count, remote,
      in_milliseconds(times.least), in_milliseconds(average), in_milliseconds(times.most),
      in_milliseconds(link.stats.smoothed_rtt));
}

Task<int> ping(Dialled& dialled, const PingOptions& options) {
  const LinkInfo link = dialled.link();
  const std::string remote = link.address.to_string();
  const bool lines = !options.quiet && !options.json;
  if (lines) {
    say("connected to {} id {} in {} ms, {}, {}", remote, link.peer.to_string(),
        in_milliseconds(link.stats.handshake_time), to_string(link.cipher_suite),
        link.key_exchange_group);
  }
  Times times;
  for (std::uint32_t number = 1; number <= options.count; ++number) {
    if (number > 1) co_await sleep_for(dialled.client.loop(), options.interval);
    while (!output_has_room()) co_await sleep_for(dialled.client.loop(), 20ms);
    const auto time = co_await dialled.server.ping();
    if (!time) {
      complain("qpeer ping: {}: no answer to ping {}: {}", remote, number, to_string(time.error()));
      co_return kFailure;
    }
    times.least = std::min(times.least, *time);
    times.most = std::max(times.most, *time);
    times.total += *time;
    if (lines) say("pong {} from {}: {} ms", number, remote, in_milliseconds(*time));
  }
  tell(options, dialled.link(), times);
  co_return kSuccess;
}

}  // namespace

int ping_command(std::span<char* const> words) {
  PingOptions options;
  Arguments arguments{
      "qpeer ping", "PEER [OPTION...]",
      "Links to a node, a ticket or ID@HOST[:PORT], and measures round trips to it."};
  std::string peer;
  arguments.positional("PEER", peer);
  arguments.number("--count", "N", options.count, 1, 1'000'000'000, "round trips (default: 4)");
  arguments.seconds("--interval", "S", options.interval, "time between them (default: 1)");
  options.dial.declare(arguments);
  arguments.toggle("--json", options.json, "print the result as one line of JSON");
  arguments.toggle("--quiet", options.quiet, "print only the last line");
  if (const auto status = arguments.parse(words)) return *status;
  if (const auto taken = add_contact(options.dial.contacts)(peer); !taken) {
    return arguments.misuse("'" + peer + "' " + taken.error());
  }
  if (const auto status = options.dial.parse(arguments, {})) return *status;
  return with_link("qpeer ping", options.dial,
                   [&](Dialled& dialled) { return ping(dialled, options); });
}

}  // namespace qpeer::cli
