// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>

namespace qpeer::cli {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = std::to_address(text.end());
  const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text.ends_with('B')) text.remove_suffix(1);
  const bool binary = text.ends_with('i');
  if (binary) text.remove_suffix(1);
  constexpr std::string_view kPrefixes = "kMGT";
  const std::size_t prefix = text.empty()                   ? std::string_view::npos
                             : binary && text.back() == 'K' ? 0
                                                            : kPrefixes.find(text.back());
  if (prefix == std::string_view::npos) return binary ? std::nullopt : parse_number(text);
  text.remove_suffix(1);
  double factor = 1;
  for (std::size_t i = 0; i <= prefix; ++i) factor *= binary ? 1024 : 1000;
  double value = 0;
  const char* const end = std::to_address(text.end());
  const auto [stop, error] =
      std::from_chars(std::to_address(text.begin()), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !(value >= 0) || value * factor > 9e18) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(std::llround(value * factor));
}

std::optional<Duration> parse_seconds(std::string_view text) {
  double value = 0;
  const char* const end = std::to_address(text.end());
  const auto [stop, error] =
      std::from_chars(std::to_address(text.begin()), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !(value >= 0) || value > 1e8) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

std::expected<void, std::string> Arguments::set_number(
    std::string_view text, std::uint64_t least, std::uint64_t most,
    const std::function<void(std::uint64_t)>& set) {
  const auto value = parse_number(text);
  if (!value || *value < least || *value > most) {
    return std::unexpected("is not a number from " + std::to_string(least) + " to " +
                           std::to_string(most));
  }
  set(*value);
  return {};
}

// --- declaration ---------------------------------------------------------------------------------

void Arguments::custom(std::string_view name, std::string_view metavar, std::string_view help,
                       Setter setter) {
  flags_.push_back({.name = std::string(name),
                    .shorter = {},
                    .metavar = std::string(metavar),
                    .help = std::string(help),
                    .setter = std::move(setter)});
}

void Arguments::toggle(std::string_view name, bool& value, std::string_view help) {
  custom(name, {}, help, [&value](std::string_view) -> std::expected<void, std::string> {
    value = true;
    return {};
  });
}

void Arguments::text(std::string_view name, std::string_view metavar, std::string& value,
                     std::string_view help) {
  custom(name, metavar, help, [&value](std::string_view text) -> std::expected<void, std::string> {
    if (text.empty()) return std::unexpected("must not be empty");
    value = text;
    return {};
  });
}

void Arguments::required(std::string_view name, std::string_view metavar, std::string& value,
                         std::string_view help) {
  text(name, metavar, value, help);
  flags_.back().required = true;
}

void Arguments::size(std::string_view name, std::string_view metavar, std::uint64_t& value,
                     std::string_view help) {
  custom(name, metavar, help, [&value](std::string_view text) -> std::expected<void, std::string> {
    const auto size = parse_size(text);
    if (!size) return std::unexpected("is not a size such as 1500, 64k or 2GiB");
    value = *size;
    return {};
  });
}

void Arguments::seconds(std::string_view name, std::string_view metavar, Duration& value,
                        std::string_view help) {
  custom(name, metavar, help, [&value](std::string_view text) -> std::expected<void, std::string> {
    const auto time = parse_seconds(text);
    if (!time) return std::unexpected("is not a number of seconds");
    value = *time;
    return {};
  });
}

void Arguments::alias(std::string_view shorter, std::string_view name) {
  if (Flag* flag = find(name)) flag->shorter = shorter;
}

void Arguments::positional(std::string_view name, std::string& value) {
  positionals_.emplace_back(name, &value);
}

void Arguments::positionals(std::string_view name, std::vector<std::string>& values) {
  rest_ = {std::string(name), &values};
}

// --- parsing -------------------------------------------------------------------------------------

Arguments::Flag* Arguments::find(std::string_view name) {
  const auto at = std::ranges::find_if(
      flags_, [&](const Flag& flag) { return flag.name == name || flag.shorter == name; });
  return at == flags_.end() ? nullptr : &*at;
}

// Each gives what is wrong, if anything is.
std::optional<std::string> Arguments::take_flag(std::span<char* const> words, std::size_t& at) {
  const std::string_view word = words[at];
  const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
  const std::string name(word.substr(0, equals));
  Flag* const flag = find(name);
  if (flag == nullptr) return "unknown flag '" + name + "'";
  std::string_view value;
  if (flag->metavar.empty()) {
    if (equals != std::string_view::npos) return name + " takes no value";
  } else if (equals != std::string_view::npos) {
    value = word.substr(equals + 1);
  } else if (++at < words.size()) {
    value = words[at];
  } else {
    return name + " needs a value, " + flag->metavar;
  }
  flag->given = true;
  if (const auto set = flag->setter(value); !set) {
    return name + ": '" + std::string(value) + "' " + set.error();
  }
  return std::nullopt;
}

std::optional<std::string> Arguments::take_positional(std::string_view word) {
  if (positionals_taken_ < positionals_.size()) {
    if (word.empty()) return positionals_[positionals_taken_].first + " must not be empty";
    *positionals_[positionals_taken_++].second = word;
  } else if (rest_.second != nullptr) {
    rest_.second->emplace_back(word);
  } else {
    return "unexpected argument '" + std::string(word) + "'";
  }
  return std::nullopt;
}

std::optional<std::string> Arguments::missing() const {
  if (positionals_taken_ < positionals_.size()) {
    return positionals_[positionals_taken_].first + " is missing";
  }
  if (rest_.second != nullptr && rest_.second->empty()) return rest_.first + " is missing";
  for (const Flag& flag : flags_) {
    if (flag.required && !flag.given) return flag.name + " " + flag.metavar + " is missing";
  }
  return std::nullopt;
}

std::optional<int> Arguments::parse(std::span<char* const> words) {
  bool flags_end = false;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string_view word = words[at];
    if (!flags_end && (word == "--help" || word == "-h")) {
      std::fputs(help().c_str(), stdout);
      return kSuccess;
    }
    if (!flags_end && word == "--") {
      flags_end = true;
      continue;
    }
    const bool is_flag = !flags_end && word.size() > 1 && word.starts_with('-');
    if (const auto wrong = is_flag ? take_flag(words, at) : take_positional(word)) {
      return misuse(*wrong);
    }
  }
  if (const auto wrong = missing()) return misuse(*wrong);
  return std::nullopt;
}

int Arguments::misuse(std::string_view what) const {
  std::string line;
  for (const char c : what) line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
  std::fprintf(stderr, "%s: %s (see --help)\n", program_.c_str(), line.c_str());
  return kMisuse;
}

std::string Arguments::help() const {
  std::string out = "usage: " + program_ + " " + usage_ + "\n" + purpose_ + "\n";
  if (!flags_.empty()) out += "\n";
  for (const Flag& flag : flags_) {
    std::string left = "  " + (flag.shorter.empty() ? "" : flag.shorter + ", ") + flag.name;
    if (!flag.metavar.empty()) left += " " + flag.metavar;
    constexpr std::size_t kColumn = 30;
    if (left.size() + 2 > kColumn) {
      out += left + "\n" + std::string(kColumn, ' ');
    } else {
      out += left + std::string(kColumn - left.size(), ' ');
    }
    out += flag.help + "\n";
  }
  if (!notes_.empty()) out += "\n" + notes_;
  return out;
}

}  // namespace qpeer::cli
