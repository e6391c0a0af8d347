// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The UDP socket on the loopback interface: every ability, and doing without it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "qpeer/tests/io/udp_fixture.hpp"

namespace qpeer::io {
namespace {

using namespace testing_support;

// --- Both families, with and without offloads: the same datagrams arrive. ---

struct Mode {
  const char* name;
  bool ipv6;
  bool gso;
  bool gro;
};

class UdpSocketModes : public testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    if (GetParam().ipv6) SKIP_WITHOUT_IPV6();
  }
  static UdpSocket open() {
    return bind_to(GetParam().ipv6 ? "[::1]:0" : "127.0.0.1:0",
                   {.gso = GetParam().gso, .gro = GetParam().gro});
  }
};
INSTANTIATE_TEST_SUITE_P(
    All, UdpSocketModes,
    testing::Values(Mode{"V4", false, true, true}, Mode{"V4NoGso", false, false, true},
                    Mode{"V4NoGro", false, true, false}, Mode{"V4Plain", false, false, false},
                    Mode{"V6", true, true, true}, Mode{"V6Plain", true, false, false}),
    [](const auto& info) { return info.param.name; });

TEST_P(UdpSocketModes, DeliverATrainAsItsSegments) {
  struct Shape {
    std::size_t size;
    std::size_t segment;
  };
  // One; a few with a short last one; full ones only; the longest; more than one call takes.
  for (const auto& [size, segment] :
       {Shape{1, 1200}, Shape{1200, 1200}, Shape{5 * 1350 + 17, 1350}, Shape{4 * 1452, 1452},
        Shape{64 * 1000, 1000}, Shape{48 * 1350, 1350}, Shape{65'000, 1472},
        Shape{100 * 600 + 1, 600}, Shape{3 * 30'000, 30'000}}) {
    UdpSocket sender = open();
    UdpSocket receiver = open();
    const auto bytes = pattern(size);
    send(sender, receiver.local_address(), bytes, segment);
    const auto received = receive(receiver, (size + segment - 1) / segment);
    std::vector<u8> joined;
    for (std::size_t i = 0; i < received.size(); ++i) {
      EXPECT_EQ(received[i].payload.size(), std::min(segment, size - i * segment));
      EXPECT_EQ(received[i].path.remote, sender.local_address());
      EXPECT_EQ(received[i].path.local, receiver.local_address());
      joined.insert(joined.end(), received[i].payload.begin(), received[i].payload.end());
    }
    EXPECT_EQ(joined, bytes) << size << " in segments of " << segment;
    EXPECT_EQ(sender.stats().datagrams_sent, received.size());
    EXPECT_EQ(sender.stats().bytes_sent, size);
    EXPECT_EQ(sender.stats().datagrams_lost, 0U);
    EXPECT_EQ(receiver.stats().datagrams_received, received.size());
    EXPECT_EQ(receiver.stats().bytes_received, size);
  }
}

TEST_P(UdpSocketModes, KeepTheOrderOverManyTrains) {
  UdpSocket sender = open();
  UdpSocket receiver = open();
  std::vector<u8> sent;
  std::size_t count = 0;
  for (unsigned i = 0; i < 12; ++i) {
    const auto bytes = pattern(1000 + i * 997, i);
    send(sender, receiver.local_address(), bytes, 1200);
    sent.insert(sent.end(), bytes.begin(), bytes.end());
    count += (bytes.size() + 1199) / 1200;
  }
  std::vector<u8> joined;
  for (const Copy& datagram : receive(receiver, count, 3)) {
    joined.insert(joined.end(), datagram.payload.begin(), datagram.payload.end());
  }
  EXPECT_EQ(joined, sent);
}

TEST_P(UdpSocketModes, TellWhatTheySupport) {
  const UdpSocket socket = open();
  EXPECT_EQ(socket.capabilities().gso, GetParam().gso);
  EXPECT_EQ(socket.capabilities().gro, GetParam().gro);
  EXPECT_TRUE(socket.capabilities().ecn);
  EXPECT_TRUE(socket.capabilities().dont_fragment);
  EXPECT_FALSE(socket.capabilities().dual_stack);
  EXPECT_GT(socket.capabilities().send_buffer, 0U);
  EXPECT_GT(socket.capabilities().receive_buffer, 0U);
}

TEST(UdpSocket, SendsATrainByOneCallAndReceivesItByOne) {
  UdpSocket sender = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("127.0.0.1:0");
  send(sender, receiver.local_address(), pattern(48 * 1350), 1350);
  receive(receiver, 48);
  EXPECT_EQ(sender.stats().send_calls, 1U);
  EXPECT_EQ(receiver.stats().receive_calls, 1U);
}

TEST(UdpSocket, WithoutGsoStillNeedsOneCallForATrain) {
  UdpSocket sender = bind_to("127.0.0.1:0", {.gso = false});
  UdpSocket receiver = bind_to("127.0.0.1:0");
  send(sender, receiver.local_address(), pattern(48 * 1350), 1350);
  receive(receiver, 48);
  EXPECT_EQ(sender.stats().send_calls, 1U);
}

TEST(UdpSocket, ReceivesNothingWhenThereIsNothing) {
  UdpSocket socket = bind_to("127.0.0.1:0");
  std::vector<u8> slab(UdpSocket::kRegionSize);
  const auto received = socket.receive(slab, [](const ReceivedDatagram&) { FAIL(); });
  ASSERT_TRUE(received);
  EXPECT_EQ(*received, 0U);
}

// --- ECN. ---

class UdpSocketEcn : public testing::TestWithParam<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Paths, UdpSocketEcn,
                         testing::Values(std::pair{"127.0.0.1:0", "127.0.0.1:0"},
                                         std::pair{"[::1]:0", "[::1]:0"},
                                         std::pair{"[::]:0", "[::]:0"},       // IPv6 on dual stack.
                                         std::pair{"[::]:0", "127.0.0.1:0"},  // From IPv4-mapped.
                                         std::pair{"127.0.0.1:0", "[::]:0"}));  // To IPv4-mapped.

// Where to reach `socket` from `peer`.
SocketAddress reach(const UdpSocket& socket, const UdpSocket& peer) {
  const SocketAddress& local = socket.local_address();
  if (local.octets().back() != 0) return local;
  return address(peer.local_address().is_ipv4() ? "127.0.0.1:0" : "[::1]:0")
      .with_port(local.port());
}

TEST_P(UdpSocketEcn, MarksCrossAlsoOnTrains) {
  const auto& [from, to] = GetParam();
  if (*from == '[' || *to == '[') SKIP_WITHOUT_IPV6();
  UdpSocket sender = bind_to(from);
  UdpSocket receiver = bind_to(to);
  const auto bytes = pattern(3 * 1200);
  for (const Ecn mark : {Ecn::ect0, Ecn::ect1, Ecn::ce, Ecn::not_ect}) {
    for (const std::size_t segment : {std::size_t{1200}, bytes.size()}) {
      send(sender, reach(receiver, sender), bytes, segment, mark);
      for (const Copy& in : receive(receiver, bytes.size() / segment)) EXPECT_EQ(in.ecn, mark);
    }
  }
}

TEST(UdpSocket, WithoutEcnSendsNoMarkAndHearsNone) {
  UdpSocket sender = bind_to("127.0.0.1:0", {.ecn = false});
  UdpSocket marking = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("127.0.0.1:0");
  UdpSocket deaf = bind_to("127.0.0.1:0", {.ecn = false});
  EXPECT_FALSE(sender.capabilities().ecn);
  send(sender, receiver.local_address(), pattern(100), 100, Ecn::ect0);
  EXPECT_EQ(receive(receiver, 1)[0].ecn, Ecn::not_ect);
  send(marking, deaf.local_address(), pattern(100), 100, Ecn::ect0);
  EXPECT_EQ(receive(deaf, 1)[0].ecn, Ecn::not_ect);
}

// --- Addresses. ---

TEST(UdpSocket, BoundToAWildcardKnowsWhichAddressWasMeant) {
  UdpSocket sender = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("0.0.0.0:0");
  const std::uint16_t port = receiver.local_address().port();
  for (const char* host : {"127.0.0.1:0", "127.0.0.2:0"}) {
    send(sender, address(host).with_port(port), pattern(2400), 1200);
    for (const Copy& in : receive(receiver, 2)) {
      EXPECT_EQ(in.path.local, address(host).with_port(port));
      EXPECT_EQ(in.path.remote, sender.local_address());
    }
  }
}

TEST(UdpSocket, LeavesFromTheAddressThatThePathNames) {
  UdpSocket receiver = bind_to("127.0.0.1:0");
  UdpSocket sender = bind_to("0.0.0.0:0");
  const std::uint16_t port = sender.local_address().port();
  for (const char* host : {"127.0.0.1:0", "127.0.0.2:0"}) {
    send(sender, receiver.local_address(), pattern(2400), 1200, Ecn::ect0, address(host));
    for (const Copy& in : receive(receiver, 2)) {
      EXPECT_EQ(in.path.remote, address(host).with_port(port));
    }
  }
  // A wildcard is no choice.
  send(sender, receiver.local_address(), pattern(100), 100, Ecn::ect0, sender.local_address());
  EXPECT_EQ(receive(receiver, 1)[0].path.remote, address("127.0.0.1:0").with_port(port));
}

TEST(UdpSocket, OnDualStackSpeaksBothFamilies) {
  SKIP_WITHOUT_IPV6();
  UdpSocket both = bind_to("[::]:0");
  EXPECT_TRUE(both.capabilities().dual_stack);
  const std::uint16_t port = both.local_address().port();
  for (const char* host : {"127.0.0.1:0", "127.0.0.2:0", "[::1]:0"}) {
    UdpSocket peer = bind_to(*host == '[' ? "[::1]:0" : "127.0.0.1:0");
    send(peer, address(host).with_port(port), pattern(2400), 1200, Ecn::ect0);
    const auto question = receive(both, 2);
    EXPECT_EQ(question[0].path.local, address(host).with_port(port));
    EXPECT_EQ(question[0].path.remote, peer.local_address());
    // The answer leaves from the address that was asked.
    send(both, question[0].path.remote, pattern(3000), 1200, Ecn::ce, question[0].path.local);
    for (const Copy& in : receive(peer, 3)) {
      EXPECT_EQ(in.path.remote, address(host).with_port(port));
      EXPECT_EQ(in.ecn, Ecn::ce);
    }
  }
}

TEST(UdpSocket, WithoutDualStackTheWildcardIsIpv6Only) {
  SKIP_WITHOUT_IPV6();
  const UdpSocket v6 = bind_to("[::]:0", {.dual_stack = false});
  EXPECT_FALSE(v6.capabilities().dual_stack);
  // The port is free for IPv4.
  EXPECT_TRUE(UdpSocket::bind(address("0.0.0.0:0").with_port(v6.local_address().port())));
}

// The kernel says that the network is unreachable, which may pass; this never does.
TEST(UdpSocket, AnIpv6SocketWithoutDualStackRefusesIpv4ForGood) {
  SKIP_WITHOUT_IPV6();
  UdpSocket only = bind_to("[::]:0", {.dual_stack = false});
  send(only, address("127.0.0.1:443"), pattern(2400), 1200);
  EXPECT_EQ(only.stats().datagrams_lost, 2U);
  EXPECT_EQ(only.stats().last_send_error, std::errc::address_family_not_supported);
  UdpSocket bound = bind_to("[::1]:0");
  send(bound, address("127.0.0.1:443"), pattern(100), 100);
  EXPECT_EQ(bound.stats().last_send_error, std::errc::address_family_not_supported);
}

TEST(UdpSocket, WithoutPacketInfoNamesTheBoundAddress) {
  UdpSocket sender = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("0.0.0.0:0", {.packet_info = false});
  EXPECT_FALSE(receiver.capabilities().packet_info);
  send(sender, reach(receiver, sender), pattern(10), 10);
  EXPECT_EQ(receive(receiver, 1)[0].path.local, receiver.local_address());
}

TEST(UdpSocket, RefusesAPortInUse) {
  const UdpSocket first = bind_to("127.0.0.1:0");
  const auto second = UdpSocket::bind(first.local_address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), std::errc::address_in_use);
}

TEST(UdpSocket, SharesAPortWhenBothWantTo) {
  const UdpSocket first = bind_to("127.0.0.1:0", {.reuse_port = true});
  EXPECT_TRUE(UdpSocket::bind(first.local_address(), {.reuse_port = true}));
  EXPECT_FALSE(UdpSocket::bind(first.local_address()));
}

TEST(UdpSocket, RefusesAnAddressThatIsNotOurs) {
  const auto socket = UdpSocket::bind(address("192.0.2.1:0"));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error(), std::errc::address_not_available);
  const auto none = UdpSocket::bind(SocketAddress{});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), std::errc::invalid_argument);
}

TEST(UdpSocket, MovesWithItsDescriptor) {
  UdpSocket first = bind_to("127.0.0.1:0");
  const SocketAddress where = first.local_address();
  const int fd = first.fd();
  UdpSocket second = std::move(first);
  EXPECT_EQ(second.fd(), fd);
  EXPECT_EQ(second.local_address(), where);
  second = bind_to("127.0.0.1:0");
  EXPECT_TRUE(UdpSocket::bind(where)) << "the port of the replaced one is free again";
}

// --- What the kernel refuses is lost, never fatal. ---

TEST(UdpSocket, CountsAnOversizeDatagramAsLost) {
  UdpSocket sender = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("127.0.0.1:0");
  send(sender, receiver.local_address(), pattern(65'508), 65'508);  // The most is 65,507.
  EXPECT_EQ(sender.stats().datagrams_lost, 1U);
  EXPECT_EQ(sender.stats().datagrams_sent, 0U);
  EXPECT_EQ(sender.stats().last_send_error, std::errc::message_size);
  send(sender, receiver.local_address(), pattern(2400), 1200);
  receive(receiver, 2);
  EXPECT_EQ(sender.stats().datagrams_lost, 1U);
  EXPECT_TRUE(sender.capabilities().gso);
}

TEST(UdpSocket, CountsAnUnreachableDestinationAsLost) {
  UdpSocket bound = bind_to("127.0.0.1:0");
  send(bound, address("192.0.2.1:443"), pattern(2400), 1200);  // Loopback cannot leave the host.
  EXPECT_EQ(bound.stats().datagrams_lost, 2U);
  send(bound, address("[2001:db8::1]:443"), pattern(2400), 1200);  // The wrong family.
  EXPECT_EQ(bound.stats().datagrams_lost, 4U);
  send(bound, SocketAddress{}, pattern(2400), 1200);
  EXPECT_EQ(bound.stats().datagrams_lost, 6U);
  EXPECT_TRUE(bound.capabilities().gso) << "it is not segmentation that failed";
}

TEST(UdpSocket, KeepsItsAbilitiesWhenAnAddressIsBad) {
  UdpSocket sender = bind_to("0.0.0.0:0");
  send(sender, SocketAddress::loopback4(0), pattern(2400), 1200, Ecn::ect0);  // EINVAL: port 0.
  EXPECT_EQ(sender.stats().datagrams_lost, 2U);
  send(sender, SocketAddress::loopback4(9), pattern(2400), 1200, Ecn::ect0,
       address("192.0.2.1:0"));  // EINVAL: a source that is not ours.
  EXPECT_EQ(sender.stats().datagrams_lost, 4U);
  EXPECT_TRUE(sender.capabilities().gso);
  EXPECT_TRUE(sender.capabilities().ecn);
}

TEST(UdpSocket, DoesNotMindThatNobodyListens) {
  UdpSocket sender = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("127.0.0.1:0");
  SocketAddress nobody;
  {
    const UdpSocket gone = bind_to("127.0.0.1:0");
    nobody = gone.local_address();
  }
  for (int i = 0; i < 3; ++i) send(sender, nobody, pattern(2400), 1200);
  send(sender, receiver.local_address(), pattern(100), 100);
  receive(receiver, 1);
  EXPECT_EQ(sender.stats().datagrams_lost, 0U);
}

TEST(UdpSocket, DropsWhatTheReceiveBufferCannotHoldWithoutAnError) {
  UdpSocket sender = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("127.0.0.1:0", {.buffer_size = 4096});
  for (int i = 0; i < 100; ++i) send(sender, receiver.local_address(), pattern(1200), 1200);
  EXPECT_EQ(sender.stats().datagrams_sent, 100U);
  std::vector<u8> slab(UdpSocket::kMaxRegions * UdpSocket::kRegionSize);
  std::size_t count = 0;
  while (const std::size_t n = *receiver.receive(slab, [](const ReceivedDatagram&) {})) count += n;
  EXPECT_GT(count, 0U);
  EXPECT_LT(count, 100U);
}

/// Waits until the socket has learned of a closed port.
std::vector<ClosedPort> closed_ports_of(UdpSocket& socket) {
  std::vector<u8> slab(UdpSocket::kRegionSize);
  EventLoop loop;
  auto watch = loop.watch(socket.fd(), Interest::read, [&](Ready, Instant) {
    EXPECT_EQ(socket.receive(slab, [](const ReceivedDatagram&) {}), 0U);
  });
  EXPECT_TRUE(watch);
  EXPECT_TRUE(loop.run_until([&] { return socket.has_closed_ports(); }, now() + kLong));
  return socket.take_closed_ports();
}

TEST(UdpSocket, LearnsThatAPortIsClosed) {
  for (const char* const host : {"127.0.0.1:0", "[::1]:0"}) {
    if (host[0] == '[' && !has_ipv6()) continue;
    const SocketAddress nobody = bind_to(host).local_address();
    UdpSocket socket = bind_to(host);
    EXPECT_TRUE(socket.capabilities().closed_ports);
    const std::vector<u8> bytes = pattern(1200);
    send(socket, nobody, bytes, 1200);
    const auto closed = closed_ports_of(socket);
    ASSERT_EQ(closed.size(), 1U);
    EXPECT_EQ(closed[0].remote, nobody);
    EXPECT_TRUE(equal(closed[0].quoted(), Bytes(bytes).first(ClosedPort::kMaxQuoted)));
    EXPECT_FALSE(socket.has_closed_ports());
  }
}

// The kernel fails the next call of the socket, whatever that sends and to whom.
TEST(UdpSocket, AnErrorOfOneDatagramCostsNoOther) {
  const SocketAddress nobody = bind_to("127.0.0.1:0").local_address();
  UdpSocket socket = bind_to("127.0.0.1:0");
  UdpSocket receiver = bind_to("127.0.0.1:0");
  const std::vector<u8> bytes = pattern(48 * 1000);
  for (int i = 0; i < 100; ++i) {
    send(socket, nobody, Bytes(bytes).first(1000), 1000);
    send(socket, receiver.local_address(), bytes, 1000, Ecn::ect0);
    EXPECT_EQ(receive(receiver, 48).size(), 48U);
  }
  EXPECT_EQ(socket.stats().datagrams_lost, 0U);
  EXPECT_EQ(socket.capabilities().gso, bind_to("127.0.0.1:0").capabilities().gso);
  EXPECT_TRUE(socket.capabilities().ecn);
  EXPECT_LE(socket.take_closed_ports().size(), UdpSocket::kMaxClosedPorts);
}

TEST(UdpSocket, KeepsFewClosedPorts) {
  const SocketAddress nobody = bind_to("127.0.0.1:0").local_address();
  UdpSocket socket = bind_to("127.0.0.1:0");
  const std::vector<u8> bytes = pattern(100);
  for (int i = 0; i < 200; ++i) send(socket, nobody, bytes, 100);
  EXPECT_EQ(socket.take_closed_ports().size(), UdpSocket::kMaxClosedPorts);
}

}  // namespace
}  // namespace qpeer::io
