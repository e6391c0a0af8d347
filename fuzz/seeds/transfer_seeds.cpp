// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>
#include <string>
#include <string_view>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  const auto add = [&corpus](u8 what, Bytes stream) {
    for (const u8 end : {0, 1, 2}) corpus.add(join({std::array<u8, 3>{what, 6, end}, stream}));
  };
  const cli::PutRequest put{.name = "name", .size = 5};
  add(0, join({put.encode(), as_bytes("hello")}));
  add(0, join({put.encode(), as_bytes("hello and more")}));
  add(0, cli::PutRequest{.name = {}, .size = ~std::uint64_t{0}}.encode());
  add(0, cli::GetRequest{.name = std::string(255, 'n')}.encode());
  add(1, cli::PutAnswer{.stored = true, .text = "name.1", .sha256 = {1, 2, 3}}.encode());
  add(1, cli::PutAnswer{.stored = false, .text = "no room", .sha256 = {}}.encode());
  add(2,
      join({cli::GetAnswer{.found = true, .text = "name", .size = 5}.encode(), as_bytes("hello")}));
  add(2, cli::GetAnswer{.found = false, .text = "there is no such file", .size = 0}.encode());
  for (const std::string_view name : {"name", ".hidden", "a/b", "-flag", "na\xc3\xafve",
                                      "\xe2\x80\xae"
                                      "txt",
                                      "a\x1b[0m", " "}) {
    add(3, as_bytes(name));
  }
}

}  // namespace qpeer::fuzz
