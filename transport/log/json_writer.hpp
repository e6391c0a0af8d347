// SPDX-License-Identifier: MIT OR BSD-3-Clause
// JSON text, member by member, at the end of a string. RFC 8259.
//
// What it writes is valid UTF-8 and valid JSON whatever bytes it is given. Who uses it closes what it
// opens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport::log {

class JsonWriter {
 public:
  /// Appends to `out`, which must outlive it.
  explicit JsonWriter(std::string& out) : out_(out) {}

  // --- values ------------------------------------------------------------------------------------
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void number(std::uint64_t value);
  /// What is not UTF-8 becomes U+FFFD.
  void text(std::string_view value);
  void hex(Bytes value);

  // --- members of the open object ----------------------------------------------------------------
  JsonWriter& key(std::string_view name);
  void number(std::string_view name, std::uint64_t value) { key(name).number(value); }
  void text(std::string_view name, std::string_view value) { key(name).text(value); }
  void hex(std::string_view name, Bytes value) { key(name).hex(value); }
  void flag(std::string_view name, bool value) { key(name).literal(value ? "true" : "false"); }
  /// In milliseconds, with as many digits as are needed, to the microsecond.
  void milliseconds(std::string_view name, Duration value);

  /// A value that is JSON already.
  void literal(std::string_view value);

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace qpeer::transport::log
