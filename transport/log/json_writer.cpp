// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/json_writer.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>

namespace qpeer::transport::log {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// How many bytes the UTF-8 sequence at the front of `text` has; 0 when it is none. RFC 3629 §4.
std::size_t sequence_length(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<u8>(text[i]); };
  const u8 first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const u8 second = at(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool too_large = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

void JsonWriter::separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

void JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  needs_comma_ = false;
}

void JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
}

void JsonWriter::literal(std::string_view value) {
  separate();
  out_ += value;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  text(name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

void JsonWriter::number(std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  literal(std::string_view(digits.data(), end));
}

void JsonWriter::milliseconds(std::string_view name, Duration value) {
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
  key(name);
  separate();
  if (whole < 0) out_ += '-';
  const auto microseconds = static_cast<std::uint64_t>(whole < 0 ? -whole : whole);
  std::array<char, 20> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), microseconds / 1000).ptr;
  out_.append(digits.data(), end);
  unsigned rest = static_cast<unsigned>(microseconds % 1000);
  if (rest != 0) out_ += '.';
  for (unsigned unit = 100; rest != 0; unit /= 10) {
    out_ += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
}

void JsonWriter::hex(Bytes value) {
  separate();
  out_ += '"';
  for (const u8 byte : value) {
    out_ += kHexDigits[byte >> 4];
    out_ += kHexDigits[byte & 0x0f];
  }
  out_ += '"';
}

void JsonWriter::text(std::string_view value) {
  separate();
  out_ += '"';
  while (!value.empty()) {
    const std::size_t length = sequence_length(value);
    const u8 first = static_cast<u8>(value.front());
    if (length == 0) {
      out_ += "\\ufffd";
      value.remove_prefix(1);
      continue;
    }
    if (first < 0x20 || first == 0x7f) {
      out_ += "\\u00";
      out_ += kHexDigits[first >> 4];
      out_ += kHexDigits[first & 0x0f];
    } else {
      if (first == '"' || first == '\\') out_ += '\\';
      out_ += value.substr(0, length);
    }
    value.remove_prefix(length);
  }
  out_ += '"';
}

}  // namespace qpeer::transport::log
