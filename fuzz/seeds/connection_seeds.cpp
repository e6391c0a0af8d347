// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Every frame there is, at every level and at many moments of a connection.
#include <array>
#include <vector>

#include "qpeer/fuzz/seeds/frame_families.hpp"
#include "qpeer/tests/sim/fuzz_fixtures.hpp"

namespace qpeer::fuzz {
namespace {

using namespace qpeer::sim;

Input packet_step(unsigned level, Bytes frames) {
  const auto kind = static_cast<u8>(0x80 | level << 5);
  return join(
      {std::array<u8, 3>{kind, static_cast<u8>(frames.size() >> 8), static_cast<u8>(frames.size())},
       frames});
}

}  // namespace

void add_seeds(Corpus& corpus) {
  Input all_steps;
  const Input versions_step{0x60, 0, 4, 0x6b, 0x33, 0x43, 0xcf};
  const Input retry_step{0x70, 0, 3, 1, 2, 3};
  std::vector<u8> all_options;
  for (u8 options = 0; options < 32; ++options) all_options.push_back(options);
  // Of those who come back, and of a server that prefers version 2, a few moments: more seeds than
  // a short run takes are none.
  for (const u8 more : {ConnectionFuzzFixture::kComesBack, ConnectionFuzzFixture::kPrefersV2}) {
    for (const u8 moment : {0, 2, 4}) {
      all_options.push_back(static_cast<u8>(more | moment));
      all_options.push_back(static_cast<u8>(more | moment | ConnectionFuzzFixture::kAttackClient));
    }
  }
  for (const u8 options : all_options) {
    const std::array<u8, 1> first{options};
    if ((options & (ConnectionFuzzFixture::kExtensions | ConnectionFuzzFixture::kEstablished)) ==
        0) {
      corpus.add(join({first, versions_step, Input{0x05}}));
      corpus.add(join({first, retry_step, Input{0x05}}));
    }
    for (const Family& family : families()) {
      for (const Input& frame : family.frames) {
        for (const unsigned level : {0U, 1U, 2U, 3U}) {
          if (options < 32 ? level == 1 : level > 1) continue;
          corpus.add(join({first, packet_step(level, frame), Input{0x05}}));
        }
        const Input step = packet_step(3, frame);
        if (options == 0) all_steps.insert(all_steps.end(), step.begin(), step.end());
      }
    }
    corpus.add(join({first, all_steps}));
    for (u8 act = 0x40; act < 0x50; ++act) {
      corpus.add(join({first, Input{act, 0x05, act, 0x3f}}));
    }
  }
}

}  // namespace qpeer::fuzz
