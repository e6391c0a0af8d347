// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the UDP socket does when the kernel fails in ways that loopback never shows. The system
// calls below take the place of the C library's in this program, and fail as a test orders.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <vector>

#include "qpeer/transport/io/driver.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace {

struct Fault {
  int error = 0;      // 0: the call goes through.
  int at_most = 100;  // Of the messages of a sendmmsg.
};
std::deque<Fault> send_faults;  // One for each call to come; then all go through.
std::deque<int> receive_faults;
bool refuse_segments = false;  // As a device without checksum offload.
bool refuse_marks = false;     // As a kernel without IP_TOS control messages.

bool has_control(const msghdr& message, int level, int type) {
  auto& changeable = const_cast<msghdr&>(message);
  for (cmsghdr* c = CMSG_FIRSTHDR(&changeable); c != nullptr; c = CMSG_NXTHDR(&changeable, c)) {
    if (c->cmsg_level == level && c->cmsg_type == type) return true;
  }
  return false;
}

constexpr int kSolUdp = 17;
constexpr int kUdpSegment = 103;
constexpr int kIpTos = 1;

int fault_of(const msghdr& message, int& at_most) {
  if (refuse_segments && has_control(message, kSolUdp, kUdpSegment)) return EIO;
  if (refuse_marks && has_control(message, 0, kIpTos)) return EINVAL;
  if (send_faults.empty()) return 0;
  const Fault fault = send_faults.front();
  send_faults.pop_front();
  at_most = fault.at_most;
  return fault.error;
}

}  // namespace

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  int at_most = 0;
  errno = fault_of(*message, at_most);
  return errno != 0 ? -1 : ::syscall(SYS_sendmsg, fd, message, flags);
}

extern "C" int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  int at_most = static_cast<int>(count);
  errno = fault_of(messages->msg_hdr, at_most);
  if (errno != 0) return -1;
  const unsigned cut = std::min(count, static_cast<unsigned>(at_most));
  return static_cast<int>(::syscall(SYS_sendmmsg, fd, messages, cut, flags));
}

extern "C" int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  if (!receive_faults.empty()) {
    errno = receive_faults.front();
    receive_faults.pop_front();
    return -1;
  }
  return static_cast<int>(::syscall(SYS_recvmmsg, fd, messages, count, flags, timeout));
}

namespace qpeer::io {
namespace {

UdpSocket open(const UdpOptions& options = {}) {
  auto out = UdpSocket::bind(SocketAddress::loopback4(0), options);
  if (!out) throw std::system_error(out.error());
  return std::move(*out);
}

class UdpFaults : public testing::Test {
 protected:
  void SetUp() override { TearDown(); }
  void TearDown() override {
    send_faults.clear();
    receive_faults.clear();
    refuse_segments = refuse_marks = false;
  }
  /// The sizes of what arrived.
  std::vector<std::size_t> arrived() {
    std::vector<u8> slab(UdpSocket::kMaxRegions * UdpSocket::kRegionSize);
    std::vector<std::size_t> sizes;
    std::vector<u8> joined;
    for (;;) {
      const auto n = receiver.receive(slab, [&](const ReceivedDatagram& in) {
        sizes.push_back(in.payload.size());
        marks.push_back(in.ecn);
        joined.insert(joined.end(), in.payload.begin(), in.payload.end());
      });
      EXPECT_TRUE(n);
      if (!n || *n == 0) break;
    }
    // Whole trains, one after another, come unharmed.
    for (std::size_t at = 0; sizes.size() % 5 == 0 && at < joined.size(); at += bytes.size()) {
      EXPECT_TRUE(equal(Bytes(joined).subspan(at, bytes.size()), bytes));
    }
    return sizes;
  }
  static std::vector<u8> numbered() {
    std::vector<u8> out(4 * 1200 + 500);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<u8>(i * 31 + i / 256);
    return out;
  }

  UdpSocket receiver = open();
  const std::vector<u8> bytes = numbered();
  const std::vector<std::size_t> all{1200, 1200, 1200, 1200, 500};
  std::vector<Ecn> marks;
  Transmit train{.path = {.local = {}, .remote = receiver.local_address()},
                 .ecn = Ecn::ect0,
                 .size = bytes.size(),
                 .segment_size = 1200};
};

TEST_F(UdpFaults, WouldBlockKeepsTheTrain) {
  UdpSocket socket = open();
  send_faults = {{EAGAIN}, {EAGAIN}};
  EXPECT_EQ(socket.send(train, bytes), false);
  EXPECT_EQ(socket.send(train, bytes), false);
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(socket.stats().send_blocked, 2U);
  EXPECT_EQ(socket.stats().datagrams_lost, 0U);
}

TEST_F(UdpFaults, WouldBlockMidwayContinuesWhereItStopped) {
  UdpSocket socket = open({.gso = false});
  send_faults = {{0, 2}, {EAGAIN}, {0, 1}, {EAGAIN}};
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
  send_faults = {{EINTR}, {EINTR}};
  receive_faults = {EINTR};
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(socket.stats().send_calls, 3U);
}

TEST_F(UdpFaults, ADeviceThatCannotSegmentSwitchesGsoOff) {
  UdpSocket socket = open();
  refuse_segments = true;
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_FALSE(socket.capabilities().gso);
  EXPECT_TRUE(socket.capabilities().ecn);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(socket.stats().datagrams_lost, 0U);
  EXPECT_EQ(socket.stats().datagrams_sent, 5U);
  const auto calls = socket.stats().send_calls;
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(socket.stats().send_calls, calls + 1) << "not tried again";
}

TEST_F(UdpFaults, AKernelThatTakesNoMarksSwitchesEcnOff) {
  UdpSocket socket = open();
  refuse_marks = true;
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_TRUE(socket.capabilities().gso);
  EXPECT_FALSE(socket.capabilities().ecn);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(marks, std::vector(5, Ecn::not_ect));
}

TEST_F(UdpFaults, WithNeitherItStillSends) {
  UdpSocket socket = open();
  refuse_segments = refuse_marks = true;
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_FALSE(socket.capabilities().ecn);
  EXPECT_EQ(arrived(), all);
  EXPECT_EQ(socket.stats().datagrams_lost, 0U);
}

TEST_F(UdpFaults, WouldBlockWhileItFindsOutDecidesNothing) {
  UdpSocket socket = open();
  send_faults = {{EIO}, {EAGAIN}};
  EXPECT_EQ(socket.send(train, bytes), false);
  EXPECT_TRUE(socket.capabilities().gso);
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(arrived(), all);
}

TEST_F(UdpFaults, RefusedDatagramsAreLostAndTheRestLeaves) {
  for (const int error : {EMSGSIZE, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, EPERM, EACCES, ENOBUFS,
                          ENOMEM, ENETDOWN, EADDRNOTAVAIL}) {
    UdpSocket socket = open({.gso = false});
    send_faults = {{error}, {0, 1}, {error}};
    EXPECT_EQ(socket.send(train, bytes), true) << std::strerror(error);
    EXPECT_EQ(socket.stats().datagrams_lost, 2U);
    EXPECT_EQ(socket.stats().datagrams_sent, 3U);
    EXPECT_EQ(socket.stats().last_send_error.value(), error);
    EXPECT_EQ(arrived(), (std::vector<std::size_t>{1200, 1200, 500}));
  }
}

TEST_F(UdpFaults, ARefusedTrainIsLostAsAWhole) {
  UdpSocket socket = open();
  send_faults = {{ENOBUFS}};
  EXPECT_EQ(socket.send(train, bytes), true);
  EXPECT_EQ(socket.stats().datagrams_lost, 5U);
  EXPECT_TRUE(arrived().empty());
}

TEST_F(UdpFaults, ABrokenDescriptorIsFatal) {
  UdpSocket socket = open();
  send_faults = {{EBADF}};
  const auto sent = socket.send(train, bytes);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error(), std::errc::bad_file_descriptor);
  receive_faults = {ENOTSOCK};
  std::vector<u8> slab(UdpSocket::kRegionSize);
  EXPECT_FALSE(socket.receive(slab, [](const ReceivedDatagram&) {}));
}

TEST_F(UdpFaults, ATransientReceiveErrorIsCounted) {
  UdpSocket socket = open();
  receive_faults = {ECONNREFUSED, ENOMEM};
  std::vector<u8> slab(UdpSocket::kRegionSize);
  EXPECT_EQ(socket.receive(slab, [](const ReceivedDatagram&) {}), 0U);
  EXPECT_EQ(socket.receive(slab, [](const ReceivedDatagram&) {}), 0U);
  EXPECT_EQ(socket.stats().receive_errors, 2U);
}

// --- The driver over such a socket. ---

// Wants to send `left` numbered trains, and names a deadline that has passed while it does.
struct Talker {
  void on_datagram(Instant, const ReceivedDatagram&) {}
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer& out) {
    if (left == 0) return std::nullopt;
    ++polls;
    --left;
    copy(bytes, out.storage);
    return train;
  }
  [[nodiscard]] Instant next_deadline() const { return left == 0 ? kNever : Instant{}; }
  void on_deadline(Instant) { ++deadlines; }
  static std::optional<int> poll_event() { return std::nullopt; }

  Transmit train;
  Bytes bytes;
  int left = 0;
  int polls = 0;
  int deadlines = 0;
};

TEST_F(UdpFaults, DriverKeepsTheUnsentTrainUntilTheSocketIsWritable) {
  EventLoop loop;
  Talker talker{.train = train, .bytes = bytes, .left = 3};
  auto driver = Driver<Talker>::start(loop, open(), talker, nullptr);
  ASSERT_TRUE(driver);
  send_faults = {{0}, {EAGAIN}, {EAGAIN}};
  loop.run_once(0ms);
  EXPECT_TRUE((*driver)->is_blocked());
  EXPECT_EQ(talker.polls, 2) << "nothing more is built while one waits";
  (*driver)->flush();
  (*driver)->wake();
  EXPECT_EQ(talker.polls, 2);
  EXPECT_TRUE(
      loop.run_until([&] { return talker.left == 0 && !(*driver)->is_blocked(); }, now() + 10s));
  EXPECT_EQ(arrived().size(), 15U);
  EXPECT_EQ((*driver)->socket().stats().send_blocked, 2U);
}

TEST_F(UdpFaults, DriverTellsOfABrokenSocketOnce) {
  EventLoop loop;
  Talker talker{.train = train, .bytes = bytes, .left = 3};
  auto driver = Driver<Talker>::start(loop, open(), talker, nullptr);
  ASSERT_TRUE(driver);
  int told = 0;
  (*driver)->on_error([&](std::error_code error) {
    ++told;
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    driver->reset();  // The owner may throw it away at once.
  });
  send_faults = {{EBADF}};
  loop.run_once(0ms);
  loop.run_once(0ms);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace qpeer::io
