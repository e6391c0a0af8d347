// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Host names and ports as command lines spell them.
#include "qpeer/transport/base/host_port.hpp"

#include <gtest/gtest.h>

namespace qpeer {
namespace {

TEST(SplitHostPort, TakesEverySpelling) {
  EXPECT_EQ(split_host_port("example.net:443", 1), (HostPort{"example.net", 443}));
  EXPECT_EQ(split_host_port("example.net", 4433), (HostPort{"example.net", 4433}));
  EXPECT_EQ(split_host_port("192.0.2.1:65535", 1), (HostPort{"192.0.2.1", 65535}));
  EXPECT_EQ(split_host_port("[2001:db8::1]:443", 1), (HostPort{"2001:db8::1", 443}));
  EXPECT_EQ(split_host_port("[2001:db8::1]", 7), (HostPort{"2001:db8::1", 7}));
  EXPECT_EQ(split_host_port("2001:db8::1", 7), (HostPort{"2001:db8::1", 7}));
  EXPECT_EQ(split_host_port("::", 7), (HostPort{"::", 7}));
}

TEST(SplitHostPort, RefusesTheRest) {
  for (const char* text : {"", ":443", "host:", "host:port", "host:65536", "host:-1", "host:4 ",
                           "[::1", "[]:443", "[::1]443", "[::1]:", "[::1]x:443", "a[::1]:443",
                           "::1]", "[[::1]:443", "[:1", "id@", "id@[]:443", "[id@::1]:443"}) {
    EXPECT_FALSE(split_host_port(text, 1)) << text;
  }
}

TEST(HostPort, TextReadsBack) {
  for (const HostPort& each : {HostPort{"example.net", 443}, HostPort{"192.0.2.1", 0},
                               HostPort{"2001:db8::1", 7}, HostPort{"fe80::1%eth0", 65535},
                               HostPort{"id@2001:db8::1", 443}, HostPort{"id@example.net", 443}}) {
    EXPECT_EQ(split_host_port(each.to_string(), 1), each) << each.to_string();
  }
  EXPECT_EQ((HostPort{"2001:db8::1", 7}.to_string()), "[2001:db8::1]:7");
  EXPECT_EQ((HostPort{"id@2001:db8::1", 7}.to_string()), "id@[2001:db8::1]:7");
}

TEST(HostPort, WhatIsSplitReadsBack) {
  for (const char* text : {"example.net", "[2001:db8::1]:443", "2001:db8::1", "id@example.net:443",
                           "id@[2001:db8::1]:443", "id@[2001:db8::1]", "id@2001:db8::1",
                           "one@other@[fe80::1%eth0]:9"}) {
    const auto split = split_host_port(text, 4433);
    ASSERT_TRUE(split) << text << ": " << split.error();
    EXPECT_EQ(split_host_port(split->to_string(), 1), split) << text;
  }
}

}  // namespace
}  // namespace qpeer
