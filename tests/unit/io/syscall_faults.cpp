// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/unit/io/syscall_faults.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace qpeer::io::testing_support {

SyscallFaults faults;

namespace {

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
  const bool is_train = has_control(message, kSolUdp, kUdpSegment);
  if (faults.refuse_segments != 0 && is_train) return faults.refuse_segments;
  if (faults.refuse_marks != 0 && has_control(message, 0, kIpTos)) return faults.refuse_marks;
  if (message.msg_iov->iov_len > faults.largest) return EMSGSIZE;
  if (faults.send.empty()) return 0;
  const Fault fault = faults.send.front();
  faults.send.pop_front();
  at_most = fault.at_most;
  return fault.error;
}

}  // namespace
}  // namespace qpeer::io::testing_support

using namespace qpeer::io::testing_support;

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
  if (!faults.receive.empty()) {
    errno = faults.receive.front();
    faults.receive.pop_front();
    return -1;
  }
  return static_cast<int>(::syscall(SYS_recvmmsg, fd, messages, count, flags, timeout));
}
