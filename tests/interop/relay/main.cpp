// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-relay: a bad line between QUIC clients and a server, that also counts what it sees.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/tests/interop/relay/relay.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/signal_set.hpp"

namespace {

using namespace qpeer;
using cli::Arguments;
using relay::Rebind;
using relay::RelayConfig;

Arguments::Setter address(SocketAddress& value) {
  return [&value](std::string_view text) -> std::expected<void, std::string> {
    const auto parsed = SocketAddress::parse(text);
    if (!parsed) return std::unexpected("is not ADDR:PORT");
    value = *parsed;
    return {};
  };
}

// "2-7" or "2,4,9".
Arguments::Setter ordinals(std::vector<std::uint64_t>& value) {
  return [&value](std::string_view text) -> std::expected<void, std::string> {
    while (!text.empty()) {
      const std::string_view part = text.substr(0, text.find(','));
      text.remove_prefix(std::min(part.size() + 1, text.size()));
      const std::size_t dash = part.find('-');
      const auto first = cli::parse_number(part.substr(0, dash));
      const auto last = dash == part.npos ? first : cli::parse_number(part.substr(dash + 1));
      if (!first || !last || *first == 0 || *last < *first || *last > 10'000) {
        return std::unexpected("is not a list such as 1,3-5");
      }
      for (std::uint64_t i = *first; i <= *last; ++i) value.push_back(i);
    }
    return {};
  };
}

int run(const RelayConfig& config) {
  io::EventLoop loop;
  constexpr std::array kSignals{SIGINT, SIGTERM};
  const auto signals = io::SignalSet::make(loop, kSignals, [&](int) { loop.stop(); });
  auto started = relay::Relay::start(loop, config);
  if (!signals || !started) {
    cli::complain("qpeer-relay: cannot listen on {}: {}", config.listen.to_string(),
                  started ? "no signals" : started.error().message());
    return cli::kFailure;
  }
  cli::say("listening on {}", (*started)->address().to_string());
  loop.run();
  std::fputs((*started)->report().c_str(), stdout);
  return cli::kSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  RelayConfig config;
  relay::LineConfig line;
  std::vector<std::uint64_t> lost_to_server;
  Arguments arguments{"qpeer-relay", "--listen ADDR:PORT --to ADDR:PORT [OPTION...]",
                      "Carries datagrams between clients and a server over a bad line. SIGINT or "
                      "SIGTERM ends it: then it\nprints what it saw, a \"name value\" a line. "
                      "Percentages hold for each direction."};
  arguments.custom("--listen", "ADDR:PORT", "where clients come", address(config.listen));
  arguments.custom("--to", "ADDR:PORT", "the server", address(config.server));
  arguments.seconds("--delay", "S", line.delay, "one way (default: 0)");
  arguments.size("--rate", "BITS", line.rate, "bits a second, such as 10M (default: no limit)");
  arguments.number("--queue", "N", line.queue, 1, 100'000,
                   "datagrams that wait for the rate (default: 25)");
  arguments.number("--mtu", "BYTES", line.mtu, 1, 65'535,
                   "the largest UDP payload that arrives (default: 65535)");
  arguments.number("--loss", "PERCENT", line.loss, 0, 100, "datagrams that are lost");
  arguments.number("--corrupt", "PERCENT", line.corruption, 0, 100,
                   "datagrams with a changed byte");
  arguments.number("--duplicate", "PERCENT", line.duplication, 0, 100,
                   "datagrams that arrive twice");
  arguments.number("--burst", "N", line.burst, 0, 1'000,
                   "at most so many lost or corrupted in a row (default: 0, any)");
  arguments.custom("--lose-to-server", "LIST", "which datagrams of the client are lost, as 2-7",
                   ordinals(lost_to_server));
  arguments.seconds("--on", "S", line.on, "with --off: how long the line works");
  arguments.seconds("--off", "S", line.off,
                    "how long it then loses everything (default: 0, never)");
  arguments.choice<Rebind>("--rebind", {{"port", Rebind::port}, {"address", Rebind::address}},
                           config.rebind, "what of the client changes for the server");
  arguments.seconds("--first-rebind", "S", config.first_rebind,
                    "after the first datagram (default: 1)");
  arguments.seconds("--rebind-every", "S", config.rebind_every, "from then on (default: 5)");
  arguments.toggle("--ce", config.mark_ce, "mark all that is ECN-capable as congested");
  arguments.number("--seed", "N", config.seed, 0, UINT32_MAX, "of the accidents (default: 1)");
  arguments.toggle("--trace", config.trace, "tell of each datagram, on standard error");
  const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
  if (const auto status = arguments.parse(words.subspan(1))) return *status;
  if (!config.listen.valid()) return arguments.misuse("--listen is missing");
  if (!config.server.valid()) return arguments.misuse("--to is missing");
  config.to_server = config.to_client = line;
  config.to_server.lost = std::move(lost_to_server);
  return run(config);
}
