// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "qpeer/bench/perf/perf.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::perf {

void CommonOptions::declare(cli::Arguments& arguments) {
  arguments.text("--addr", "A", address, "address (default: 127.0.0.1)");
  arguments.number("--port", "N", port, 0, 65'535, "port (default: 4478)");
  transport.declare_cipher(arguments);
  transport.declare_mtu(arguments);
  transport.declare_version(arguments);
  transport.declare_congestion(arguments);
  arguments.text("--group", "LIST", group, "key exchange groups, as OpenSSL writes them");
  arguments.size("--window", "SIZE", window, "flow control window (default: the library's)");
  arguments.toggle("--no-gso", transport.no_gso, "neither GSO nor GRO");
  arguments.toggle("--no-pacing", transport.no_pacing, "send as fast as the window allows");
  arguments.toggle("--json", json, "print the result as one line of JSON");
}

ConnectionConfig CommonOptions::connection() const {
  ConnectionConfig config = transport.connection();
  config.streams.max_streams_bidi = 10'000;
  if (window > 0) {
    config.streams.receive_window = window;
    config.streams.stream_receive_window = window;
  }
  return config;
}

std::expected<std::shared_ptr<crypto::TlsContext>, ConfigError> CommonOptions::tls(
    bool server) const {
  crypto::TlsConfig config = transport.tls(std::string(kAlpn));
  config.groups = group;
  config.mutual = false;
  if (server) {
    config.credentials = crypto::generate_credentials(crypto::KeyType::p256, "localhost");
  }
  return crypto::make_tls_context(std::move(config));
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto in_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime);
}

Bytes filler(std::size_t size) {
  static const std::vector<u8> kBytes(kFillerSize, 0x71);
  return Bytes(kBytes).first(std::min(size, kBytes.size()));
}

Task<std::expected<void, StreamError>> write_filler(AsyncStream& stream, std::uint64_t size) {
  while (size > 0) {
    const Bytes piece = filler(std::min<std::uint64_t>(size, kFillerSize));
    const auto written = co_await stream.write(piece);
    if (!written) co_return std::unexpected(written.error());
    size -= piece.size();
  }
  co_return std::expected<void, StreamError>{};
}

// --- results -------------------------------------------------------------------------------------

Result::Result(std::string_view mode) : words_(mode), json_(fmt::format("\"mode\":\"{}\"", mode)) {}

void Result::add(std::string_view key, double value, int decimals, std::string_view unit) {
  words_ += fmt::format("{} {}={:.{}f}{}{}", words_.find('=') == std::string::npos ? ":" : ",", key,
                        value, decimals, unit.empty() ? "" : " ", unit);
  json_ += fmt::format(",\"{}\":{:.{}f}", key, value, decimals);
}

void Result::add(std::string_view key, std::string_view value) {
  words_ += fmt::format(", {}={}", key, value);
  json_ += fmt::format(",\"{}\":{}", key, cli::json_string(value));
}

void Result::add_transport(const AsyncEndpoint& endpoint, const AsyncConnection& connection,
                           const CommonOptions& options) {
  const ConnectionStats stats = connection.stats();
  add("rtt_ms", 1e3 * seconds(stats.smoothed_rtt), 3);
  add("packets_sent", static_cast<double>(stats.packets_sent), 0);
  add("packets_received", static_cast<double>(stats.packets_received), 0);
  add("packets_lost", static_cast<double>(stats.packets_lost), 0);
  add("mtu", static_cast<double>(options.transport.mtu), 0, "B");
  add("cipher", cli::to_string(connection.info().cipher_suite));
  add("group", connection.info().key_exchange_group);
  add("cc", transport::to_string(options.transport.congestion));
  add("gso", endpoint.capabilities().gso ? "yes" : "no");
  add("gro", endpoint.capabilities().gro ? "yes" : "no");
}

void Result::print(bool json) const { cli::print_line(json ? "{" + json_ + "}" : words_); }

}  // namespace qpeer::perf
