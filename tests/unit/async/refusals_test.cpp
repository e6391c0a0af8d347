// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the operating system refuses for good ends a connect() at once. RFC 9000 §14.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

using AsyncRefusals = Loopback;

TEST_F(AsyncRefusals, AnAddressThatTheSocketCannotReachFailsAtOnce) {
  const auto body = [this]() -> Task<void> {
    const SocketAddress other = SocketAddress::ipv6({0x20, 0x01, 0x0d, 0xb8}, 4433);
    const auto failed = co_await client->connect(other, connect_options);
    if (failed) co_return ADD_FAILURE() << "connected";
    if (failed.error().refused) co_return ADD_FAILURE() << to_string(*failed.error().refused);
    EXPECT_NE(failed.error().reason.kind, CloseReason::Kind::handshake_timeout);
    EXPECT_NE(to_string(failed.error()).find("family"), std::string::npos);
  };
  run(loop, body());
  // Other connections are not disturbed.
  const Both both = run(loop, connect());
  EXPECT_EQ(both.client.info().remote, server->local_address());
}

}  // namespace
}  // namespace qpeer::async
