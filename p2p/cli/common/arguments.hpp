// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Command lines: each flag is bound to the variable it sets.
//
//   Arguments arguments{"qpeer send", "FILE --to ADDR", "Sends a file to a node."};
//   arguments.positional("FILE", file);
//   arguments.required("--to", "ADDR", to, "the node");
//   arguments.number("--mtu", "N", mtu, 1200, 65527, "largest UDP payload sent");
//   if (const auto status = arguments.parse(words)) return *status;   // Help, or a mistake.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::cli {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;  ///< The command failed.
inline constexpr int kMisuse = 2;   ///< The command line was wrong.

/// "1500", "64k", "1.5M", "2GiB": k, M, G, T are decimal, Ki, Mi, Gi, Ti binary, a final B optional.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// Decimal digits alone.
std::optional<std::uint64_t> parse_number(std::string_view text);
/// Seconds with at most nine decimals, such as "10" or "0.25".
std::optional<Duration> parse_seconds(std::string_view text);

class Arguments {
 public:
  /// Takes the value of a flag, or says what is wrong with it.
  using Setter = std::function<std::expected<void, std::string>(std::string_view)>;

  Arguments(std::string_view program, std::string_view usage, std::string_view purpose)
      : program_(program), usage_(usage), purpose_(purpose) {}

  void toggle(std::string_view name, bool& value, std::string_view help);
  void text(std::string_view name, std::string_view metavar, std::string& value,
            std::string_view help);
  /// A text that must be given.
  void required(std::string_view name, std::string_view metavar, std::string& value,
                std::string_view help);
  template <class T>
  void number(std::string_view name, std::string_view metavar, T& value, std::uint64_t least,
              std::uint64_t most, std::string_view help) {
    custom(name, metavar, help, [&value, least, most](std::string_view text) {
      return set_number(text, least, most, [&](std::uint64_t n) { value = static_cast<T>(n); });
    });
  }
  void size(std::string_view name, std::string_view metavar, std::uint64_t& value,
            std::string_view help);
  void seconds(std::string_view name, std::string_view metavar, Duration& value,
               std::string_view help);
  /// One of some words, each with what it stands for.
  template <class T>
  void choice(std::string_view name, std::initializer_list<std::pair<std::string_view, T>> words,
              T& value, std::string_view help) {
    std::string metavar;
    for (const auto& [word, meaning] : words)
      metavar += (metavar.empty() ? "" : "|") + std::string(word);
    custom(name, metavar, help,
           [&value, metavar, all = std::vector<std::pair<std::string_view, T>>(words)](
               std::string_view text) -> std::expected<void, std::string> {
             for (const auto& [word, meaning] : all) {
               if (word != text) continue;
               value = meaning;
               return {};
             }
             return std::unexpected("is not one of " + metavar);
           });
  }
  void custom(std::string_view name, std::string_view metavar, std::string_view help,
              Setter setter);
  /// Another spelling, such as -o for --output.
  void alias(std::string_view shorter, std::string_view name);
  void positional(std::string_view name, std::string& value);
  /// One or more.
  void positionals(std::string_view name, std::vector<std::string>& values);
  /// Lines at the end of the help.
  void note(std::string_view text) { notes_ += std::string(text) + "\n"; }

  /// Sets the variables. Otherwise says why on standard error (or the help on standard output) and
  /// gives the exit status.
  [[nodiscard]] std::optional<int> parse(std::span<char* const> words);
  /// "program: what (see --help)" on standard error; gives kMisuse.
  [[nodiscard]] int misuse(std::string_view what) const;
  [[nodiscard]] std::string help() const;

 private:
  struct Flag {
    std::string name;
    std::string shorter;
    std::string metavar;  // Empty for one without a value.
    std::string help;
    Setter setter;
    bool required = false;
    bool given = false;
  };
  static std::expected<void, std::string> set_number(std::string_view text, std::uint64_t least,
                                                     std::uint64_t most,
                                                     const std::function<void(std::uint64_t)>& set);
  Flag* find(std::string_view name);
  std::optional<std::string> take_flag(std::span<char* const> words, std::size_t& at);
  std::optional<std::string> take_positional(std::string_view word);
  [[nodiscard]] std::optional<std::string> missing() const;

  std::string program_;
  std::string usage_;
  std::string purpose_;
  std::string notes_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::string, std::string*>> positionals_;
  std::pair<std::string, std::vector<std::string>*> rest_;
  std::size_t positionals_taken_ = 0;
};

}  // namespace qpeer::cli
