// qpeer-perf: bulk rate, requests and handshakes a second between two processes.
#include <sys/resource.h>

#include <cstdio>

#include "bench/perf/perf.hpp"
#include "p2p/cli/common/arguments.hpp"
#include "p2p/cli/common/program.hpp"

namespace qpeer::perf {
namespace {

constexpr std::string_view kUsage = R"(usage: qpeer-perf server|client [OPTION]...
Measures the transport between two processes.

  qpeer-perf server                       answers until it is stopped
  qpeer-perf client --mode bulk           one stream, server to client, bytes a second
  qpeer-perf client --mode requests       streams of one request and one response, a second
  qpeer-perf client --mode handshakes     connections a second

'qpeer-perf client --help' lists the options.
)";

void declare(cli::Arguments& arguments, Options& options) {
  arguments.text("--addr", "A", options.address, "address of the server");
  arguments.number("--port", "N", options.port, 0, 65535, "UDP port of the server");
  options.transport.declare_cipher(arguments);
  options.transport.declare_mtu(arguments);
  arguments.choice<std::string>("--cc", {{"reno", "reno"}}, options.controller,
                                "congestion controller");
  arguments.toggle("--no-gso", options.transport.no_gso, "send and receive single datagrams");
  arguments.toggle("--json", options.json, "print the result as one line of JSON");
}

void declare_client(cli::Arguments& arguments, Options& options) {
  arguments.choice<Mode>(
      "--mode",
      {{"bulk", Mode::bulk}, {"requests", Mode::requests}, {"handshakes", Mode::handshakes}},
      options.mode, "what to measure");
  arguments.toggle("--upload", options.upload, "bulk: from client to server");
  arguments.size("--bytes", "N", options.bytes, "bulk: bytes of each stream");
  arguments.seconds("--duration", "S", options.duration,
                    "measure this long; bulk then ignores --bytes");
  arguments.number("--streams", "N", options.streams, 1, 1000, "bulk: streams at once");
  arguments.number("--request-size", "N", options.request_size, kRequestHeader, 1U << 30,
                   "requests: bytes of each request");
  arguments.number("--response-size", "N", options.response_size, 0, 1U << 30,
                   "requests: bytes of each response");
  arguments.number("--parallel", "N", options.parallel, 1, 10'000,
                   "requests, handshakes: in flight");
}

}  // namespace

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::bulk:
      return "bulk";
    case Mode::requests:
      return "requests";
    case Mode::handshakes:
      return "handshakes";
  }
  return "unknown";
}

transport::ConnectionConfig connection_config(const Options& options) {
  transport::ConnectionConfig config = options.transport.connection();
  config.streams.receive_window = 64 << 20;
  config.streams.stream_receive_window = 16 << 20;
  config.streams.send_buffer = 4 << 20;
  config.streams.max_streams_bidi = 10'000;
  return config;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string offloads(const io::UdpCapabilities& capabilities) {
  if (capabilities.gso && capabilities.gro) return "GSO GRO";
  if (capabilities.gso) return "GSO";
  return capabilities.gro ? "GRO" : "plain";
}

}  // namespace qpeer::perf

int main(int argc, char** argv) {
  using namespace qpeer;
  const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "--help" || command == "-h") {
    std::fputs(perf::kUsage.data(), stdout);
    return cli::kSuccess;
  }
  const bool server = command == "server";
  if (!server && command != "client") {
    cli::complain("qpeer-perf: the first argument is server or client (see --help)");
    return cli::kMisuse;
  }
  perf::Options options;
  options.transport.mtu = 1452;
  cli::Arguments arguments(server ? "qpeer-perf server" : "qpeer-perf client", "[OPTION]...",
                           server ? "Answers what clients ask for, until it is stopped."
                                  : "Measures, and prints one result.");
  perf::declare(arguments, options);
  if (!server) perf::declare_client(arguments, options);
  if (const auto status = arguments.parse(words.subspan(2))) return *status;
  io::EventLoop loop;
  return server ? perf::run_server(loop, options) : perf::run_client(loop, options);
}
