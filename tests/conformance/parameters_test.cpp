// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Transport parameters that break a rule. RFC 9000 §7.3, §7.4, §18; RFC 9001 §8.2.
#include <string_view>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kCrypto = 0x06;
constexpr std::uint64_t kMost = (std::uint64_t{1} << 62) - 1;

VICTIMS(Parameters);

/// One row: bytes behind the honest parameters, or a change of these.
struct Row {
  std::string_view ids;
  std::string_view what;
  Octets behind;
  Expected expected = closes(transport_parameter_error, kCrypto);
  std::function<void(wire::TransportParameters&)> change{};
};

/// Parameter `id` with an integer as its value.
Octets integer(std::uint64_t id, std::uint64_t value) {
  return join({varints({id, varint_size(value)}), varints({value})});
}
Octets value_of(std::uint64_t id, const Octets& value) {
  return join({varints({id, value.size()}), value});
}

void run_rows(Side victim, std::span<const Row> rows, std::size_t cid_size = 8) {
  for (const Row& row : rows) {
    SCOPED_TRACE(testing::Message() << row.what << " [" << row.ids << "]");
    AdversaryConfig config{.cid_size = cid_size, .parameters = row.change};
    config.raw_parameters = [&row](Octets& bytes) { bytes = join({bytes, row.behind}); };
    ConformanceFixture fixture(victim, config);
    fixture.begin();
    fixture.expect(EncryptionLevel::one_rtt, row.expected);
  }
}

// RFC 9000 §7.4 [rfc9000-7.4-1]: values that are out of range.
TEST_P(Parameters, OutOfRange) {
  using P = wire::TransportParameters;
  const std::uint64_t too_many = (std::uint64_t{1} << 60) + 1;
  const std::vector<Row> rows{
      {"rfc9000-7.4-1", "max_udp_payload_size below 1200", integer(0x03, 1'199)},
      {"", "max_udp_payload_size of 1200", integer(0x03, 1'200), goes_on()},
      {"", "max_udp_payload_size beyond 65527", integer(0x03, kMost), goes_on()},
      {"rfc9000-7.4-1", "ack_delay_exponent above 20", integer(0x0a, 21)},
      {"", "ack_delay_exponent of 20", integer(0x0a, 20), goes_on()},
      {"rfc9000-7.4-1", "max_ack_delay of 2^14", integer(0x0b, 1 << 14)},
      {"", "max_ack_delay below 2^14", integer(0x0b, (1 << 14) - 1), goes_on()},
      {"rfc9000-18.2-8 rfc9000-18.2-9", "active_connection_id_limit of 1", integer(0x0e, 1)},
      {"rfc9000-18.2-8 rfc9000-18.2-9", "active_connection_id_limit of 0", integer(0x0e, 0)},
      {"rfc9000-4.6-1",
       "initial_max_streams_bidi beyond 2^60",
       {},
       closes(transport_parameter_error, kCrypto),
       [=](P& p) { p.initial_max_streams_bidi = too_many; }},
      {"rfc9000-4.6-1",
       "initial_max_streams_uni beyond 2^60",
       {},
       closes(transport_parameter_error, kCrypto),
       [=](P& p) { p.initial_max_streams_uni = too_many; }},
      {"",
       "the most streams there can be",
       {},
       goes_on(),
       [=](P& p) { p.initial_max_streams_uni = p.initial_max_streams_bidi = too_many - 1; }},
      {"",
       "no stream, no byte, no time-out",
       {},
       goes_on(),
       [](P& p) {
         const auto id = p.initial_source_connection_id;
         const auto original = p.original_destination_connection_id;
         p = P{};
         p.initial_source_connection_id = id;
         p.original_destination_connection_id = original;
       }},
  };
  run_rows(GetParam(), rows);
}

TEST_P(Parameters, Malformed) {
  const std::vector<Row> rows{
      {"rfc9000-7.4-1", "an integer of no bytes", value_of(0x0a, {})},
      {"rfc9000-7.4-1", "an integer that is cut", value_of(0x0a, {0x40})},
      {"rfc9000-7.4-1", "an integer with more behind it", value_of(0x0a, {3, 3})},
      {"rfc9000-7.4-1", "a flag with a value", value_of(0x0c, {1})},
      {"rfc9000-7.4-1", "longer than what is there", varints({0x0a, 2, 3})},
      {"rfc9000-7.4-1", "an id and no more", varints({0x0a})},
      {"rfc9000-7.4-3 rfc9000-7.4-2", "one twice", join({integer(0x0a, 3), integer(0x0a, 3)})},
      {"rfc9000-7.4-3", "another one twice", integer(0x04, 5)},
      {"rfc9000-7.4-3", "an unknown one twice", join({integer(0x7777, 3), integer(0x7777, 3)})},
      {"rfc9000-7.4.2-1", "unknown ones",
       join({integer(0x7777, 3), value_of(27, zeros(40)),
             value_of((std::uint64_t{31} << 50) + 27, {})}),
       goes_on()},
  };
  run_rows(GetParam(), rows);
}

// RFC 9000 §7.3: the handshake authenticates the connection IDs.
TEST_P(Parameters, ConnectionIdsThatDoNotMatch) {
  using P = wire::TransportParameters;
  const Expected error = closes(transport_parameter_error, kCrypto);
  const ConnectionId other(Octets(8, 0x55));
  const std::vector<Row> rows{
      {"rfc9000-7.3-3",
       "no initial_source_connection_id",
       {},
       error,
       [](P& p) { p.initial_source_connection_id.reset(); }},
      {"rfc9000-7.3-1 rfc9000-7.3-2 rfc9000-7.3-4",
       "another initial_source_connection_id",
       {},
       error,
       [=](P& p) { p.initial_source_connection_id = other; }},
      {"rfc9000-7.3-4",
       "an empty initial_source_connection_id",
       {},
       error,
       [](P& p) { p.initial_source_connection_id = ConnectionId{}; }},
  };
  run_rows(GetParam(), rows);
}

TEST(ParametersOfServers, ThatDoNotMatch) {
  using P = wire::TransportParameters;
  const Expected error = closes(transport_parameter_error, kCrypto);
  const ConnectionId other(Octets(8, 0x55));
  const std::vector<Row> rows{
      {"rfc9000-7.3-3",
       "no original_destination_connection_id",
       {},
       error,
       [](P& p) { p.original_destination_connection_id.reset(); }},
      {"rfc9000-7.3-4 rfc9000-7.3-2",
       "another original_destination_connection_id",
       {},
       error,
       [=](P& p) { p.original_destination_connection_id = other; }},
      {"rfc9000-7.3-4",
       "retry_source_connection_id without a Retry",
       {},
       error,
       [=](P& p) { p.retry_source_connection_id = other; }},
      {"rfc9000-7.4-1", "stateless_reset_token of 15 bytes", value_of(0x02, zeros(15))},
      {"rfc9000-18.2-6 rfc9000-18.2-7", "preferred_address with an empty ID",
       value_of(0x0d, join({zeros(24), {0}, zeros(16)}))},
      {"rfc9000-7.4-1", "preferred_address that is cut", value_of(0x0d, zeros(30))},
      {"", "preferred_address of no address",
       value_of(0x0d, join({zeros(24), {4, 1, 2, 3, 4}, Octets(16, 7)})), goes_on()},
  };
  run_rows(Side::client, rows);
}

// A server that is reached without a connection ID cannot be followed elsewhere.
TEST(ParametersOfServers, APreferredAddressNeedsConnectionIds) {
  const std::vector<Row> rows{
      {"rfc9000-18.2-5 rfc9000-18.2-7", "preferred_address from a server without IDs",
       value_of(0x0d, join({zeros(24), {4, 1, 2, 3, 4}, Octets(16, 7)}))},
  };
  run_rows(Side::client, rows, 0);
}

TEST(ParametersOfServers, FromAClient) {
  const std::vector<Row> rows{
      {"rfc9000-18.2-10 rfc9000-18.2-11", "original_destination_connection_id",
       value_of(0x00, zeros(8))},
      {"rfc9000-18.2-1 rfc9000-18.2-11", "stateless_reset_token", value_of(0x02, zeros(16))},
      {"rfc9000-18.2-10 rfc9000-18.2-11", "preferred_address",
       value_of(0x0d, join({zeros(24), {4, 1, 2, 3, 4}, zeros(16)}))},
      {"rfc9000-18.2-10 rfc9000-18.2-11", "retry_source_connection_id", value_of(0x10, zeros(8))},
  };
  run_rows(Side::server, rows);
}

/// The ids of `bytes`, in their order.
std::vector<std::uint64_t> ids_of(const Octets& bytes) {
  std::vector<std::uint64_t> ids;
  for (Reader in{bytes}; !in.empty();) {
    ids.push_back(in.varint());
    in.bytes(in.varint());
  }
  return ids;
}

// What we send ourselves keeps the same rules: [rfc9000-7.4-2] each once, [rfc9000-18.2-1]
// [rfc9000-18.2-10] none of a server's from a client, [rfc9000-18.2-8] room for two IDs at least.
TEST_P(Parameters, OursKeepTheRules) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  auto ids = ids_of(fixture.adversary.victim_parameter_bytes());
  std::ranges::sort(ids);
  EXPECT_GT(ids.size(), 5U);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end()) << "one is there twice";
  const auto& parameters = fixture.adversary.victim_parameters();
  ASSERT_TRUE(parameters.has_value());
  EXPECT_GE(parameters->active_connection_id_limit, 2U);
  ASSERT_TRUE(parameters->initial_source_connection_id.has_value());
  EXPECT_TRUE(
      equal(parameters->initial_source_connection_id->bytes(), fixture.adversary.victim_cid()));
  const bool client = GetParam() == Side::client;
  for (const std::uint64_t id : {0x00ULL, 0x02ULL, 0x0dULL, 0x10ULL}) {
    if (client) {
      EXPECT_EQ(std::ranges::count(ids, id), 0) << id;
    }
  }
  EXPECT_EQ(parameters->original_destination_connection_id.has_value(), !client);
  if (!client) {
    EXPECT_TRUE(equal(parameters->original_destination_connection_id->bytes(),
                      fixture.adversary.original_dcid()));
  }
}

}  // namespace
}  // namespace qpeer::sim
