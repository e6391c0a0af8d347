// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Versions are chosen by both, and a choice that somebody else made is found out. RFC 9368 §2 to §4,
// §8; RFC 9369 §4.
#include "qpeer/transport/connection/version_choice.hpp"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <optional>
#include <vector>

namespace qpeer::transport {
namespace {

using wire::VersionInformation;

constexpr Version kV1 = Version::v1;
constexpr Version kV2 = Version::v2;
constexpr Version kNone = Version::negotiation;
constexpr Version kReserved{0x1a2a3a4a};
constexpr Version kUnknown{0x12345678};

VersionOrder order(std::initializer_list<Version> versions) {
  VersionOrder out;
  for (const Version each : versions) out.push_back(each);
  return out;
}

VersionInformation says(Version chosen, std::initializer_list<Version> available) {
  VersionInformation out(chosen);
  for (const Version each : available) out.add_available(each);
  return out;
}

/// The versions as a Version Negotiation packet has them.
struct Offer {
  explicit Offer(std::initializer_list<Version> versions) : bytes(4 * versions.size()) {
    Writer out(bytes);
    for (const Version each : versions) out.u32(static_cast<std::uint32_t>(each));
  }
  [[nodiscard]] wire::VersionList list() const { return wire::VersionList(bytes); }
  std::vector<u8> bytes;
};

bool refused(const Result& result) {
  return !result && result.error().code == TransportErrorCode::version_negotiation_error;
}

// [rfc9368-3-2], [rfc9368-3-5], [rfc9369-4-2]
TEST(VersionChoice, TellsWhatItSpeaksThePreferredFirst) {
  const VersionChoice plain(Side::client, kV1, kNone, all_versions());
  EXPECT_EQ(plain.information(kNone), says(kV1, {kV1, kV2}));
  EXPECT_EQ(plain.information(kReserved), says(kV1, {kV1, kV2, kReserved}));
  const VersionChoice upward(Side::client, kV1, kV2, all_versions());
  EXPECT_EQ(upward.information(kNone), says(kV1, {kV2, kV1}));
  const VersionChoice odd(Side::client, kReserved, kNone, order({kV2}));
  EXPECT_EQ(odd.information(kNone), says(kReserved, {kV2, kReserved}));
}

// [rfc9368-2.3-1], [rfc9369-4-3]: both ways, and only to what the client offers.
TEST(VersionChoice, AServerMovesToWhatItPrefers) {
  struct Case {
    Version original, preferred;
    std::initializer_list<Version> available;
    Version negotiated;
  };
  for (const Case& each : {Case{kV1, kV2, {kV1, kV2}, kV2}, Case{kV2, kV1, {kV1, kV2}, kV1},
                           Case{kV1, kV2, {kV1}, kV1}, Case{kV1, kNone, {kV2, kV1}, kV1},
                           Case{kV1, kV1, {kV1, kV2}, kV1}, Case{kV2, kNone, {kV2, kV1}, kV2}}) {
    VersionChoice server(Side::server, each.original, each.preferred, all_versions());
    EXPECT_TRUE(server.on_information(says(each.original, each.available)));
    EXPECT_EQ(server.negotiated(), each.negotiated);
    EXPECT_EQ(server.original(), each.original);
    EXPECT_EQ(server.information(kNone).chosen_version, each.negotiated);
  }
}

// [rfc9368-4-8], [rfc9368-4-9], [rfc9368-4-10]
TEST(VersionChoice, AServerWantsTheVersionInUseChosen) {
  for (const Version original : {kV1, kV2}) {
    const Version other = original == kV1 ? kV2 : kV1;
    VersionChoice server(Side::server, original, kNone, all_versions());
    EXPECT_TRUE(refused(server.on_information(says(other, {kV1, kV2}))));
  }
  VersionChoice lenient(Side::server, kV1, kV2, all_versions());
  EXPECT_TRUE(lenient.on_information(std::nullopt));  // [rfc9368-4-11]
  EXPECT_EQ(lenient.negotiated(), kV1);
}

// [rfc9368-4-13], [rfc9368-4-18], [rfc9369-4-2]
TEST(VersionChoice, AClientWantsTheVersionInUseConfirmed) {
  VersionChoice client(Side::client, kV1, kNone, all_versions());
  EXPECT_TRUE(client.on_information(says(kV1, {kV1})));
  EXPECT_TRUE(client.on_information(says(kV1, {})));  // [rfc9368-3-4]
  EXPECT_TRUE(client.on_information(std::nullopt));
  EXPECT_TRUE(refused(client.on_information(says(kV2, {kV1, kV2}))));
  EXPECT_TRUE(refused(client.on_information(says(kUnknown, {kUnknown, kV1}))));
  ASSERT_TRUE(client.may_switch_to(kV2));
  client.switch_to(kV2);
  EXPECT_EQ(client.negotiated(), kV2);
  EXPECT_TRUE(client.on_information(says(kV2, {kV1, kV2})));
  EXPECT_TRUE(refused(client.on_information(says(kV1, {kV1, kV2}))));
  EXPECT_TRUE(refused(client.on_information(std::nullopt)));
  // One that offers a single version takes no other.
  VersionChoice narrow(Side::client, kV1, kNone, order({kV1}));
  EXPECT_FALSE(narrow.may_switch_to(kV2));
  EXPECT_TRUE(refused(narrow.on_information(says(kV2, {kV2}))));
}

// [rfc9368-2.2-1]
TEST(VersionChoice, AClientSwitchesOnceBeforeTheHandshakeAndToCompatibleVersions) {
  VersionChoice client(Side::client, kV1, kNone, all_versions());
  EXPECT_FALSE(client.may_switch_to(kV1));
  EXPECT_FALSE(client.may_switch_to(kUnknown));
  client.settle();
  EXPECT_FALSE(client.may_switch_to(kV2));
  VersionChoice odd(Side::client, kReserved, kNone, all_versions());
  EXPECT_FALSE(odd.may_switch_to(kV1));
  VersionChoice server(Side::server, kV1, kNone, all_versions());
  EXPECT_FALSE(server.may_switch_to(kV2));
}

// [rfc9368-2.1-3], [rfc9368-2.1-4], [rfc9368-2.1-5]
TEST(VersionChoice, AClientBeginsAnewWithWhatIsCommonAndPreferred) {
  VersionChoice client(Side::client, kReserved, kNone, all_versions());
  EXPECT_EQ(client.on_version_negotiation(Offer({kUnknown, kV2, kV1}).list()), kV1);
  EXPECT_TRUE(client.reacted());
  EXPECT_EQ(client.information(kNone), says(kV1, {kV1, kV2}));
  VersionChoice upward(Side::client, kReserved, kV2, all_versions());
  EXPECT_EQ(upward.on_version_negotiation(Offer({kV1, kV2}).list()), kV2);
  VersionChoice alone(Side::client, kV1, kNone, order({kV1}));
  EXPECT_FALSE(alone.on_version_negotiation(Offer({kV2, kUnknown}).list()));
}

// [rfc9368-4-12], [rfc9368-4-14], [rfc9368-4-15], [rfc9368-4-16], [rfc9368-4-17], [rfc9368-8-1]
TEST(VersionChoice, AForgedNegotiationIsFoundOut) {
  const auto moved_to = [](Version version) {
    VersionChoice client(Side::client, version == kV1 ? kV2 : kV1, kNone, all_versions());
    EXPECT_EQ(client.on_version_negotiation(Offer({version}).list()), version);
    return client;
  };
  // The client began with version 1, which it prefers; the server speaks it after all.
  EXPECT_TRUE(refused(moved_to(kV2).on_information(says(kV2, {kV1, kV2}))));
  EXPECT_TRUE(refused(moved_to(kV2).on_information(says(kV2, {}))));
  EXPECT_TRUE(refused(moved_to(kV2).on_information(std::nullopt)));
  EXPECT_TRUE(refused(moved_to(kV2).on_information(says(kV1, {kV1}))));
  EXPECT_TRUE(moved_to(kV2).on_information(says(kV2, {kV2})));
  EXPECT_TRUE(moved_to(kV2).on_information(says(kV2, {kUnknown})));  // And the one in use.
  // The other way: version 2 is what this client would rather have.
  EXPECT_TRUE(refused(moved_to(kV1).on_information(says(kV1, {kV1, kV2}))));
  EXPECT_TRUE(moved_to(kV1).on_information(says(kV1, {kV1})));
  EXPECT_TRUE(moved_to(kV1).on_information(std::nullopt)) << "a server older than RFC 9368";
}

}  // namespace
}  // namespace qpeer::transport
