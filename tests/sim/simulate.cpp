// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/simulate.hpp"

#include <cstdlib>
#include <random>
#include <string>

namespace qpeer::sim {
namespace {

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<u8>(c)) * 0x100000001b3ULL;
  return hash;
}

std::uint64_t first_seed(std::string_view name) {
  const char* wanted = std::getenv("QPEER_SEED");
  if (wanted == nullptr || *wanted == '\0') return hash_of(name) % 1'000'000;
  if (std::string_view(wanted) == "random") return std::random_device{}();
  return std::strtoull(wanted, nullptr, 0);
}

std::uint64_t runs() {
  const char* wanted = std::getenv("QPEER_RUNS");
  return wanted == nullptr ? 1 : std::strtoull(wanted, nullptr, 0);
}

}  // namespace

void for_each_seed(std::string_view name, const std::function<void(std::uint64_t)>& run) {
  const std::uint64_t first = first_seed(name);
  for (std::uint64_t seed = first; seed < first + runs(); ++seed) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, "QPEER_SEED=" + std::to_string(seed));
    run(seed);
    if (testing::Test::HasFailure() || testing::Test::IsSkipped()) return;
  }
}

}  // namespace qpeer::sim
