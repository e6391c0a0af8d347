// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The main() of every <harness>_seeds program. QPEER_HARNESS is the name of the harness.
#include <cstdint>
#include <cstdio>
#include <fstream>

#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void Corpus::add(const Input& input) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a.
  for (const u8 byte : input) hash = (hash ^ byte) * 0x100000001b3;
  char name[32];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(hash));
  std::ofstream file(folder_ / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(input.data()),
             static_cast<std::streamsize>(input.size()));
  file.close();
  ++count_;
  ok_ = ok_ && file.good();
}

}  // namespace qpeer::fuzz

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s_seeds DIRECTORY\n", QPEER_HARNESS);
    return 2;
  }
  std::error_code error;
  std::filesystem::create_directories(arguments[1], error);
  qpeer::fuzz::Corpus corpus(QPEER_HARNESS, arguments[1]);
  if (!error) qpeer::fuzz::add_seeds(corpus);
  if (error || !corpus.ok()) {
    std::fprintf(stderr, "%s_seeds: %s cannot be written\n", QPEER_HARNESS, arguments[1]);
    return 1;
  }
  std::printf("%zu seeds in %s\n", corpus.count(), arguments[1]);
  return 0;
}
