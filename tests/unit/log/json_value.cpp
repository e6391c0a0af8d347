// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/unit/log/json_value.hpp"

#include <cctype>
#include <cstddef>
#include <utility>

namespace qpeer::test {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<JsonValue> whole() {
    JsonValue out = value();
    space();
    if (!ok_ || !rest_.empty()) return std::nullopt;
    return out;
  }

 private:
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  char take() {
    const char c = peek();
    if (rest_.empty()) {
      ok_ = false;
    } else {
      rest_.remove_prefix(1);
    }
    return c;
  }
  bool skip(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void expect(std::string_view word) { ok_ = skip(word) && ok_; }
  void space() {
    while (!rest_.empty() && std::string_view(" \t\r\n").contains(peek())) take();
  }

  JsonValue value() {
    space();
    JsonValue out;
    if (!ok_) return out;
    if (peek() == '{') {
      out.kind = JsonValue::Kind::object;
      members(out);
    } else if (peek() == '[') {
      out.kind = JsonValue::Kind::array;
      elements(out);
    } else if (peek() == '"') {
      out.kind = JsonValue::Kind::text;
      out.text = string();
    } else if (skip("true")) {
      out = {.kind = JsonValue::Kind::boolean, .text = "true", .elements = {}, .members = {}};
    } else if (skip("false")) {
      out = {.kind = JsonValue::Kind::boolean, .text = "false", .elements = {}, .members = {}};
    } else if (!skip("null")) {
      out.kind = JsonValue::Kind::number;
      out.text = number();
    }
    return out;
  }

  void members(JsonValue& out) {
    take();
    space();
    if (skip("}")) return;
    do {
      space();
      std::string name = string();
      space();
      expect(":");
      if (out.find(name) != nullptr) ok_ = false;
      out.members.push_back({.name = std::move(name), .value = value()});
      space();
    } while (ok_ && skip(","));
    expect("}");
  }

  void elements(JsonValue& out) {
    take();
    space();
    if (skip("]")) return;
    do {
      out.elements.push_back(value());
      space();
    } while (ok_ && skip(","));
    expect("]");
  }

  std::string number() {
    std::string out;
    const auto digits = [&] {
      if (std::isdigit(static_cast<unsigned char>(peek())) == 0) ok_ = false;
      while (std::isdigit(static_cast<unsigned char>(peek())) != 0) out += take();
    };
    if (peek() == '-') out += take();
    const bool zero = peek() == '0';
    const std::size_t begin = out.size();
    digits();
    if (zero && out.size() - begin > 1) ok_ = false;
    if (peek() == '.') {
      out += take();
      digits();
    }
    return out;
  }

  std::string string() {
    std::string out;
    expect("\"");
    while (ok_ && peek() != '"') {
      const auto c = static_cast<unsigned char>(take());
      if (c < 0x20) ok_ = false;
      if (c == '\\') {
        escape(out);
      } else if (c < 0x80) {
        out += static_cast<char>(c);
      } else {
        sequence(c, out);
      }
    }
    expect("\"");
    return out;
  }

  void escape(std::string& out) {
    const char c = take();
    if (c == '"' || c == '\\' || c == '/') {
      out += c;
    } else if (c == 'u') {
      out += "\\u";
      for (int i = 0; i < 4; ++i) {
        if (std::isxdigit(static_cast<unsigned char>(peek())) == 0) ok_ = false;
        out += take();
      }
    } else {
      ok_ = false;  // The others are valid, but we do not write them.
    }
  }

  /// A character of two to four bytes.
  void sequence(unsigned char first, std::string& out) {
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4) ok_ = false;
    out += static_cast<char>(first);
    for (int i = 0; i < more && ok_; ++i) {
      const auto next = static_cast<unsigned char>(take());
      const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
      const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
      if (next < (i == 0 ? least : 0x80) || next > (i == 0 ? most : 0xbf)) ok_ = false;
      out += static_cast<char>(next);
    }
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  for (const auto& [each, value] : members) {
    if (each == name) return &value;
  }
  return nullptr;
}

std::string JsonValue::at(std::string_view name) const {
  const JsonValue* const value = find(name);
  return value != nullptr ? value->text : std::string();
}

std::optional<JsonValue> parse_json(std::string_view text) { return Parser(text).whole(); }

std::optional<std::vector<JsonValue>> parse_json_sequence(std::string_view text) {
  std::vector<JsonValue> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (!text.starts_with('\x1e') || end == std::string_view::npos) return std::nullopt;
    auto value = parse_json(text.substr(1, end - 1));
    if (!value) return std::nullopt;
    out.push_back(std::move(*value));
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace qpeer::test
