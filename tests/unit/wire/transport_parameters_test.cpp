// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/transport_parameters.hpp"

#include <gtest/gtest.h>

#include <string>

#include "qpeer/tests/unit/wire/wire_testing.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

std::vector<u8> encoded_parameters(const TransportParameters& parameters) {
  std::vector<u8> storage(TransportParameters::kMaxEncodedSize);
  Writer out{storage};
  parameters.encode(out);
  EXPECT_TRUE(out.ok());
  return to_vector(out.written());
}

void expect_accepted(std::string_view bytes, Side sender = Side::server) {
  const auto out = TransportParameters::decode(hex(bytes), sender);
  EXPECT_TRUE(out.has_value()) << bytes << ": " << out.error().reason;
}

void expect_refused(std::string_view bytes, Side sender = Side::server) {
  const auto out = TransportParameters::decode(hex(bytes), sender);
  ASSERT_FALSE(out.has_value()) << "accepted " << bytes;
  EXPECT_EQ(out.error().code, TransportErrorCode::transport_parameter_error);
}

PreferredAddress random_preferred_address(Values& values) {
  PreferredAddress out;
  if (values.flag()) out.ipv4 = SocketAddress::ipv4({192, 0, 2, 1}, 443);
  if (values.flag()) out.ipv6 = *SocketAddress::parse("[2001:db8::1]:4433");
  out.connection_id = values.connection_id(1);
  out.stateless_reset_token = values.array<16>();
  return out;
}

TransportParameters random_parameters(Values& values, Side sender) {
  TransportParameters out;
  out.initial_source_connection_id = values.connection_id(1);
  out.max_idle_timeout_ms = values.varint();
  out.max_udp_payload_size = 1200 + values.below(100'000);
  out.initial_max_data = values.varint();
  out.initial_max_stream_data_bidi_local = values.varint();
  out.initial_max_stream_data_bidi_remote = values.varint();
  out.initial_max_stream_data_uni = values.varint();
  out.initial_max_streams_bidi = values.varint() / 4;
  out.initial_max_streams_uni = values.varint() / 4;
  out.ack_delay_exponent = values.below(21);
  out.max_ack_delay_ms = values.below(1 << 14);
  out.disable_active_migration = values.flag();
  out.active_connection_id_limit = 2 + values.varint() / 2;
  out.max_datagram_frame_size = values.varint();
  out.grease_quic_bit = values.flag();
  out.address_discovery = {.provide = values.flag(), .request = values.flag()};
  if (values.flag()) out.min_ack_delay_us = values.below(out.max_ack_delay_ms * 1000 + 1);
  if (values.flag()) {
    VersionInformation versions{Version::v1};
    versions.add_available(Version::v2);
    versions.add_available(Version{0x1a2a3a4a});
    versions.add_available(Version::v1);
    out.version_information = versions;
  }
  if (sender == Side::server) {
    out.original_destination_connection_id = values.connection_id(0);
    if (values.flag()) out.retry_source_connection_id = values.connection_id(0);
    if (values.flag()) out.stateless_reset_token = values.array<16>();
    if (values.flag()) out.preferred_address = random_preferred_address(values);
  }
  return out;
}

TEST(TransportParameters, RoundTripWithRandomValues) {
  Values values{18};
  for (int i = 0; i < 1000; ++i) {
    for (const Side sender : {Side::client, Side::server}) {
      const TransportParameters parameters = random_parameters(values, sender);
      const auto bytes = encoded_parameters(parameters);
      const auto back = TransportParameters::decode(bytes, sender);
      ASSERT_TRUE(back.has_value()) << back.error().reason;
      EXPECT_EQ(*back, parameters);
    }
  }
}

TEST(TransportParameters, EmptyMeansTheDefaultsOfTheRfc) {
  const auto out = TransportParameters::decode({}, Side::client);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(*out, TransportParameters{});
  EXPECT_EQ(out->max_udp_payload_size, 65'527U);
  EXPECT_EQ(out->ack_delay_exponent, 3U);
  EXPECT_EQ(out->max_ack_delay_ms, 25U);
  EXPECT_EQ(out->active_connection_id_limit, 2U);
  EXPECT_TRUE(encoded_parameters({}).empty()) << "what is default is not sent";
}

TEST(TransportParameters, AreTheRfcsBytes) {
  // From the ClientHello of RFC 9001 §A.2.
  const auto out = TransportParameters::decode(
      hex("0408ffffffffffffffff 05048000ffff 07048000ffff 080110 0104800075300901100f088394c8f03e51"
          "5708 06048000ffff"),
      Side::client);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->initial_max_data, kMaxVarint);
  EXPECT_EQ(out->initial_max_stream_data_bidi_local, 65'535U);
  EXPECT_EQ(out->initial_max_stream_data_bidi_remote, 65'535U);
  EXPECT_EQ(out->initial_max_stream_data_uni, 65'535U);
  EXPECT_EQ(out->initial_max_streams_bidi, 16U);
  EXPECT_EQ(out->initial_max_streams_uni, 16U);
  EXPECT_EQ(out->max_idle_timeout_ms, 30'000U);
  EXPECT_EQ(out->initial_source_connection_id, ConnectionId(hex("8394c8f03e515708")));
}

TEST(TransportParameters, TheLargestFitTheirStatedSize) {
  Values values{99};
  TransportParameters all = random_parameters(values, Side::server);
  const ConnectionId longest(values.bytes(20));
  all.original_destination_connection_id = longest;
  all.initial_source_connection_id = longest;
  all.retry_source_connection_id = longest;
  all.stateless_reset_token.emplace();
  all.preferred_address = PreferredAddress{.connection_id = longest};
  all.max_idle_timeout_ms = all.max_udp_payload_size = all.initial_max_data = kMaxVarint;
  all.initial_max_stream_data_bidi_local = all.initial_max_stream_data_bidi_remote = kMaxVarint;
  all.initial_max_stream_data_uni = all.active_connection_id_limit = kMaxVarint;
  all.max_datagram_frame_size = kMaxVarint;
  all.initial_max_streams_bidi = all.initial_max_streams_uni = std::uint64_t{1} << 60;
  all.ack_delay_exponent = 20;
  all.max_ack_delay_ms = 16'383;
  all.disable_active_migration = all.grease_quic_bit = true;
  all.address_discovery = {.provide = true, .request = true};
  all.min_ack_delay_us = 1'000;
  all.version_information.emplace(Version::v1);
  for (std::uint32_t i = 1; i < 7; ++i) all.version_information->add_available(Version{i << 8});
  all.version_information->add_available(Version::v1);
  all.version_information->add_available(Version::v2);
  EXPECT_EQ(all.version_information->available_versions().size(), 8U);
  all.grease = 31 * (kMaxVarint / 31 - 1) + 27;
  const auto back = TransportParameters::decode(encoded_parameters(all), Side::server);
  ASSERT_TRUE(back.has_value());
  all.grease.reset();
  EXPECT_EQ(*back, all);
}

TEST(TransportParameters, AreRefusedWhenCutWithinAParameter) {
  Values values{7};
  const auto bytes = encoded_parameters(random_parameters(values, Side::server));
  std::vector<bool> is_border(bytes.size() + 1);
  for (Reader in{bytes}; !in.empty();) {
    is_border[in.position()] = true;
    in.varint();
    in.bytes(in.varint());
  }
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto out = TransportParameters::decode(Bytes(bytes).first(cut), Side::server);
    EXPECT_EQ(out.has_value(), is_border[cut]) << cut;
  }
}

// [rfc9000-7.4-3]
TEST(TransportParameters, AreRefusedWhenOneComesTwice) {
  Values values{8};
  const auto bytes = encoded_parameters(random_parameters(values, Side::server));
  for (Reader in{bytes}; !in.empty();) {
    const std::size_t start = in.position();
    in.varint();
    in.bytes(in.varint());
    auto twice = bytes;
    const Bytes again = in.consumed().subspan(start);
    twice.insert(twice.end(), again.begin(), again.end());
    EXPECT_FALSE(TransportParameters::decode(twice, Side::server).has_value());
  }
  expect_refused("1b00 1b00");             // Unknown ones too.
  expect_refused("6ab200 20010a 6ab200");  // grease_quic_bit.
  std::vector<u8> many(400 * 5);
  Writer out{many};
  for (unsigned i = 0; i < 400; ++i) {
    out.varint_of_size(31 * i + 10'027, 4);
    out.byte(0);
  }
  EXPECT_TRUE(TransportParameters::decode(many, Side::server).has_value());
  const auto greased = [&](std::string_view tail) {
    auto copy_of_many = many;
    const auto more = hex(tail);
    copy_of_many.insert(copy_of_many.end(), more.begin(), more.end());
    return TransportParameters::decode(copy_of_many, Side::server).has_value();
  };
  EXPECT_TRUE(greased("6ab200"));
  EXPECT_FALSE(greased("6ab200 6ab200")) << "a known one is noticed after any number of others";
  EXPECT_FALSE(greased("6ab200 c00000009f81a1760101 c00000009f81a1760101"));
}

TEST(TransportParameters, IgnoreWhatTheyDoNotKnow) {
  const auto out = TransportParameters::decode(hex("1b03aabbcc 0a0105 7f1200"), Side::client);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->ack_delay_exponent, 5U);
}

// [rfc9000-7.4-1] [rfc9000-18.2-8] [rfc9000-18.2-9] [rfc9000-4.6-1]
TEST(TransportParameters, AreRefusedOutsideTheirRanges) {
  expect_accepted("0a0114");
  expect_refused("0a0115");  // ack_delay_exponent 21.
  expect_accepted("0b027fff");
  expect_refused("0b0480004000");  // max_ack_delay 2^14.
  expect_accepted("030244b0");
  expect_refused("030244af");  // max_udp_payload_size 1199.
  expect_accepted("0e0102");
  expect_refused("0e0101");  // active_connection_id_limit 1.
  expect_accepted("0808d000000000000000");
  expect_refused("0808d000000000000001");  // initial_max_streams_bidi 2^60 + 1.
  expect_accepted("0908d000000000000000");
  expect_refused("0908d000000000000001");
}

TEST(TransportParameters, AreRefusedWhenAValueHasTheWrongLength) {
  for (const std::string_view id :
       {"01", "03", "04", "05", "06", "07", "08", "09", "0a", "0b", "0e", "20"}) {
    expect_refused(std::string(id) + "00");        // No integer.
    expect_refused(std::string(id) + "0180");      // Half of one.
    expect_refused(std::string(id) + "03445000");  // One and more.
  }
  expect_refused("0c0100");                       // disable_active_migration.
  expect_refused("020f" + std::string(30, '0'));  // stateless_reset_token.
  expect_refused("0211" + std::string(34, '0'));
  for (const std::string_view id : {"00", "0f", "10"}) {  // Connection IDs.
    expect_accepted(std::string(id) + "00");
    expect_accepted(std::string(id) + "14" + std::string(40, '1'));
    expect_refused(std::string(id) + "15" + std::string(42, '1'));
  }
}

// [draft-ietf-quic-address-discovery-3-1]
TEST(TransportParameters, AddressDiscoveryHasThreeValues) {
  const std::string id = "c00000009f81a176";
  const auto decode = [&](std::string_view value) {
    return TransportParameters::decode(hex(id + std::string(value)), Side::client);
  };
  EXPECT_EQ(decode("0100")->address_discovery, (AddressDiscovery{.provide = true}));
  EXPECT_EQ(decode("0101")->address_discovery, (AddressDiscovery{.request = true}));
  EXPECT_EQ(decode("0102")->address_discovery,
            (AddressDiscovery{.provide = true, .request = true}));
  for (const auto& out : {decode("0100"), decode("0101"), decode("0102")}) {
    EXPECT_EQ(encoded_parameters(*out).size(), 10U) << "and back";
  }
  EXPECT_EQ(decode("024001")->address_discovery, (AddressDiscovery{.request = true}));
  expect_refused(id + "0103");
  expect_refused(id + "08c000000000000001" + "00");
  expect_refused(id + "08ffffffffffffffff");
  expect_refused(id + "00");
  expect_refused(id + "020100");
}

// [draft-ietf-quic-ack-frequency-3-1], [draft-ietf-quic-ack-frequency-3-2]
TEST(TransportParameters, MinAckDelayIsNoLargerThanTheMaximum) {
  const std::string id = "c0000000ff04de1b";
  EXPECT_EQ(TransportParameters::decode(hex(id + "0203e8"), Side::client).error().code,
            TransportErrorCode::transport_parameter_error)
      << "cut";
  EXPECT_EQ(TransportParameters::decode(hex(id + "0243e8"), Side::client)->min_ack_delay_us, 1000U);
  EXPECT_EQ(TransportParameters::decode(hex(id + "04800061a8"), Side::client)->min_ack_delay_us,
            25'000U);
  expect_refused(id + "04800061a9");
  expect_refused(id + "0243e8" + "0b0100");
  EXPECT_EQ(
      TransportParameters::decode(hex("0b0101" + id + "0243e8"), Side::server)->min_ack_delay_us,
      1000U);
}

// [rfc9287-3-1]
TEST(TransportParameters, AreRefusedWhenGreaseQuicBitHasAValue) {
  EXPECT_TRUE(TransportParameters::decode(hex("6ab200"), Side::client)->grease_quic_bit);
  expect_refused("6ab20100");
}

// [rfc9000-18.2-1] [rfc9000-18.2-10] [rfc9000-18.2-11]
TEST(TransportParameters, OfServersAreRefusedFromClients) {
  const std::string preferred = "0d2a" + std::string(48, '0') + "01aa" + std::string(32, '0');
  for (const std::string& bytes :
       {std::string("0000"), "0210" + std::string(32, '0'), std::string("1000"), preferred}) {
    expect_accepted(bytes, Side::server);
    expect_refused(bytes, Side::client);
  }
}

std::string preferred_address(std::string_view id) {
  return "000000000000" + std::string(36, '0') + std::string(id) + std::string(32, '0');
}

// [rfc9000-18.2-4] [rfc9000-18.2-5] [rfc9000-18.2-6] [rfc9000-18.2-7]
TEST(TransportParameters, PreferredAddressNeedsConnectionIds) {
  expect_accepted("0d2a" + preferred_address("01aa"));
  expect_refused("0d29" + preferred_address("00"));                         // No ID.
  expect_refused("0d3e" + preferred_address("15" + std::string(42, '1')));  // 21 bytes.
  expect_refused("0d2a" + preferred_address("02aa"));                       // Cut.
  expect_refused("0d2b" + preferred_address("01aa") + "00");                // And more.
  expect_refused("0f00 0d2a" + preferred_address("01aa"));  // From a server without IDs.
  expect_accepted("0f0155 0d2a" + preferred_address("01aa"));
  const auto none =
      TransportParameters::decode(hex("0d2a" + preferred_address("01aa")), Side::server);
  EXPECT_FALSE(none->preferred_address->ipv4.valid());
  EXPECT_FALSE(none->preferred_address->ipv6.valid());
}

// [rfc9368-4-3] [rfc9368-4-4] [rfc9368-4-5] [rfc9368-4-6]
TEST(VersionInformation, IsRefusedWhenMalformed) {
  expect_accepted("1104 00000001", Side::server);
  expect_refused("1104 00000001", Side::client);  // Chosen, but not available.
  expect_accepted("1108 00000001 00000001", Side::client);
  expect_refused("1108 00000001 6b3343cf", Side::client);
  expect_accepted("1108 00000001 6b3343cf", Side::server);
  expect_refused("1100");
  expect_refused("1103 000000");
  expect_refused("1106 00000001 0000");
  expect_refused("1104 00000000");
  expect_refused("1108 00000001 00000000");
  expect_refused("110c 00000001 00000001 00000000", Side::client);
}

TEST(VersionInformation, KeepsTheVersionsThatWeSpeakWhateverElseIsListed) {
  std::vector<u8> bytes(1 + 2 + 4 + 100 * 4 + 8);
  Writer out{bytes};
  out.varint(0x11);
  out.varint_of_size(bytes.size() - 3, 2);
  out.u32(100);
  for (std::uint32_t i = 1; i <= 100; ++i) out.u32(i + 1);
  out.u32(0x6b3343cf);
  out.u32(1);
  const auto parameters = TransportParameters::decode(bytes, Side::client);
  ASSERT_TRUE(parameters.has_value()) << parameters.error().reason;
  const VersionInformation& versions = *parameters->version_information;
  EXPECT_EQ(versions.chosen_version, Version{100});
  EXPECT_EQ(versions.available_versions().size(), VersionInformation::kMaxAvailable);
  EXPECT_EQ(versions.available_versions()[0], Version{2});
  EXPECT_TRUE(versions.is_available(Version::v1) && versions.is_available(Version::v2));
}

TEST(VersionInformation, AddsEachVersionOnce) {
  VersionInformation versions;
  for (int i = 0; i < 20; ++i) versions.add_available(Version::v1);
  EXPECT_EQ(versions.available_versions().size(), 1U);
}

}  // namespace
}  // namespace qpeer::wire
