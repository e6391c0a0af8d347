// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-perf: transfers, requests and handshakes over real sockets. One request on a bidirectional
// stream: u64 (network order) size of the response, then anything, FIN; the response has that size.
#pragma once

#include "qpeer/transport.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/transport_options.hpp"

namespace qpeer::perf {

inline constexpr std::string_view kAlpn = "qpeer-perf";
inline constexpr std::size_t kHeaderSize = 8;
inline constexpr std::uint64_t kEndless = std::uint64_t{1} << 62;

/// The flags that server and client share.
struct CommonOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 4478;
  std::string group;
  std::uint64_t window = 0;  ///< Flow control; 0 keeps the default.
  bool json = false;
  cli::TransportOptions transport;

  CommonOptions() { transport.mtu = 1452; }
  void declare(cli::Arguments& arguments);
  [[nodiscard]] ConnectionConfig connection() const;
  [[nodiscard]] std::expected<std::shared_ptr<crypto::TlsContext>, ConfigError> tls(
      bool server) const;
};

enum class Mode : u8 { bulk, requests, handshakes };

struct ClientOptions : CommonOptions {
  Mode mode = Mode::bulk;
  std::uint64_t bytes = 0;  ///< Of all streams; 0 is as many as fit into `duration`.
  Duration duration = 10s;
  std::uint64_t streams = 1;
  bool upload = false;
  std::uint64_t request_size = 100;
  std::uint64_t response_size = 100;
  std::uint64_t parallel = 0;  ///< 0: 100 requests, 1 handshake.
};

int server_command(std::span<char* const> words);
int client_command(std::span<char* const> words);

Task<int> run_bulk(AsyncEndpoint& endpoint, const ClientOptions& options, ConnectOptions connect);
Task<int> run_requests(AsyncEndpoint& endpoint, const ClientOptions& options,
                       ConnectOptions connect);
Task<int> run_handshakes(AsyncEndpoint& endpoint, const ClientOptions& options,
                         ConnectOptions connect);

/// Seconds of processor time that this process used so far.
[[nodiscard]] double cpu_seconds();
inline double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// A buffer whose contents do not matter.
[[nodiscard]] Bytes filler(std::size_t size);
inline constexpr std::size_t kFillerSize = 1 << 20;

/// Writes `size` bytes of filler.
Task<std::expected<void, StreamError>> write_filler(AsyncStream& stream, std::uint64_t size);

/// One result, printed as words or as JSON.
class Result {
 public:
  explicit Result(std::string_view mode);
  void add(std::string_view key, double value, int decimals, std::string_view unit = {});
  void add(std::string_view key, std::string_view value);
  void add_transport(const AsyncEndpoint& endpoint, const AsyncConnection& connection,
                     const CommonOptions& options);
  void print(bool json) const;

 private:
  std::string words_;
  std::string json_;
};

}  // namespace qpeer::perf
