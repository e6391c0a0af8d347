// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/cache_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace qpeer::cache {
namespace {

using Error = std::unexpected<std::string>;

/// By Evidence.
constexpr std::array<std::string_view, 3> kEvidence{"dialled", "dialled_back", "unproved"};
constexpr std::string_view kSpace = " \t\r";

std::string hex(Bytes bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const u8 byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

std::optional<std::vector<u8>> parse_hex(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<u8> out(text.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<u8>(high << 4 | low);
  }
  return out;
}

/// The front of a line of JSON. A string is one without escapes; a number has digits only.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) { skip_space(); }

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    skip_space();
    return true;
  }
  std::optional<std::string_view> string() {
    if (!rest_.starts_with('"')) return std::nullopt;
    const std::size_t end = rest_.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view out = rest_.substr(1, end - 1);
    const auto plain = [](char c) { return c >= ' ' && c < '\x7f' && c != '\\'; };
    if (!std::ranges::all_of(out, plain)) return std::nullopt;
    rest_.remove_prefix(end + 1);
    skip_space();
    return out;
  }
  template <class T>
  std::optional<T> number() {
    const std::size_t size = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (size == 0 || (size > 1 && rest_[0] == '0')) return std::nullopt;
    T out{};
    const std::string_view digits = rest_.substr(0, size);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), out).ec != std::errc{}) {
      return std::nullopt;
    }
    rest_.remove_prefix(size);
    skip_space();
    return out;
  }

 private:
  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size()));
  }

  std::string_view rest_;
};

// Each reads the value of one key. Nullopt, or what is wrong with it.
using Wrong = std::optional<std::string>;

Wrong read_id(LineReader& in, CacheEntry& entry) {
  const auto text = in.string();
  if (!text) return "is not a string";
  const auto id = PeerId::parse(*text);
  if (!id) return id.error();
  entry.id = *id;
  return std::nullopt;
}

Wrong read_address(LineReader& in, CacheEntry& entry) {
  const auto text = in.string();
  const auto address = text ? SocketAddress::parse(*text) : std::nullopt;
  if (!address) return "is not an address such as \"192.0.2.1:4433\" or \"[2001:db8::1]:4433\"";
  entry.address = *address;
  return std::nullopt;
}

Wrong read_certificate(LineReader& in, CacheEntry& entry) {
  const auto text = in.string();
  auto bytes = text ? parse_hex(*text) : std::nullopt;
  if (!bytes) return "is not a string of pairs of hexadecimal digits";
  entry.certificate = std::move(*bytes);
  return std::nullopt;
}

template <auto member>
Wrong read_number(LineReader& in, CacheEntry& entry) {
  const auto value = in.number<std::remove_reference_t<decltype(entry.*member)>>();
  if (!value) return "is not a number, or too large a one";
  entry.*member = *value;
  return std::nullopt;
}

Wrong read_evidence(LineReader& in, CacheEntry& entry) {
  const auto text = in.string();
  const auto at = text ? std::ranges::find(kEvidence, *text) : kEvidence.end();
  if (at != kEvidence.end()) {
    entry.evidence = static_cast<Evidence>(at - kEvidence.begin());
    return std::nullopt;
  }
  return "is none of \"dialled\", \"dialled_back\" and \"unproved\"";
}

struct Key {
  std::string_view name;
  bool required;
  Wrong (*read)(LineReader&, CacheEntry&);
};
constexpr std::array kKeys{
    Key{"id", true, read_id},
    Key{"address", true, read_address},
    Key{"first_reached", false, read_number<&CacheEntry::first_reached>},
    Key{"last_reached", false, read_number<&CacheEntry::last_reached>},
    Key{"evidence", false, read_evidence},
    Key{"failures", false, read_number<&CacheEntry::failures>},
    Key{"certificate", false, read_certificate},
};

std::expected<CacheEntry, std::string> read_line(std::string_view line) {
  CacheEntry entry;
  std::array<bool, kKeys.size()> seen{};
  LineReader in{line};
  if (!in.take('{')) return Error("does not begin with '{'");
  do {
    const auto name = in.string();
    if (!name) return Error("a key in quotes is missing, or is no plain text");
    const auto* const key = std::ranges::find(kKeys, *name, &Key::name);
    if (key == kKeys.end()) return Error(fmt::format("unknown key \"{}\"", name->substr(0, 40)));
    bool& before = seen[static_cast<std::size_t>(key - kKeys.begin())];
    if (std::exchange(before, true)) return Error(fmt::format("\"{}\" is there twice", *name));
    if (!in.take(':')) return Error(fmt::format("\"{}\" is not followed by ':'", *name));
    if (const Wrong wrong = key->read(in, entry)) {
      return Error(fmt::format("\"{}\": {}", *name, *wrong));
    }
  } while (in.take(','));
  if (!in.take('}') || !in.empty()) return Error("does not end with one '}'");
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    if (kKeys[i].required && !seen[i])
      return Error(fmt::format("there is no \"{}\"", kKeys[i].name));
  }
  if (entry.first_reached > entry.last_reached) {
    return Error("\"first_reached\" is after \"last_reached\"");
  }
  return entry;
}

}  // namespace

std::string export_text(std::span<const CacheEntry> entries) {
  std::string out;
  for (const CacheEntry& entry : entries) {
    fmt::format_to(std::back_inserter(out),
                   R"({{"id":"{}","address":"{}","first_reached":{},"last_reached":{},)"
                   R"("evidence":"{}","failures":{})",
                   entry.id.to_string(), entry.address.to_string(), entry.first_reached,
                   entry.last_reached, kEvidence[std::to_underlying(entry.evidence)],
                   entry.failures);
    if (!entry.certificate.empty()) out += ",\"certificate\":\"" + hex(entry.certificate) + '"';
    out += "}\n";
  }
  return out;
}

std::expected<std::vector<CacheEntry>, std::string> import_text(std::string_view text) {
  std::vector<CacheEntry> out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto wrong = [number](std::string_view what) {
      return Error(fmt::format("line {}: {}", number, what));
    };
    if (number > kMostTextLines) return wrong("there are too many lines");
    if (line.size() > kLongestTextLine) return wrong("is too long");
    if (line.find_first_not_of(kSpace) == std::string_view::npos) continue;
    auto entry = read_line(line);
    if (!entry) return wrong(entry.error());
    out.push_back(std::move(*entry));
  }
  return out;
}

}  // namespace qpeer::cache
