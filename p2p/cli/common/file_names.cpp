// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>
#include <optional>
#include <string>

#include "qpeer/p2p/cli/common/files.hpp"

namespace qpeer::cli {
namespace {

constexpr std::size_t kLongestName = 200;  // Leaves room for a suffix in the usual 255.

// The next character of UTF-8 in its shortest form (RFC 3629 §3), taken from the front.
std::optional<char32_t> take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80       ? 1
                           : first >> 5 == 6  ? 2
                           : first >> 4 == 14 ? 3
                           : first >> 3 == 30 ? 4
                                              : 0;
  if (size == 0 || text.size() < size) return std::nullopt;
  constexpr std::array<unsigned char, 5> kMask{0, 0x7f, 0x1f, 0x0f, 0x07};
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  char32_t value = first & kMask[size];
  for (std::size_t i = 1; i < size; ++i) {
    if (byte(i) >> 6 != 2) return std::nullopt;
    value = value << 6 | (byte(i) & 0x3fU);
  }
  text.remove_prefix(size);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kLeast[size] || value > 0x10ffff || surrogate) return std::nullopt;
  return value;
}

// Characters that are not seen but change what is: controls, directions, joiners, line and
// paragraph separators, tags, variation selectors' kin, private use, noncharacters.
bool is_invisible(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  constexpr std::array kRanges{
      Range{0x00, 0x1f},       Range{0x7f, 0x9f},     Range{0xad, 0xad},     Range{0x061c, 0x061c},
      Range{0x180e, 0x180e},   Range{0x200b, 0x200f}, Range{0x2028, 0x202e}, Range{0x2060, 0x206f},
      Range{0xe000, 0xf8ff},   Range{0xfdd0, 0xfdef}, Range{0xfeff, 0xfeff}, Range{0xfff0, 0xffff},
      Range{0xe0000, 0x10ffff}};
  for (const Range& range : kRanges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

}  // namespace

std::string_view why_bad_name(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kLongestName) return "it is longer than 200 bytes";
  if (name.front() == '.') return "it begins with a dot";
  if (name.front() == '-') return "it begins with a dash";
  if (name.front() == ' ' || name.back() == ' ') return "it begins or ends with a space";
  while (!name.empty()) {
    const auto character = take_character(name);
    if (!character) return "it is not UTF-8";
    if (*character == U'/' || *character == U'\\') return "it holds a slash";
    if (is_invisible(*character)) return "it holds an invisible character";
  }
  return {};
}

std::string visible(std::string_view text, Newlines newlines) {
  std::string out;
  while (!text.empty()) {
    std::string_view rest = text;
    const auto character = take_character(rest);
    if (!character) rest = text.substr(1);
    const bool kept = newlines == Newlines::kept && character == U'\n';
    const bool shown = kept || (character && !is_invisible(*character));
    out += shown ? text.substr(0, text.size() - rest.size()) : "?";
    text = rest;
  }
  return out;
}

}  // namespace qpeer::cli
