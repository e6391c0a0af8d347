// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an endpoint does about datagrams that the operating system refuses to send. RFC 9000 §14.
#include <gtest/gtest.h>

#include <ctime>
#include <optional>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "qpeer/tests/unit/endpoint/endpoint_fixture.hpp"

namespace qpeer::transport::test {
namespace {

class Refusals : public EndpointFixture {
 protected:
  /// The next connection to end, and why.
  struct Ended {
    ConnectionHandle connection;
    std::string why;
  };
  std::optional<Ended> closed() {
    while (const auto event = endpoint.poll_event()) {
      const auto& activity = std::get<ConnectionActivity>(*event);
      const auto* ended = std::get_if<Closed>(&activity.event);
      if (ended != nullptr) return Ended{activity.connection, to_string(ended->reason)};
    }
    return std::nullopt;
  }

  const SocketAddress server = SocketAddress::loopback4(4433);
};

const std::error_code kTooLarge{EMSGSIZE, std::system_category()};

// RFC 9000 §14 [rfc9000-14-1]: an interface that takes no 1,200 bytes carries no connection. The
// attempt ends at once, not after its ten seconds.
TEST_F(Refusals, ADatagramOfTheLeastSizeThatIsTooLargeEndsTheAttempt) {
  const auto handle = connect(server);
  const auto transmit = poll_transmit();
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->segment_size, 1200U);
  endpoint.on_refused(kNow, *transmit, kTooLarge);
  const auto event = closed();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->connection, handle);
  EXPECT_NE(event->why.find("1,200 bytes"), std::string::npos) << event->why;
  // What is left to be sent may be refused as well, which changes nothing.
  while (const auto last = poll_transmit()) endpoint.on_refused(kNow, *last, kTooLarge);
  EXPECT_FALSE(closed());
}

TEST_F(Refusals, ASocketThatLacksTheFamilyEndsTheAttempt) {
  const auto handle = connect(*SocketAddress::parse("[2001:db8::1]:4433"));
  const auto transmit = poll_transmit();
  ASSERT_TRUE(transmit);
  endpoint.on_refused(kNow, *transmit, {EAFNOSUPPORT, std::system_category()});
  const auto event = closed();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->connection, handle);
}

TEST_F(Refusals, ARefusalOnOnePathEndsNoAttemptOnAnother) {
  const auto first = connect(server);
  (void)connect(server.with_port(4434));
  endpoint.on_refused(kNow, {.path = {.local = {}, .remote = server}, .size = 1200}, kTooLarge);
  const auto event = closed();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->connection, first);
  EXPECT_FALSE(closed());
}

// The interface carries 1,200 bytes and no more: the ClientHello leaves again at once in datagrams of
// that size, not after two time-outs of loss recovery.
TEST_F(Refusals, LargerDatagramsThatAreTooLargeBecomeSmallerAtOnce) {
  (void)connect(server, {.max_datagram_size = 1452});
  const auto large = poll_transmit();
  ASSERT_TRUE(large);
  ASSERT_GT(large->segment_size, 1200U);
  ASSERT_FALSE(poll_transmit());
  endpoint.on_refused(kNow, *large, kTooLarge);
  const auto small = poll_transmit();
  ASSERT_TRUE(small) << "nothing is sent again";
  EXPECT_LE(small->segment_size, 1200U);
  EXPECT_GT(small->size, 1200U) << "the ClientHello takes two datagrams";
  EXPECT_FALSE(poll_transmit());
  EXPECT_FALSE(closed());
  endpoint.on_refused(kNow, *small, kTooLarge);
  EXPECT_TRUE(closed()) << "1,200 bytes are too large as well";
}

TEST_F(Refusals, ARefusalOnAnotherPathMakesNoDatagramSmaller) {
  (void)connect(server, {.max_datagram_size = 1452});
  auto large = poll_transmit();
  ASSERT_TRUE(large);
  large->path.remote = server.with_port(4434);
  endpoint.on_refused(kNow, *large, kTooLarge);
  EXPECT_FALSE(poll_transmit());
}

TEST_F(Refusals, AttemptsAreCountedWhileTheyAreInFlight) {
  EXPECT_EQ(endpoint.stats().attempts, 0U);
  (void)connect(server);
  (void)connect(server);
  (void)connect(server.with_port(4434));
  EXPECT_EQ(endpoint.stats().attempts, 3U);
  endpoint.on_refused(kNow, {.path = {.local = {}, .remote = server}, .size = 1200}, kTooLarge);
  EXPECT_TRUE(closed());
  EXPECT_TRUE(closed());
  EXPECT_FALSE(closed());
  EXPECT_EQ(endpoint.stats().attempts, 1U);
}

const std::error_code kInvalid{EINVAL, std::system_category()};
const std::error_code kNoAddress{EADDRNOTAVAIL, std::system_category()};

// As of a link-local address without its zone.
TEST_F(Refusals, AnAddressThatTheSystemRejectsEndsTheAttempt) {
  (void)connect(server);
  const auto transmit = poll_transmit();
  ASSERT_TRUE(transmit);
  ASSERT_FALSE(transmit->path.local.valid());
  endpoint.on_refused(kNow, *transmit, kInvalid);
  EXPECT_TRUE(closed());
}

// RFC 9000 §9 [rfc9000-9-1].
TEST_F(Refusals, AnAttemptFromALocalAddressThatIsGoneEnds) {
  const SocketAddress local = SocketAddress::ipv4({10, 0, 0, 1}, 1);
  for (const std::error_code error : {kInvalid, kNoAddress}) {
    (void)connect(server, {}, local);
    const auto transmit = poll_transmit();
    ASSERT_TRUE(transmit);
    ASSERT_EQ(transmit->path.local, local);
    endpoint.on_refused(kNow, *transmit, error);
    const auto event = closed();
    ASSERT_TRUE(event);
    EXPECT_NE(event->why.find("address is gone"), std::string::npos);
    (void)poll_all();
  }
  (void)connect(server, {}, local);
  (void)connect(server);
  endpoint.on_local_address_gone(kNow, local.with_port(0));
  EXPECT_TRUE(closed());
  EXPECT_FALSE(closed()) << "the other one names no local address";
}

// Each server is asked about, and only where an address is known.
TEST_F(Refusals, NoRouteIsAskedForWhereTheSystemChoosesAnyway) {
  (void)connect(server);
  int asked = 0;
  endpoint.on_routes_changed(kNow, [&asked](const SocketAddress&) {
    ++asked;
    return SocketAddress{};
  });
  EXPECT_EQ(asked, 0);
  EXPECT_FALSE(closed());
}

// The system has no address yet for the one that it would choose.
TEST_F(Refusals, AnAttemptWaitsForALocalAddressThatIsStillToCome) {
  (void)connect(server);
  const auto transmit = poll_transmit();
  ASSERT_TRUE(transmit);
  endpoint.on_refused(kNow, *transmit, kNoAddress);
  EXPECT_FALSE(closed());
}

/// How a datagram begins that was refused.
class ClosedPorts : public Refusals {
 protected:
  std::vector<u8> first_datagram() {
    const auto transmit = poll_transmit();
    EXPECT_TRUE(transmit);
    const Bytes sent = storage();
    return {sent.begin(), sent.begin() + 64};
  }
};

TEST_F(ClosedPorts, EndTheAttemptWhoseDatagramIsQuoted) {
  const auto first = connect(server);
  const auto quoted = first_datagram();
  (void)connect(server);
  endpoint.on_port_closed(kNow, server, quoted);
  const auto event = closed();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->connection, first);
  EXPECT_NE(event->why.find("closed"), std::string::npos);
  EXPECT_FALSE(closed());
  (void)poll_all();
  EXPECT_EQ(endpoint.stats().connections, 1U) << "it has nobody to take leave of";
}

// A host that is not on the path does not know the connection ID.
TEST_F(ClosedPorts, ForgedOnesEndNothing) {
  (void)connect(server);
  auto quoted = first_datagram();
  endpoint.on_port_closed(kNow, server.with_port(4434), quoted);
  endpoint.on_port_closed(kNow, server, {});
  for (std::size_t size = 0; size < 23; ++size) {
    endpoint.on_port_closed(kNow, server, Bytes(quoted).first(size));
  }
  quoted[10] ^= 1;
  endpoint.on_port_closed(kNow, server, quoted);
  quoted[10] ^= 1;
  quoted[20] ^= 1;  // In our own connection ID.
  endpoint.on_port_closed(kNow, server, quoted);
  quoted[20] ^= 1;
  quoted[0] &= 0x7f;
  endpoint.on_port_closed(kNow, server, quoted);
  EXPECT_FALSE(closed());
}

// Anybody can have the kernel report some, for all that they need to quote is our port.
TEST_F(ClosedPorts, OfManyAttemptsEachCostsNoMore) {
  constexpr int kMessages = 2'000;
  (void)connect(server);
  auto quoted = first_datagram();
  quoted[10] ^= 1;
  const auto time_of_messages = [&] {
    const std::clock_t begin = std::clock();
    for (int i = 0; i < kMessages; ++i) endpoint.on_port_closed(kNow, server, quoted);
    return std::clock() - begin;
  };
  const std::clock_t few = time_of_messages();
  for (int i = 0; i < 200; ++i) (void)connect(server);
  const std::clock_t many = time_of_messages();
  EXPECT_LE(many, 10 * few + CLOCKS_PER_SEC / 1'000) << "all attempts are looked at";
  EXPECT_FALSE(closed());
}

TEST_F(ClosedPorts, EndTheAttemptWithoutAConnectionIdToo) {
  const auto handle = connect(server, {.zero_length_connection_id = true});
  endpoint.on_port_closed(kNow, server, first_datagram());
  const auto event = closed();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->connection, handle);
}

TEST_F(ClosedPorts, EndNoAttemptThatWaitsForItsServer) {
  const auto tls = crypto::make_tls_context({.alpn = {"test/1"}});
  ASSERT_TRUE(tls);
  ASSERT_TRUE(endpoint.connect(kNow, server, {.tls = *tls, .ends_at_closed_port = false}));
  endpoint.on_port_closed(kNow, server, first_datagram());
  EXPECT_FALSE(closed());
}

// A larger one is no reason to end; a network may come back, and memory be free again.
TEST_F(Refusals, ATransientRefusalEndsNothing) {
  (void)connect(server);
  Transmit transmit{.path = {.local = {}, .remote = server}, .size = 1201, .segment_size = 1201};
  endpoint.on_refused(kNow, transmit, kTooLarge);
  transmit.size = transmit.segment_size = 1200;
  for (const int error : {ENETUNREACH, EHOSTUNREACH, ENETDOWN, ECONNREFUSED, EPERM, ENOBUFS}) {
    endpoint.on_refused(kNow, transmit, {error, std::system_category()});
  }
  EXPECT_FALSE(closed());
  EXPECT_TRUE(poll_transmit());
}

}  // namespace
}  // namespace qpeer::transport::test
