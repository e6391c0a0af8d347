// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the programs that write first inputs share: <harness>_seeds DIRECTORY writes those of one
// harness. Each has an add_seeds(); main() is in seeds_main.cpp.
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::fuzz {

using Input = std::vector<u8>;

/// The folder of one harness's first inputs.
class Corpus {
 public:
  Corpus(std::string harness, std::filesystem::path folder)
      : harness_(std::move(harness)), folder_(std::move(folder)) {}

  /// Writes an input, under a name that its bytes decide.
  void add(const Input& input);

  /// Without "_fuzz": for a source that serves several harnesses.
  [[nodiscard]] const std::string& harness() const { return harness_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string harness_;
  std::filesystem::path folder_;
  std::size_t count_ = 0;
  bool ok_ = true;
};

inline Input join(std::initializer_list<Bytes> parts) {
  Input out;
  for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

inline Input text_input(std::string_view text) { return {text.begin(), text.end()}; }

/// Defined by <harness>_seeds.cpp.
void add_seeds(Corpus& corpus);

}  // namespace qpeer::fuzz
