// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Key updates: which keys open which packets. RFC 9001 §5.5, §6.
#include "qpeer/tests/conformance/conformance_fixture.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::sim {
namespace {

VICTIMS(KeyUpdates);

// [rfc9001-6.2-1] [rfc9001-6.2-2]: an update is followed before its packet is acknowledged, and
// [rfc9001-6.3-5] [rfc9001-5.5-1] old keys still open what is late.
TEST_P(KeyUpdates, AreFollowed) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  for (int i = 0; i < 4; ++i) {
    const PacketNumber late = fixture.adversary.next_number(kOneRtt)++;
    fixture.adversary.update_keys();
    fixture.adversary.forget();
    const PacketNumber number = fixture.adversary.next_number(kOneRtt);
    fixture.send(kOneRtt, kPing);
    EXPECT_TRUE(fixture.adversary.acknowledged(kOneRtt, number));
    for (const auto& heard : fixture.adversary.heard()) {
      EXPECT_EQ((heard.first_byte & wire::kKeyPhaseBit) != 0, i % 2 == 0);
    }
    fixture.send(kOneRtt, kPing, {.number = late, .old_key = true});
    EXPECT_TRUE(fixture.adversary.acknowledged(kOneRtt, late));
    EXPECT_TRUE(fixture.alive(kOneRtt));
    fixture.run(1s);
  }
}

// [rfc9001-5.5-1] [rfc9001-6.4-2]: old keys serve no new numbers: they are not even tried, so that
// nothing is opened that would have to end the connection.
TEST_P(KeyUpdates, OldKeysOnNewNumbersAreDropped) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  fixture.adversary.update_keys();
  fixture.send(kOneRtt, kPing);
  const std::uint64_t before = fixture.dropped(DropReason::undecryptable);
  fixture.send(kOneRtt, kPing, {.old_key = true});
  EXPECT_EQ(fixture.dropped(DropReason::undecryptable), before + 1);
  EXPECT_TRUE(fixture.alive(kOneRtt));
}

}  // namespace
}  // namespace qpeer::sim
