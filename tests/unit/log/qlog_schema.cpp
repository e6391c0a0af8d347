// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/unit/log/qlog_schema.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace qpeer::test {
namespace {

bool is_hex(std::string_view text) {
  return text.size() % 2 == 0 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// An integer without sign below 2^bits.
bool is_uint(const JsonValue& value, int bits) {
  if (value.kind != JsonValue::Kind::number || value.text.empty() || value.text.size() > 20 ||
      value.text.find_first_not_of("0123456789") != std::string::npos) {
    return false;
  }
  return bits == 64 || std::strtoull(value.text.c_str(), nullptr, 10) >> bits == 0;
}

/// nullopt when it is no such type.
std::optional<bool> is_builtin(const JsonValue& value, std::string_view type) {
  const bool text = value.kind == JsonValue::Kind::text;
  if (type == "any") return true;
  if (type == "text") return text;
  if (type == "hexstring") return text && is_hex(value.text);
  if (type == "bool") return value.kind == JsonValue::Kind::boolean;
  if (type == "float") return value.kind == JsonValue::Kind::number;
  if (type == "crypto_error_text") {
    return text && value.text.starts_with("crypto_error_0x1") && value.text.size() == 18 &&
           is_hex(value.text.substr(16));
  }
  if (type.starts_with("uint")) return is_uint(value, std::atoi(type.data() + 4));
  return std::nullopt;
}

}  // namespace

QlogSchema::QlogSchema() {
  std::ifstream in(QPEER_TESTS_DIR "/unit/log/qlog_schema.txt");
  std::vector<Member>* open = nullptr;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string first;
    std::string second;
    words >> first;
    if (line.starts_with(' ')) {
      const bool optional = first.ends_with('?');
      if (optional) first.pop_back();
      std::getline(words >> std::ws, second);
      open->push_back({.name = first, .optional = optional, .type = second});
      continue;
    }
    words >> second;
    if (first == "type") {
      std::getline(words >> std::ws, types_[second]);
    } else {
      open = &objects_[second];
    }
  }
}

std::set<std::string> QlogSchema::events() const {
  std::set<std::string> out;
  for (const auto& [name, members] : objects_) {
    if (name.starts_with("quic:")) out.insert(name);
  }
  return out;
}

std::string QlogSchema::check_header(const JsonValue& header) const {
  return check(header, "File");
}

std::string QlogSchema::check_event(const JsonValue& event) const {
  const std::string name = event.at("name");
  const JsonValue* const data = event.find("data");
  const JsonValue* const time = event.find("time");
  if (time == nullptr || time->kind != JsonValue::Kind::number) return name + ": no time";
  if (!objects_.contains(name) || !name.starts_with("quic:")) return name + ": unknown event";
  if (data == nullptr) return name + ": no data";
  if (event.members.size() != 3) return name + ": more than time, name and data";
  const std::string wrong = check(*data, name);
  return wrong.empty() ? wrong : name + wrong;
}

std::string QlogSchema::check_file(std::string_view text) const {
  const auto records = parse_json_sequence(text);
  if (!records) return "is no JSON text sequence";
  if (records->empty()) return "is empty";
  if (std::string wrong = check_header(records->front()); !wrong.empty()) return wrong;
  double last = 0;
  for (std::size_t i = 1; i < records->size(); ++i) {
    if (std::string wrong = check_event((*records)[i]); !wrong.empty()) return wrong;
    const double time = std::atof((*records)[i].at("time").c_str());
    if (time < last) return "time goes back";
    last = time;
  }
  return {};
}

std::string QlogSchema::check_members(const JsonValue& value,
                                      const std::vector<Member>& members) const {
  if (value.kind != JsonValue::Kind::object) return " is no object";
  for (const Member& member : members) {
    const JsonValue* const found = value.find(member.name);
    if (found == nullptr && !member.optional) return "." + member.name + " is missing";
    if (found == nullptr) continue;
    if (std::string wrong = check(*found, member.type); !wrong.empty()) {
      return "." + member.name + wrong;
    }
  }
  for (const auto& [name, unused] : value.members) {
    if (std::ranges::find(members, name, &Member::name) == members.end()) {
      return "." + name + " is unknown";
    }
  }
  return {};
}

/// One of the alternatives must fit; what is wrong is told of the last, or of that with the
/// "frame_type".
std::string QlogSchema::check(const JsonValue& value, std::string_view type) const {
  std::string wrong;
  for (std::string_view rest = type; !rest.empty();) {
    const std::size_t end =
        rest.starts_with('[') ? rest.size() : std::min(rest.find('|'), rest.size());
    std::string each = check_one(value, rest.substr(0, end));
    if (each.empty()) return {};
    if (wrong.empty() || wrong.find("frame_type") != std::string::npos) wrong = std::move(each);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return wrong;
}

std::string QlogSchema::check_one(const JsonValue& value, std::string_view type) const {
  const std::string wrong = " (" + value.text + ") is no " + std::string(type);
  if (type.starts_with('"')) {
    const bool same = value.kind == JsonValue::Kind::text && '"' + value.text + '"' == type;
    return same ? std::string() : wrong;
  }
  if (type.starts_with('[')) {
    const std::string_view inner = type.substr(1, type.size() - 2);
    const std::size_t least = inner.starts_with('*') ? 0 : 1;
    const bool one_or_two = inner.starts_with("1-2 ");
    const std::size_t count = value.elements.size();
    if (value.kind != JsonValue::Kind::array || count < least || (one_or_two && count > 2)) {
      return wrong;
    }
    for (const JsonValue& each : value.elements) {
      std::string what = check(each, inner.substr(one_or_two ? 4 : 1));
      if (!what.empty()) return "[]" + what;
    }
    return {};
  }
  if (const auto fits = is_builtin(value, type)) return *fits ? std::string() : wrong;
  if (const auto alias = types_.find(type); alias != types_.end()) {
    return check(value, alias->second);
  }
  if (const auto object = objects_.find(type); object != objects_.end()) {
    return check_members(value, object->second);
  }
  return " has the unknown type " + std::string(type);
}

}  // namespace qpeer::test
