// SPDX-License-Identifier: MIT OR BSD-3-Clause
// System calls that fail as a test says. Those of syscall_faults.cpp replace the C library's in this
// program.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <system_error>
#include <utility>
#include <vector>

#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io::testing_support {

struct Fault {
  int error = 0;      // 0: the call goes through.
  int at_most = 100;  // Of the messages of a sendmmsg.
};

struct SyscallFaults {
  std::deque<Fault> send;  // One for each call to come; then all go through.
  std::deque<int> receive;
  int refuse_segments = 0;       // With this error, as a device without checksum offload.
  int refuse_marks = 0;          // With this error, as a kernel without IP_TOS control messages.
  std::size_t largest = 70'000;  // EMSGSIZE beyond, as on an interface with such an MTU.
};
extern SyscallFaults faults;

inline UdpSocket open(const UdpOptions& options = {}) {
  auto out = UdpSocket::bind(SocketAddress::loopback4(0), options);
  if (!out) throw std::system_error(out.error());
  return std::move(*out);
}

/// A train of five datagrams, a receiver, and no faults yet.
class UdpFaults : public testing::Test {
 protected:
  void SetUp() override { TearDown(); }
  void TearDown() override { faults = {}; }
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

}  // namespace qpeer::io::testing_support
