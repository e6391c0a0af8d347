// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer cache: shows, prunes, exports and imports a file of known nodes.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/cache/cache_file.hpp"
#include "qpeer/cache/cache_text.hpp"
#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {
namespace {

using cache::BootstrapCache;
using cache::CacheEntry;
using cache::CacheFile;
using Error = std::unexpected<std::string>;

constexpr std::int64_t kDay = 86'400;

struct CacheOptions {
  std::string path;
  std::string file;
  std::optional<std::uint32_t> failures;
  std::optional<std::uint32_t> days;
  std::vector<PeerId> ids;
  bool json = false;
};

struct Opened {
  CacheFile file;
  BootstrapCache cache;
};

std::int64_t unix_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::expected<Opened, std::string> open_cache(const CacheOptions& options, bool must_be) {
  if (must_be && ::access(options.path.c_str(), F_OK) != 0) {
    return Error(options.path + ": there is no such file");
  }
  auto file = CacheFile::open(options.path);
  if (!file) return Error(file.error());
  Opened out{.file = std::move(*file), .cache = BootstrapCache{}};
  const auto loaded = out.file.load();
  for (const std::string& warning : loaded.warnings) complain("qpeer cache: {}", warning);
  out.cache.merge(loaded.entries);
  return out;
}

std::expected<void, std::string> save(Opened& opened) {
  const auto saved = opened.file.save(opened.cache);
  if (!saved) return Error(saved.error());
  for (const std::string& warning : saved->warnings) complain("qpeer cache: {}", warning);
  return {};
}

// A node may have been reached while the clock was not set.
std::string when(std::int64_t time) {
  if (time == 0) return "at an unknown time";
  const std::chrono::sys_seconds at{std::chrono::seconds(time)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{at - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string_view word(cache::Evidence evidence) {
  switch (evidence) {
    case cache::Evidence::dialled:
      return "dialled";
    case cache::Evidence::dialled_back:
      return "dialled back";
    case cache::Evidence::unproved:
      break;
  }
  return "unproved";
}

// --- the commands --------------------------------------------------------------------------------

std::expected<void, std::string> show(const CacheOptions& options) {
  const auto opened = open_cache(options, true);
  if (!opened) return Error(opened.error());
  for (const CacheEntry* entry : opened->cache.candidates()) {
    const std::string address = entry->address.to_string();
    if (options.json) {
      Json json{"cached"};
      json.text("id", entry->id.to_string()).text("address", address);
      json.number("first_reached", entry->first_reached)
          .number("last_reached", entry->last_reached);
      json.text("evidence", word(entry->evidence)).number("failures", entry->failures);
      json.raw("ticket", entry->ticket.empty() ? "false" : "true");
      print_line(json.end());
    } else {
      say("{}@{}  last reached {}, {}, failures {}", entry->id.to_string(), address,
          when(entry->last_reached), word(entry->evidence), entry->failures);
    }
  }
  if (!options.json) say("{} nodes, best first", opened->cache.size());
  return {};
}

bool is_pruned(const CacheEntry& entry, const CacheOptions& options) {
  if (options.failures && entry.failures >= *options.failures) return true;
  if (options.days && entry.last_reached != 0 &&
      entry.last_reached < unix_now() - kDay * *options.days) {
    return true;
  }
  return std::ranges::find(options.ids, entry.id) != options.ids.end();
}

std::expected<void, std::string> prune(const CacheOptions& options) {
  auto opened = open_cache(options, true);
  if (!opened) return Error(opened.error());
  const std::vector<CacheEntry> entries = opened->cache.entries();
  for (const CacheEntry& entry : entries) {
    if (is_pruned(entry, options)) opened->cache.forget(entry.id);
  }
  if (const auto saved = save(*opened); !saved) return saved;
  const std::size_t left = opened->cache.size();
  if (options.json) {
    print_line(Json{"pruned"}.number("removed", entries.size() - left).number("left", left).end());
  } else {
    say("removed {}, {} are left", entries.size() - left, left);
  }
  return {};
}

std::expected<void, std::string> export_it(const CacheOptions& options) {
  const auto opened = open_cache(options, true);
  if (!opened) return Error(opened.error());
  const std::string text = cache::export_text(opened->cache.entries());
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) return Error("cannot write to standard output");
  return {};
}

std::expected<void, std::string> import_it(const CacheOptions& options) {
  const auto text = read_file(options.file, CacheFile::kMaxSize);
  if (!text) return Error(text.error());
  const auto entries = cache::import_text(*text);
  if (!entries) return Error(options.file + ": " + entries.error());
  auto opened = open_cache(options, false);
  if (!opened) return Error(opened.error());
  const std::vector<CacheEntry> before = opened->cache.entries();
  opened->cache.merge(*entries);
  if (const auto saved = save(*opened); !saved) return saved;
  const std::vector<CacheEntry>& after = opened->cache.entries();
  // Entries that are older than the cache's, or for which it has no room, are not taken.
  const auto taken = std::ranges::count_if(after, [&before](const CacheEntry& entry) {
    const auto known = std::ranges::find(before, entry.id, &CacheEntry::id);
    return known == before.end() || known->address != entry.address ||
           known->last_reached != entry.last_reached || known->failures != entry.failures;
  });
  if (options.json) {
    print_line(Json{"imported"}
                   .number("read", entries->size())
                   .number("taken", taken)
                   .number("nodes", after.size())
                   .end());
  } else {
    say("read {} nodes, {} of them new or newer; the cache has {}", entries->size(), taken,
        after.size());
  }
  return {};
}

struct Command {
  std::string_view name;
  std::string_view usage;
  std::string_view purpose;
  std::expected<void, std::string> (*run)(const CacheOptions&);
};

constexpr std::array kCommands{
    Command{"show", "--cache FILE [--json]",
            "Lists the nodes in the order in which they are tried.", show},
    Command{"prune", "--cache FILE [OPTION...]",
            "Takes out the nodes that any of the options names.", prune},
    Command{"export", "--cache FILE",
            "Prints the nodes as text, a JSON object a line; secrets stay out.", export_it},
    Command{"import", "FILE --cache FILE", "Takes in nodes that 'qpeer cache export' printed.",
            import_it},
};

int run_command(const Command& command, std::span<char* const> words) {
  CacheOptions options;
  Arguments arguments{"qpeer cache " + std::string(command.name), command.usage, command.purpose};
  arguments.required("--cache", "FILE", options.path, "the file");
  if (command.name == "import") arguments.positional("FILE", options.file);
  if (command.name == "prune") {
    arguments.custom("--failures", "N", "nodes that failed so often since they were last reached",
                     [&](std::string_view text) -> std::expected<void, std::string> {
                       const auto number = parse_number(text);
                       if (!number || *number < 1 || *number > 1'000'000) {
                         return Error("is not a number from 1 to 1000000");
                       }
                       options.failures = static_cast<std::uint32_t>(*number);
                       return {};
                     });
    arguments.custom("--older-than", "DAYS", "nodes not reached for so long",
                     [&](std::string_view text) -> std::expected<void, std::string> {
                       const auto number = parse_number(text);
                       if (!number || *number > 100'000) {
                         return Error("is not a number from 0 to 100000");
                       }
                       options.days = static_cast<std::uint32_t>(*number);
                       return {};
                     });
    arguments.custom("--id", "ID", "this node; may be repeated",
                     [&](std::string_view text) -> std::expected<void, std::string> {
                       const auto id = PeerId::parse(text);
                       if (!id) return Error("is no peer id: " + id.error());
                       options.ids.push_back(*id);
                       return {};
                     });
  }
  arguments.toggle("--json", options.json, "print JSON, one object a line");
  if (const auto status = arguments.parse(words)) return *status;
  if (command.name == "prune" && !options.failures && !options.days && options.ids.empty()) {
    return arguments.misuse("nothing selected: give --failures, --older-than or --id");
  }
  if (const auto done = command.run(options); !done) {
    complain("qpeer cache: {}", done.error());
    return kFailure;
  }
  return kSuccess;
}

}  // namespace

int cache_command(std::span<char* const> words) {
  Arguments arguments{"qpeer cache", "show|prune|export|import --cache FILE [OPTION...]",
                      "A file of nodes to rejoin through.\n\n"
                      "  show    list them, best first\n"
                      "  prune   take some out\n"
                      "  export  print them as text\n"
                      "  import  take in such text\n\n"
                      "'qpeer cache show --help' and its like tell more."};
  constexpr std::string_view kMissing = "a command is missing, show, prune, export or import";
  const std::string_view name = words.empty() ? std::string_view{} : words.front();
  for (const Command& command : kCommands) {
    if (command.name == name) return run_command(command, words.subspan(1));
  }
  if (!name.empty() && !name.starts_with('-')) {
    return arguments.misuse("unknown command '" + std::string(name) + "'");
  }
  if (const auto status = arguments.parse(words)) return *status;
  return arguments.misuse(kMissing);
}

}  // namespace qpeer::cli
