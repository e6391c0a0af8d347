// qpeer ping: measures round trips.
#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "crypto/peer_id.hpp"
#include "p2p/cli/commands.hpp"
#include "p2p/cli/common/program.hpp"
#include "p2p/cli/common/protocol.hpp"
#include "p2p/cli/dial.hpp"

namespace qpeer::cli {
namespace {

struct PingOptions {
  DialOptions dial;
  std::uint32_t count = 4;
  Duration interval = 1s;
  bool quiet = false;
};

double milliseconds(Duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// One round trip through the node's application.
Task<std::expected<Duration, StreamError>> round_trip(AsyncStream& stream, std::uint64_t number) {
  std::array<u8, kPingSize> ping{};
  Writer{ping}.u64(number);
  const Instant begin = io::now();
  const auto written = co_await stream.write(ping);
  if (!written) co_return std::unexpected(written.error());
  std::array<u8, kPingSize> pong{};
  const auto size = co_await stream.read_full(pong);
  if (!size) co_return std::unexpected(size.error());
  if (*size < pong.size() || pong != ping) co_return std::unexpected(StreamError::finished);
  co_return io::now() - begin;
}

Task<int> ping(EventLoop& loop, const PingOptions& options) {
  auto dialled = co_await dial(loop, options.dial);
  if (!dialled) {
    complain("qpeer ping: {}", dialled.error());
    co_return kFailure;
  }
  AsyncConnection& connection = dialled->connection;
  const ConnectionInfo& info = connection.info();
  const std::string remote = info.remote.to_string();
  if (!options.quiet) {
    say("connected to {} id {} in {:.3f} ms, {}, {}", remote,
        PeerId{info.peer_certificate.spki_sha256}.to_string(),
        milliseconds(connection.stats().handshake_time), to_string(info.cipher_suite),
        info.key_exchange_group);
  }
  auto stream = co_await connection.open_stream();
  if (!stream) {
    complain("qpeer ping: {}: cannot open a stream: {}", remote, to_string(stream.error()));
    co_return kFailure;
  }
  const std::array type{static_cast<u8>(RequestType::ping)};
  (void)co_await stream->write(type);
  Duration least = Duration::max();
  Duration most{};
  Duration total{};
  for (std::uint32_t number = 1; number <= options.count; ++number) {
    if (number > 1) co_await sleep_for(loop, options.interval);
    const auto time = co_await round_trip(*stream, number);
    if (!time) {
      complain("qpeer ping: {}: no answer to ping {}: {}", remote, number, to_string(time.error()));
      co_return kFailure;
    }
    least = std::min(least, *time);
    most = std::max(most, *time);
    total += *time;
    if (!options.quiet) say("pong {} from {}: {:.3f} ms", number, remote, milliseconds(*time));
  }
  say("{} pings to {}: min {:.3f} avg {:.3f} max {:.3f} ms, transport rtt {:.3f} ms", options.count,
      remote, milliseconds(least), milliseconds(total / options.count), milliseconds(most),
      milliseconds(connection.stats().smoothed_rtt));
  (void)stream->finish();
  co_await dialled->endpoint.shut_down(0, "done", 100ms);
  co_return kSuccess;
}

}  // namespace

int ping_command(std::span<char* const> words) {
  PingOptions options;
  Arguments arguments{"qpeer ping", "ADDR[:PORT] [OPTION...]",
                      "Connects to a node and measures round trips through it."};
  arguments.positional("ADDR", options.dial.to);
  arguments.number("--count", "N", options.count, 1, 1'000'000'000, "round trips (default: 4)");
  arguments.seconds("--interval", "S", options.interval, "time between them (default: 1)");
  options.dial.declare(arguments);
  arguments.toggle("--quiet", options.quiet, "print only the last line");
  if (const auto status = options.dial.parse(arguments, words)) return *status;
  EventLoop loop;
  return run_program(loop, ping(loop, options));
}

}  // namespace qpeer::cli
