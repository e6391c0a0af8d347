// SPDX-License-Identifier: MIT OR BSD-3-Clause
// JSON as a test reads it: strictly, as RFC 8259 has it, UTF-8 and no name twice in an object.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qpeer::test {

struct JsonMember;

struct JsonValue {
  enum class Kind { null, boolean, number, text, array, object };
  Kind kind = Kind::null;
  std::string text;  ///< Of a text, its value; of a number or boolean, as it is written.
  std::vector<JsonValue> elements;
  std::vector<JsonMember> members;

  /// The member of that name; nullptr when there is none.
  [[nodiscard]] const JsonValue* find(std::string_view name) const;
  /// The text of a member; empty when there is none.
  [[nodiscard]] std::string at(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// nullopt unless all of `text` is one JSON text.
[[nodiscard]] std::optional<JsonValue> parse_json(std::string_view text);

/// The records of a JSON text sequence (RFC 7464); nullopt when anything in it is not right.
[[nodiscard]] std::optional<std::vector<JsonValue>> parse_json_sequence(std::string_view text);

}  // namespace qpeer::test
