// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a victim that only receives does so that its acknowledgements stay short. RFC 9000 §13.2.4.
#include "qpeer/tests/conformance/scene.hpp"

namespace qpeer::sim {
namespace {

VICTIMS(Acknowledgements);

// RFC 9000 §13.2.4: after 64 packets that only acknowledge, the next one has a PING. Its acknowledgement
// lets the victim forget the ranges that it reported before. [rfc9000-13.2.1-3]: the others have none.
TEST_P(Acknowledgements, AskForAnAcknowledgementAfterSixtyFour) {
  constexpr std::size_t kCycle = 65;
  Scene scene(GetParam());
  scene.begin();
  scene.run(1s);
  Adversary& adversary = scene.adversary;
  ++adversary.next_number(kOneRtt);  // A gap, so that there are two ranges from here on.
  scene.send(kOneRtt, kPing);
  ASSERT_GT(adversary.last<wire::AckFrame>()->range_count, 0U);
  adversary.forget();
  for (std::size_t i = 0; i < 3 * kCycle; ++i) scene.send(kOneRtt, kPing);
  EXPECT_EQ(adversary.heard().size(), 3 * kCycle) << "one for each, and no more";
  EXPECT_EQ(adversary.count<wire::AckFrame>(), 3 * kCycle);
  EXPECT_EQ(adversary.count<wire::PingFrame>(), 3U);
  EXPECT_EQ(adversary.last<wire::AckFrame>()->range_count, 0U) << "the range before the gap";
}

}  // namespace
}  // namespace qpeer::sim
