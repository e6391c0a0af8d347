// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer get: fetches a file from a node and checks that all of it came.
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
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {
namespace {

struct GetOptions {
  DialOptions dial;
  std::string name;
  std::string out;
  bool json = false;
  bool quiet = false;
};

struct Report {
  std::uint64_t size = 0;
  Sha256Sum sha256{};
  Duration took{};
};

using Error = std::unexpected<std::string>;

// Reads the body and its checksum, and writes the body into a file that has no name yet.
Task<std::expected<Sha256Sum, std::string>> fetch_body(PeerStream& stream,
                                                       const GetOptions& options, AtomicFile& file,
                                                       std::uint64_t size) {
  Progress progress{options.name, size, options.quiet || options.json};
  const auto body = co_await receive_body(stream, file, size, progress);
  if (!body) {
    if (body.error().error == BodyError::cannot_write) co_return Error(body.error().why);
    co_return Error("the node ended the stream early");
  }
  Sha256Sum theirs{};
  const bool whole = co_await read_exactly(stream, theirs);
  if (!whole) co_return Error("the node ended the stream early");
  if (theirs != body->sha256)
    co_return Error("the file is damaged: its SHA-256 is not the one that the node sent");
  co_return body->sha256;
}

Task<std::expected<Report, std::string>> fetch(Dialled& dialled, const GetOptions& options) {
  auto stream = co_await dialled.server.open_stream();
  if (!stream) co_return Error(std::string(to_string(stream.error())));
  const Instant begin = io::now();
  const std::vector<u8> request = GetRequest{options.name}.encode();
  (void)co_await stream->write(request);
  (void)stream->finish();
  const auto answer = co_await read_get_answer(*stream);
  if (!answer) co_return Error("the node ended the stream without an answer");
  if (!answer->found) co_return Error("the node refused it: " + visible(answer->text));
  auto file = AtomicFile::create(folder_of(options.out));
  if (!file) co_return Error("cannot write " + options.out + ": " + file.error());
  if (const auto free = file->can_replace(name_in_folder(options.out)); !free) {
    co_return Error("cannot write " + options.out + ": " + free.error());
  }
  const auto sum = co_await fetch_body(*stream, options, *file, answer->size);
  if (!sum) co_return Error(sum.error());
  const auto named = file->commit(name_in_folder(options.out), AtomicFile::Collision::replace);
  if (!named) co_return Error("cannot write " + options.out + ": " + named.error());
  co_return Report{.size = answer->size, .sha256 = *sum, .took = io::now() - begin};
}

void tell(const GetOptions& options, const LinkInfo& link, const Report& report) {
  const double seconds = std::chrono::duration<double>(report.took).count();
  const double rate = 8e-9 * static_cast<double>(report.size) / seconds;
  if (options.json) {
    Json json{"fetched"};
    json.text("name", options.name).text("file", options.out).number("size", report.size);
    json.text("from", link.address.to_string()).text("peer", link.peer.to_string());
    json.milliseconds("handshake_ms", link.stats.handshake_time);
    json.raw("seconds", fmt::format("{:.6f}", seconds));
    json.raw("gbit_per_second", fmt::format("{:.3f}", rate));
    json.milliseconds("rtt_ms", link.stats.smoothed_rtt).text("sha256", hex(report.sha256));
    print_line(json.end());
    return;
  }
  if (options.quiet) return;
  say("fetched {} ({}, {} bytes) from {} into {}", options.name, human_size(report.size),
      report.size, link.address.to_string(), options.out);
  say("  peer       {}", link.peer.to_string());
  say("  rate       {:.3f} Gbit/s ({:.3f} s)", rate, seconds);
  say("  sha256     {} (the node read the same)", hex(report.sha256));
}

Task<int> get(Dialled& dialled, const GetOptions& options) {
  const auto report = co_await fetch(dialled, options);
  if (!report) {
    complain("qpeer get: {} from {}: {}", options.name, dialled.name(), report.error());
    co_return kFailure;
  }
  tell(options, dialled.link(), *report);
  co_return kSuccess;
}

}  // namespace

int get_command(std::span<char* const> words) {
  GetOptions options;
  Arguments arguments{"qpeer get", "NAME --from PEER [-o FILE] [OPTION...]",
                      "Fetches a file from a node's store, and checks that what came is whole. The "
                      "file appears\nwhole or not at all, in place of an older one."};
  arguments.positional("NAME", options.name);
  arguments.custom("--from", "PEER",
                   "the node, a ticket or ID@HOST[:PORT] (default: one of --cache)",
                   add_contact(options.dial.contacts));
  arguments.text("--output", "FILE", options.out, "where to put it (default: NAME)");
  arguments.alias("-o", "--output");
  options.dial.declare(arguments);
  arguments.toggle("--json", options.json, "print the result as one line of JSON");
  arguments.toggle("--quiet", options.quiet, "print nothing but failures");
  if (const auto status = options.dial.parse(arguments, words)) return *status;
  if (const auto bad = why_bad_name(options.name); !bad.empty()) {
    return arguments.misuse("no node has a file '" + options.name + "': " + std::string(bad));
  }
  if (options.out.empty()) options.out = options.name;
  return with_link("qpeer get", options.dial,
                   [&](Dialled& dialled) { return get(dialled, options); });
}

}  // namespace qpeer::cli
