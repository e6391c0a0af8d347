// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether qlog files are as the drafts have them: qlog_schema.txt holds the names and types.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/tests/unit/log/json_value.hpp"

namespace qpeer::test {

class QlogSchema {
 public:
  /// Reads qlog_schema.txt.
  QlogSchema();

  /// The names of all events in it.
  [[nodiscard]] std::set<std::string> events() const;
  /// What is wrong with the first record of a file; empty when nothing is. No member may be unknown.
  [[nodiscard]] std::string check_header(const JsonValue& header) const;
  /// The same of an event.
  [[nodiscard]] std::string check_event(const JsonValue& event) const;
  /// The same of all that is in a file, and that its time never goes back.
  [[nodiscard]] std::string check_file(std::string_view text) const;

 private:
  struct Member {
    std::string name;
    bool optional = false;
    std::string type;
  };
  [[nodiscard]] std::string check_members(const JsonValue& value,
                                          const std::vector<Member>& members) const;
  [[nodiscard]] std::string check(const JsonValue& value, std::string_view type) const;
  [[nodiscard]] std::string check_one(const JsonValue& value, std::string_view type) const;

  std::map<std::string, std::vector<Member>, std::less<>> objects_;  ///< Events too.
  std::map<std::string, std::string, std::less<>> types_;
};

}  // namespace qpeer::test
