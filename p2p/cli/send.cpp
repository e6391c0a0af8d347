// qpeer send: sends a file to a node and checks that it stored the same.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "crypto/identity.hpp"
#include "crypto/peer_id.hpp"
#include "p2p/cli/commands.hpp"
#include "p2p/cli/common/files.hpp"
#include "p2p/cli/common/program.hpp"
#include "p2p/cli/common/protocol.hpp"
#include "p2p/cli/dial.hpp"

namespace qpeer::cli {
namespace {

struct SendOptions {
  DialOptions dial;
  std::string file;
  std::string name;
  bool json = false;
  bool quiet = false;
};

struct OpenFile {
  Descriptor file;
  std::uint64_t size = 0;
};

/// What is told at the end.
struct Report {
  std::string stored_as;
  std::uint64_t size = 0;
  std::array<u8, 32> sha256{};
  Duration sending{};  ///< Until the node had acknowledged all of it.
  Duration total{};    ///< Until it had stored it.
};

using Error = std::unexpected<std::string>;

std::expected<OpenFile, std::string> open_file(const std::string& path) {
  OpenFile out{.file = Descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}};
  struct stat status{};
  if (!out.file || ::fstat(out.file.get(), &status) != 0) {
    return Error(path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return Error(path + ": not a file");
  out.size = static_cast<std::uint64_t>(status.st_size);
  return out;
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// The next bytes of the file; empty at its end.
std::expected<Bytes, std::string> read_some(const OpenFile& file, MutableBytes buffer) {
  for (;;) {
    const ssize_t size = ::read(file.file.get(), buffer.data(), buffer.size());
    if (size >= 0) return buffer.first(static_cast<std::size_t>(size));
    if (errno != EINTR) return Error(std::strerror(errno));
  }
}

// Sends header and body. The node may stop it at any time, which is no error here: its answer
// says why.
Task<std::expected<void, std::string>> send_body(AsyncStream& stream, const SendOptions& options,
                                                 const OpenFile& file, Report& report) {
  const std::vector<u8> header = PutRequest{options.name, file.size}.encode();
  auto written = co_await stream.write(header);
  constexpr std::size_t kBufferSize = 256 << 10;
  const auto buffer = std::make_unique_for_overwrite<u8[]>(kBufferSize);
  crypto::Sha256 hash;
  Progress progress{options.name, file.size, options.quiet || options.json};
  while (written) {
    const auto data = read_some(file, {buffer.get(), kBufferSize});
    if (!data) co_return Error(options.file + ": " + data.error());
    if (data->empty()) break;
    report.size += data->size();
    if (report.size > file.size) co_return Error(options.file + ": it grew while it was sent");
    hash.update(*data);
    written = co_await stream.write(*data);
    progress.update(report.size);
  }
  if (written && report.size < file.size) {
    co_return Error(options.file + ": it shrank while it was sent");
  }
  report.sha256 = hash.finish();
  if (written) {
    (void)stream.finish();
    (void)co_await stream.finished();
  }
  co_return std::expected<void, std::string>{};
}

// What ended the connection, when that is why a stream failed.
Task<std::string> why_it_ended(AsyncConnection& connection, std::string otherwise) {
  if (!connection.is_closed()) co_return otherwise;
  const CloseReason reason = co_await connection.closed();
  co_return to_string(reason);
}

Task<std::expected<Report, std::string>> transfer(AsyncConnection& connection,
                                                  const SendOptions& options,
                                                  const OpenFile& file) {
  auto stream = co_await connection.open_stream();
  if (!stream) co_return Error(std::string(to_string(stream.error())));
  Report report;
  const Instant begin = io::now();
  const auto sent = co_await send_body(*stream, options, file, report);
  if (!sent) co_return Error(sent.error());
  report.sending = io::now() - begin;
  const auto answer = co_await read_answer(*stream);
  report.total = io::now() - begin;
  if (!answer) {
    const std::string why =
        co_await why_it_ended(connection, "the node broke off without an answer");
    co_return Error(why);
  }
  if (!answer->stored) co_return Error("the node refused it: " + answer->text);
  if (answer->sha256 != report.sha256) {
    co_return Error("the node stored something else: its SHA-256 is " + hex(answer->sha256));
  }
  report.stored_as = answer->text;
  co_return report;
}

double milliseconds(Duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

void tell(const SendOptions& options, const AsyncConnection& connection, const Report& report) {
  const ConnectionInfo& info = connection.info();
  const ConnectionStats stats = connection.stats();
  const double seconds = std::chrono::duration<double>(report.sending).count();
  const double rate = 8e-9 * static_cast<double>(report.size) / seconds;
  if (options.json) {
    say("{{\"file\":{},\"stored_as\":{},\"size\":{},\"to\":{},\"peer\":\"{}\",\"cipher\":\"{}\","
        "\"group\":{},\"handshake_ms\":{:.3f},\"seconds\":{:.6f},\"total_seconds\":{:.6f},"
        "\"gbit_per_second\":{:.3f},\"rtt_ms\":{:.3f},\"min_rtt_ms\":{:.3f},\"packets_lost\":{},"
        "\"sha256\":\"{}\",\"same\":true}}",
        json_string(options.file), json_string(report.stored_as), report.size,
        json_string(info.remote.to_string()), PeerId{info.peer_certificate.spki_sha256}.to_string(),
        to_string(info.cipher_suite), json_string(info.key_exchange_group),
        milliseconds(stats.handshake_time), seconds,
        std::chrono::duration<double>(report.total).count(), rate, milliseconds(stats.smoothed_rtt),
        milliseconds(stats.min_rtt), stats.packets_lost, hex(report.sha256));
    return;
  }
  if (options.quiet) return;
  say("sent {} ({}, {} bytes) to {}, stored as {}", options.file, human_size(report.size),
      report.size, info.remote.to_string(), report.stored_as);
  say("  peer       {}", PeerId{info.peer_certificate.spki_sha256}.to_string());
  say("  cipher     {}, {}", to_string(info.cipher_suite), info.key_exchange_group);
  say("  handshake  {:.3f} ms", milliseconds(stats.handshake_time));
  say("  rate       {:.3f} Gbit/s ({:.3f} s)", rate, seconds);
  say("  rtt        {:.3f} ms (least {:.3f} ms)", milliseconds(stats.smoothed_rtt),
      milliseconds(stats.min_rtt));
  say("  sha256     {} (the node stored the same)", hex(report.sha256));
}

Task<int> send(EventLoop& loop, const SendOptions& options, const OpenFile& file) {
  auto dialled = co_await dial(loop, options.dial);
  if (!dialled) {
    complain("qpeer send: {}", dialled.error());
    co_return kFailure;
  }
  const auto report = co_await transfer(dialled->connection, options, file);
  if (!report) {
    complain("qpeer send: {} to {}: {}", options.file,
             dialled->connection.info().remote.to_string(), report.error());
    co_await dialled->endpoint.shut_down(static_cast<std::uint64_t>(ErrorCode::interrupted),
                                         "interrupted", 100ms);
    co_return kFailure;
  }
  tell(options, dialled->connection, *report);
  co_await dialled->endpoint.shut_down(0, "done", 100ms);
  co_return kSuccess;
}

}  // namespace

int send_command(std::span<char* const> words) {
  SendOptions options;
  Arguments arguments{"qpeer send", "FILE --to ADDR[:PORT] [OPTION...]",
                      "Sends a file to a node, and checks that the node stored the same."};
  arguments.positional("FILE", options.file);
  arguments.required("--to", "ADDR[:PORT]", options.dial.to, "the node (default port: 4477)");
  arguments.text("--name", "NAME", options.name, "what the node shall call it (default: FILE's)");
  options.dial.declare(arguments);
  arguments.toggle("--json", options.json, "print the result as one line of JSON");
  arguments.toggle("--quiet", options.quiet, "print nothing but failures");
  if (const auto status = options.dial.parse(arguments, words)) return *status;
  if (options.name.empty()) options.name = base_name(options.file);
  if (const auto bad = why_bad_name(options.name); !bad.empty()) {
    return arguments.misuse("a node will not take the name '" + options.name +
                            "': " + std::string(bad) + "; give another with --name");
  }
  const auto file = open_file(options.file);
  if (!file) {
    complain("qpeer send: {}", file.error());
    return kFailure;
  }
  EventLoop loop;
  return run_program(loop, send(loop, options, *file));
}

}  // namespace qpeer::cli
