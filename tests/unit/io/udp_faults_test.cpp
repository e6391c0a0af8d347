// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the UDP socket does when the kernel fails in ways that loopback never shows.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/io/syscall_faults.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io {
namespace {

using namespace testing_support;

TEST_F(UdpFaults, WouldBlockKeepsTheTrain) {
  UdpSocket socket = open();
  faults.send = {{EAGAIN}, {EAGAIN}};
  EXPECT_EQ(socket.send(train, bytes), false);
  EXPECT_EQ(socket.send(train, bytes), false);
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(socket.stats().send_blocked, 2U);
  EXPECT_EQ(socket.stats().datagrams_lost, 0U);
}

TEST_F(UdpFaults, WouldBlockMidwayContinuesWhereItStopped) {
  UdpSocket socket = open({.gso = false});
  faults.send = {{0, 2}, {EAGAIN}, {0, 1}, {EAGAIN}};
  std::size_t offset = 0;
  EXPECT_EQ(socket.send(train, bytes, offset), false);
  EXPECT_EQ(offset, 2400U);
  EXPECT_EQ(socket.send(train, bytes, offset), false);
  EXPECT_EQ(offset, 3600U);
  EXPECT_EQ(socket.send(train, bytes, offset), true);
  EXPECT_EQ(offset, bytes.size());
  EXPECT_EQ(arrived(), all);
}

TEST_F(UdpFaults, InterruptedCallsAreRepeated) {
  UdpSocket socket = open();
  faults.send = {{EINTR}, {EINTR}};
  faults.receive = {EINTR};
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(socket.stats().send_calls, 3U);
}

// What a kernel, a device or a filter answers to something that it does not take.
constexpr int kRefusals[] = {EIO, EINVAL, EPERM, EACCES, EOPNOTSUPP, EMSGSIZE, ENOPROTOOPT, ENOSYS};
// What it answers because of the network, or for want of memory.
constexpr int kPassing[] = {ENOBUFS,      ENOMEM,    ENETDOWN,     ENETUNREACH,
                            EHOSTUNREACH, EHOSTDOWN, ECONNREFUSED, ECONNRESET};

TEST_F(UdpFaults, ADeviceThatCannotSegmentSwitchesGsoOff) {
  for (const int error : kRefusals) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open();
    faults.refuse_segments = error;
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_FALSE(socket.capabilities().gso);
    EXPECT_TRUE(socket.capabilities().ecn);
    EXPECT_EQ(arrived(), all);
    EXPECT_EQ(socket.stats().datagrams_lost, 0U);
    EXPECT_EQ(socket.stats().datagrams_sent, 5U);
    const auto calls = socket.stats().send_calls;
    EXPECT_EQ(calls, 3U) << "the train, its first datagram, the others";
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_EQ(socket.stats().send_calls, calls + 1) << "not tried again";
    EXPECT_EQ(arrived(), all);
  }
}

TEST_F(UdpFaults, AKernelThatTakesNoMarksSwitchesEcnOff) {
  for (const int error : kRefusals) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open();
    faults.refuse_marks = error;
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_TRUE(socket.capabilities().gso);
    EXPECT_FALSE(socket.capabilities().ecn);
    EXPECT_EQ(arrived(), all);
    EXPECT_EQ(std::exchange(marks, {}), std::vector(5, Ecn::not_ect));
    EXPECT_EQ(socket.stats().datagrams_lost, 0U);
  }
}

// As the first datagram of a handshake.
TEST_F(UdpFaults, AMarkIsLeftOutWithinOneDatagram) {
  train.size = 1200;
  for (const int error : kRefusals) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open();
    faults.refuse_marks = error;
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_FALSE(socket.capabilities().ecn);
    EXPECT_EQ(arrived(), std::vector<std::size_t>{1200});
    EXPECT_EQ(socket.stats().datagrams_lost, 0U);
    EXPECT_EQ(socket.stats().send_calls, 2U);
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_EQ(socket.stats().send_calls, 3U) << "not tried again";
    EXPECT_EQ(arrived(), std::vector<std::size_t>{1200});
  }
}

TEST_F(UdpFaults, SendsWithoutGsoAndEcn) {
  for (const int error : kRefusals) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open();
    faults.refuse_segments = faults.refuse_marks = error;
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_FALSE(socket.capabilities().ecn);
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_FALSE(socket.capabilities().gso);
    EXPECT_EQ(arrived().size(), 10U);
    EXPECT_EQ(socket.stats().datagrams_lost, 0U);
  }
}

// An unreachable network has nothing to do with GSO and ECN, even when it is back at once.
TEST_F(UdpFaults, ATransientErrorSwitchesNothingOff) {
  for (const int error : kPassing) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open();
    for (int i = 0; i < 5; ++i) {
      faults.send = {{error}};
      EXPECT_EQ(socket.send(train, bytes), true);
      EXPECT_EQ(socket.send(train, bytes), true);
      faults.send = {{error}, {error}};
      EXPECT_EQ(socket.send(train, bytes), true);
      EXPECT_EQ(socket.send(train, bytes), true);
      EXPECT_EQ(arrived().size(), 20U);
    }
    EXPECT_TRUE(socket.capabilities().gso);
    EXPECT_TRUE(socket.capabilities().ecn);
    EXPECT_EQ(socket.stats().datagrams_lost, 0U);
  }
}

TEST_F(UdpFaults, ATransientErrorThatRepeatsSwitchesTheOptionOff) {
  for (const int error : kPassing) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket segmenting = open();
    faults.refuse_segments = error;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(segmenting.send(train, bytes), true);
    EXPECT_FALSE(segmenting.capabilities().gso);
    EXPECT_TRUE(segmenting.capabilities().ecn);
    EXPECT_EQ(segmenting.stats().datagrams_lost, 0U);
    faults.refuse_segments = 0;
    UdpSocket marking = open();
    faults.refuse_marks = error;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(marking.send(train, bytes), true);
    EXPECT_TRUE(marking.capabilities().gso);
    EXPECT_FALSE(marking.capabilities().ecn);
    EXPECT_EQ(marking.stats().datagrams_lost, 0U);
    faults.refuse_marks = 0;
    EXPECT_EQ(arrived().size(), 30U);
  }
}

TEST_F(UdpFaults, WouldBlockDuringTheFallbackSwitchesNothingOff) {
  UdpSocket socket = open();
  faults.send = {{EIO}, {EAGAIN}};
  EXPECT_EQ(socket.send(train, bytes), false);
  EXPECT_TRUE(socket.capabilities().gso);
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(arrived(), all);
}

TEST_F(UdpFaults, RefusedDatagramsAreLostAndTheRestLeaves) {
  train.ecn = Ecn::not_ect;  // Nothing to do without: it is the datagram that is refused.
  for (const int error : {EMSGSIZE, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, EPERM, EACCES, ENOBUFS,
                          ENOMEM, ENETDOWN, EADDRNOTAVAIL}) {
    UdpSocket socket = open({.gso = false});
    faults.send = {{error}, {0, 1}, {error}};
    EXPECT_EQ(socket.send(train, bytes), true) << std::strerror(error);
    EXPECT_EQ(socket.stats().datagrams_lost, 2U);
    EXPECT_EQ(socket.stats().datagrams_sent, 3U);
    EXPECT_EQ(socket.stats().last_send_error.value(), error);
    EXPECT_EQ(arrived(), (std::vector<std::size_t>{1200, 1200, 500}));
  }
}

TEST_F(UdpFaults, RefusedDatagramsWithAMarkAreLostAndTheRestLeavesMarked) {
  for (const int error : {EMSGSIZE, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, EPERM, EACCES, ENOBUFS,
                          ENOMEM, ENETDOWN, EADDRNOTAVAIL}) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open({.gso = false});
    // The first and the third datagram: each with its mark, then without.
    faults.send = {{error}, {error}, {0, 1}, {error}, {error}};
    EXPECT_EQ(socket.send(train, bytes), true);
    EXPECT_TRUE(faults.send.empty());
    EXPECT_EQ(socket.stats().send_calls, 6U);
    EXPECT_EQ(socket.stats().datagrams_lost, 2U);
    EXPECT_EQ(socket.stats().datagrams_sent, 3U);
    EXPECT_EQ(socket.stats().last_send_error.value(), error);
    EXPECT_TRUE(socket.capabilities().ecn);
    EXPECT_EQ(arrived(), (std::vector<std::size_t>{1200, 1200, 500}));
    EXPECT_EQ(std::exchange(marks, {}), std::vector(3, Ecn::ect0));
  }
}

TEST_F(UdpFaults, ADatagramThatIsAlwaysRefusedSwitchesNothingOff) {
  for (const int error : {EIO, EMSGSIZE, ENETUNREACH, EPERM, ENOBUFS}) {
    SCOPED_TRACE(std::strerror(error));
    UdpSocket socket = open();
    for (int i = 0; i < 5; ++i) {
      faults.send = {{error}, {error}, {error}};  // The train, a datagram, one without a mark.
      EXPECT_EQ(socket.send(train, bytes), true);
      EXPECT_TRUE(faults.send.empty());
    }
    EXPECT_EQ(socket.stats().datagrams_lost, 25U);
    EXPECT_EQ(socket.stats().last_send_error.value(), error);
    EXPECT_TRUE(socket.capabilities().gso);
    EXPECT_TRUE(socket.capabilities().ecn);
    EXPECT_TRUE(arrived().empty());
  }
}

TEST_F(UdpFaults, ABrokenDescriptorIsFatal) {
  UdpSocket socket = open();
  faults.send = {{EBADF}};
  const auto sent = socket.send(train, bytes);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error(), std::errc::bad_file_descriptor);
  faults.receive = {ENOTSOCK};
  std::vector<u8> slab(UdpSocket::kRegionSize);
  EXPECT_FALSE(socket.receive(slab, [](const ReceivedDatagram&) {}));
}

TEST_F(UdpFaults, ATransientReceiveErrorIsCounted) {
  UdpSocket socket = open();
  faults.receive = {ECONNREFUSED, ENOMEM};
  std::vector<u8> slab(UdpSocket::kRegionSize);
  EXPECT_EQ(socket.receive(slab, [](const ReceivedDatagram&) {}), 0U);
  EXPECT_EQ(socket.receive(slab, [](const ReceivedDatagram&) {}), 0U);
  EXPECT_EQ(socket.stats().receive_errors, 2U);
}

}  // namespace
}  // namespace qpeer::io
