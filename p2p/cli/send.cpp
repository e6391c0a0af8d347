// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer send: sends a file to a node and checks that it stored the same.
#include <chrono>
#include <string>
#include <utility>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"
#include "qpeer/p2p/cli/common/transfer.hpp"
#include "qpeer/p2p/cli/dial.hpp"

namespace qpeer::cli {
namespace {

struct SendOptions {
  DialOptions dial;
  std::string file;
  std::string name;
  bool json = false;
  bool quiet = false;
};

/// The result, which is printed at the end.
struct Report {
  std::string stored_as;
  Sha256Sum sha256{};
  Duration sending{};  ///< Until the node had acknowledged the whole file.
  Duration total{};    ///< Until the node had stored the file.
};

using Error = std::unexpected<std::string>;

Task<std::expected<Report, std::string>> transfer(Dialled& dialled, const SendOptions& options,
                                                  const OpenFile& file) {
  auto stream = co_await dialled.server.open_stream();
  if (!stream) co_return Error(std::string(to_string(stream.error())));
  Report report;
  const Instant begin = io::now();
  const std::vector<u8> header = PutRequest{options.name, file.size}.encode();
  (void)co_await stream->write(header);
  Progress progress{options.name, file.size, options.quiet || options.json};
  // The node may stop it at any time, which is no error here: its answer says why.
  const auto body = co_await send_body(*stream, file, options.file, progress);
  if (!body) co_return Error(body.error());
  if (body->taken) {
    (void)stream->finish();
    (void)co_await stream->finished();
  }
  report.sending = io::now() - begin;
  const auto answer = co_await read_put_answer(*stream);
  report.total = io::now() - begin;
  if (!answer) co_return Error("the node ended the stream without an answer");
  if (!answer->stored) co_return Error("the node refused it: " + visible(answer->text));
  if (answer->sha256 != body->sha256) {
    co_return Error("the node stored something else: its SHA-256 is " + hex(answer->sha256));
  }
  report.sha256 = body->sha256;
  report.stored_as = visible(answer->text);
  co_return report;
}

void tell(const SendOptions& options, const LinkInfo& link, std::uint64_t size,
          const Report& report) {
  const double seconds = std::chrono::duration<double>(report.sending).count();
  const double rate = 8e-9 * static_cast<double>(size) / seconds;
  if (options.json) {
    Json json{"sent"};
    json.text("file", options.file).text("stored_as", report.stored_as).number("size", size);
    json.text("to", link.address.to_string()).text("peer", link.peer.to_string());
    json.text("cipher", to_string(link.cipher_suite)).text("group", link.key_exchange_group);
    json.milliseconds("handshake_ms", link.stats.handshake_time);
    json.raw("seconds", fmt::format("{:.6f}", seconds));
    json.milliseconds("total_ms", report.total);
    json.raw("gbit_per_second", fmt::format("{:.3f}", rate));
    json.milliseconds("rtt_ms", link.stats.smoothed_rtt);
    json.milliseconds("min_rtt_ms", link.stats.min_rtt);
    json.number("packets_lost", link.stats.packets_lost).text("sha256", hex(report.sha256));
    print_line(json.end());
    return;
  }
  if (options.quiet) return;
  say("sent {} ({}, {} bytes) to {}, stored as {}", options.file, human_size(size), size,
      link.address.to_string(), report.stored_as);
  say("  peer       {}", link.peer.to_string());
  say("  cipher     {}, {}", to_string(link.cipher_suite), link.key_exchange_group);
  say("  handshake  {} ms", in_milliseconds(link.stats.handshake_time));
  say("  rate       {:.3f} Gbit/s ({:.3f} s)", rate, seconds);
  say("  rtt        {} ms (least {} ms)", in_milliseconds(link.stats.smoothed_rtt),
      in_milliseconds(link.stats.min_rtt));
  say("  sha256     {} (the node stored the same)", hex(report.sha256));
}

Task<int> send(Dialled& dialled, const SendOptions& options, const OpenFile& file) {
  const auto report = co_await transfer(dialled, options, file);
  if (!report) {
    complain("qpeer send: {} to {}: {}", options.file, dialled.name(), report.error());
    co_return kFailure;
  }
  tell(options, dialled.link(), file.size, *report);
  co_return kSuccess;
}

}  // namespace

int send_command(std::span<char* const> words) {
  SendOptions options;
  Arguments arguments{"qpeer send", "FILE --to PEER [OPTION...]",
                      "Sends a file to a node, and checks that the node stored the same."};
  arguments.positional("FILE", options.file);
  arguments.custom("--to", "PEER", "the node, a ticket or ID@HOST[:PORT] (default: one of --cache)",
                   add_contact(options.dial.contacts));
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
  return with_link("qpeer send", options.dial,
                   [&](Dialled& dialled) { return send(dialled, options, *file); });
}

}  // namespace qpeer::cli
