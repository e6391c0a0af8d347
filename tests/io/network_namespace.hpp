// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tests that change the network of this machine, in a process and network namespace of their own.
#pragma once

#include <gtest/gtest.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <system_error>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io::test {

/// Of this process, from here on. Needs privileges, or namespaces for everybody.
inline bool enter_network_namespace() {
  return ::unshare(CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

/// Changes the loopback interface.
class LoopbackInterface {
 public:
  LoopbackInterface() { set_flags("lo", IFF_UP); }
  LoopbackInterface(const LoopbackInterface&) = delete;
  LoopbackInterface& operator=(const LoopbackInterface&) = delete;
  ~LoopbackInterface() { ::close(fd_); }

  /// 10.99.0.`host`.
  static SocketAddress address(u8 host, std::uint16_t port = 0) {
    return SocketAddress::ipv4({10, 99, 0, host}, port);
  }
  void add(u8 host) {
    const std::string alias = "lo:" + std::to_string(host);
    set_address(SIOCSIFADDR, alias, address(host));
    // With a shorter prefix all of its addresses would be those of this host.
    set_address(SIOCSIFNETMASK, alias, SocketAddress::ipv4({255, 255, 255, 255}, 0));
  }
  void remove(u8 host) { set_flags("lo:" + std::to_string(host), 0); }
  /// A router at 10.99.1.77, which leads anywhere.
  void add_default_route() {
    add_route(SocketAddress::ipv4({10, 99, 1, 77}, 0), SocketAddress::ipv4({255, 255, 255, 255}, 0),
              {});
    add_route(SocketAddress::ipv4({}, 0), SocketAddress::ipv4({}, 0),
              SocketAddress::ipv4({10, 99, 1, 77}, 0));
  }
  void go_down() { set_flags("lo", 0); }
  void come_up() { set_flags("lo", IFF_UP); }

 private:
  static ifreq named(const std::string& name) {
    ifreq out{};
    name.copy(out.ifr_name, sizeof out.ifr_name - 1);
    return out;
  }
  static sockaddr in(const SocketAddress& value) {
    sockaddr_in in4{};
    in4.sin_family = AF_INET;
    if (value.valid()) std::memcpy(&in4.sin_addr, value.octets().data(), 4);
    sockaddr out{};
    std::memcpy(&out, &in4, sizeof in4);
    return out;
  }
  void add_route(const SocketAddress& to, const SocketAddress& mask, const SocketAddress& router) {
    std::string name = "lo";
    rtentry route{};
    route.rt_dst = in(to);
    route.rt_genmask = in(mask);
    route.rt_gateway = in(router);
    route.rt_flags = RTF_UP;
    if (router.valid()) route.rt_flags |= RTF_GATEWAY;
    route.rt_dev = name.data();
    if (::ioctl(fd_, SIOCADDRT, &route) != 0) {
      throw std::system_error(errno, std::system_category(), "route");
    }
  }
  void set_address(unsigned long what, const std::string& name, const SocketAddress& value) {
    ifreq request = named(name);
    request.ifr_addr = in(value);
    call(what, request);
  }
  void set_flags(const std::string& name, short flags) {
    ifreq request = named(name);
    request.ifr_flags = flags;
    call(SIOCSIFFLAGS, request);
  }
  void call(unsigned long what, ifreq& request) const {
    if (::ioctl(fd_, what, &request) != 0) {
      throw std::system_error(errno, std::system_category(), request.ifr_name);
    }
  }
  int fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

/// Runs `body` in a child process. Its failures are those of the test, which is skipped where there are no
/// network namespaces.
inline void run_in_namespace(const std::function<void()>& body) {
  constexpr int kFailed = 1;
  constexpr int kNoNamespace = 77;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!enter_network_namespace()) ::_exit(kNoNamespace);
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? kFailed : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoNamespace) GTEST_SKIP() << "no network namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace qpeer::io::test
