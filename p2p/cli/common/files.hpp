// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Files of any size that appear whole or not at all.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {

/// A file that is written piece by piece under a temporary name in its folder. Unless commit()
/// succeeds, nothing of it stays. Errors name no path.
class AtomicFile {
 public:
  [[nodiscard]] static std::expected<AtomicFile, std::string> create(const std::string& folder);

  [[nodiscard]] FileResult write(Bytes data);
  /// Remains the property of this object.
  [[nodiscard]] int fd() const { return file_.fd(); }
  /// Whether commit() with Collision::replace would take this name: see TemporaryFile.
  [[nodiscard]] FileResult can_replace(const std::string& name) const {
    return file_.can_replace(name);
  }
  /// What to do when the name is taken.
  enum class Collision : u8 { replace, number };
  /// Makes the file durable, and gives it its name: `name`, or, with Collision::number, the first
  /// free one of NAME, NAME.1, NAME.2, ... Returns the name.
  [[nodiscard]] std::expected<std::string, std::string> commit(const std::string& name,
                                                               Collision collision);

 private:
  explicit AtomicFile(TemporaryFile file) : file_(std::move(file)) {}

  TemporaryFile file_;
  std::uint64_t written_ = 0;
  std::uint64_t flushed_ = 0;
};

/// Why a name that a peer chose is not one for a file of ours; empty when it is. Refused are names
/// that leave the folder, hide, look like flags, are longer than 200 bytes, are not UTF-8 or hold
/// characters that control a terminal or the direction of text.
[[nodiscard]] std::string_view why_bad_name(std::string_view name);

/// `text` as a terminal may show it: invisible characters, and bytes that are not UTF-8, become '?'.
enum class Newlines : u8 { masked, kept };
[[nodiscard]] std::string visible(std::string_view text, Newlines newlines = Newlines::masked);

}  // namespace qpeer::cli
