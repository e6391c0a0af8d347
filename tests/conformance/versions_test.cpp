// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Version Information that does not hold ends the handshake; what is reserved is ignored.
// RFC 9368 §3, §4; RFC 9000 §18.1; RFC 9287 §3.
#include <optional>
#include <string_view>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

using wire::VersionInformation;

constexpr std::uint64_t kCrypto = 0x06;
constexpr Version kV1 = Version::v1;
constexpr Version kV2 = Version::v2;

VersionInformation says(Version chosen, std::initializer_list<Version> available) {
  VersionInformation out(chosen);
  for (const Version each : available) out.add_available(each);
  return out;
}

struct Case {
  std::string_view ids;
  Side victim = Side::server;
  Version in_use = kV1;
  std::optional<VersionInformation> said;
  Expected expected;
};

TEST(VersionInformation, MustHold) {
  constexpr auto kLie = TransportErrorCode::version_negotiation_error;
  constexpr auto kMalformed = transport_parameter_error;
  const std::vector<Case> cases{
      {"rfc9368-4-8 rfc9368-4-9 rfc9368-4-10", Side::server, kV1, says(kV2, {kV1, kV2}),
       closes(kLie, kCrypto)},
      {"rfc9368-4-8 rfc9368-4-9", Side::server, kV2, says(kV1, {kV1, kV2}), closes(kLie, kCrypto)},
      {"rfc9368-4-6", Side::server, kV1, says(kV1, {kV2}), closes(kMalformed, kCrypto)},
      {"rfc9368-4-5", Side::server, kV1, says(Version{}, {kV1}), closes(kMalformed, kCrypto)},
      {"rfc9368-4-5", Side::server, kV1, says(kV1, {kV1, Version{}}), closes(kMalformed, kCrypto)},
      {"rfc9368-4-11", Side::server, kV1, std::nullopt, goes_on()},
      {"rfc9368-3-5", Side::server, kV1, says(kV1, {Version{0x5a6a7a8a}, kV1}), goes_on()},
      {"rfc9368-4-13", Side::client, kV1, says(Version{0x12345678}, {kV1}), closes(kLie, kCrypto)},
      {"rfc9368-4-18", Side::client, kV1, says(kV2, {kV1, kV2}), closes(kLie, kCrypto)},
      {"rfc9368-4-5", Side::client, kV1, says(Version{}, {kV1}), closes(kMalformed, kCrypto)},
      {"rfc9368-3-4", Side::client, kV1, says(kV1, {}), goes_on()},
      {"rfc9368-4-12", Side::client, kV1, std::nullopt, goes_on()},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(testing::Message()
                 << (one.victim == Side::client ? "client" : "server") << " [" << one.ids << "]");
    AdversaryConfig config;
    config.version = one.in_use;
    config.parameters = [&](wire::TransportParameters& out) { out.version_information = one.said; };
    ConformanceFixture fixture(one.victim, config);
    fixture.begin();
    fixture.expect(EncryptionLevel::one_rtt, one.expected);
  }
}

// [rfc9368-4-3], [rfc9368-4-4]: cut anywhere but between two versions.
TEST(VersionInformation, MustBeWhole) {
  for (std::size_t size = 0; size < 12; ++size) {
    for (const Side victim : {Side::client, Side::server}) {
      SCOPED_TRACE(size);
      AdversaryConfig config;
      config.raw_parameters = [size](Octets& out) {
        Octets value{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
        value.resize(size);
        out = join({out, {0x11, static_cast<u8>(size)}, value});
      };
      ConformanceFixture fixture(victim, config);
      fixture.begin();
      const bool whole = size % 4 == 0 && size > (victim == Side::server ? 4U : 0U);
      fixture.expect(EncryptionLevel::one_rtt,
                     whole ? goes_on() : closes(transport_parameter_error, kCrypto));
    }
  }
}

/// The ids of what the victim announces, and the size of each value.
std::vector<std::pair<std::uint64_t, std::uint64_t>> announced(const Octets& bytes) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
  for (Reader in{bytes}; !in.empty();) {
    const std::uint64_t id = in.varint();
    const std::uint64_t size = in.varint();
    in.bytes(size);
    EXPECT_TRUE(in.ok());
    out.emplace_back(id, size);
  }
  return out;
}

// [rfc9369-4-2], [rfc9368-3-1], [rfc9368-3-2], [rfc9287-3-1]: unless told otherwise we speak of
// versions, and grease what can be.
TEST(Announcements, HaveVersionsAndGrease) {
  for (const Side victim : {Side::client, Side::server}) {
    for (const bool grease : {true, false}) {
      PeerConfig ours = small_limits();
      ours.connection.grease = {
          .quic_bit = grease, .transport_parameters = grease, .versions = grease};
      ours.endpoint.connection.grease = ours.connection.grease;
      ConformanceFixture fixture(victim, {}, ours);
      fixture.begin();
      const auto& parameters = fixture.adversary.victim_parameters();
      ASSERT_TRUE(parameters && parameters->version_information);
      const auto& versions = *parameters->version_information;
      EXPECT_EQ(versions.chosen_version, kV1);
      EXPECT_TRUE(versions.is_available(kV1));
      EXPECT_TRUE(versions.is_available(kV2));
      EXPECT_EQ(versions.available_versions().size(), grease ? 3U : 2U);
      EXPECT_EQ(is_reserved(versions.available_versions().back()), grease);
      EXPECT_EQ(parameters->grease_quic_bit, grease);
      int reserved = 0;
      for (const auto& [id, size] : announced(fixture.adversary.victim_parameter_bytes())) {
        reserved += id % 31 == 27 ? 1 : 0;
        if (id == 0x2ab2) {
          EXPECT_EQ(size, 0U);
        }
      }
      EXPECT_EQ(reserved, grease ? 1 : 0);
    }
  }
}

// [rfc9000-7.4.2-1]: unknown ones change nothing, whatever is in them.
TEST(Announcements, ThatNobodyKnowsAreIgnored) {
  for (const Side victim : {Side::client, Side::server}) {
    AdversaryConfig config;
    config.raw_parameters = [](Octets& out) {
      for (std::uint64_t n = 0; n < 20; ++n) {
        const Octets value(n * 7, 0xff);
        out = join({out, varints({31 * (n * 1'000'003) + 27, value.size()}), value});
      }
    };
    ConformanceFixture fixture(victim, config);
    fixture.begin();
    fixture.expect(EncryptionLevel::one_rtt, goes_on());
  }
}

}  // namespace
}  // namespace qpeer::sim
