// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An Endpoint that dials, without a network.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::transport::test {

inline constexpr Instant kNow{1s};

class EndpointFixture : public testing::Test {
 protected:
  ConnectionHandle connect(const SocketAddress& remote = SocketAddress::loopback4(4433),
                           const ConnectionConfig& connection = {},
                           const SocketAddress& local = {}) {
    const auto tls = crypto::make_tls_context({.alpn = {"test/1"}});
    EXPECT_TRUE(tls);
    const auto handle =
        endpoint.connect(kNow, remote, {.tls = *tls, .connection = connection, .local = local});
    EXPECT_TRUE(handle);
    return *handle;
  }
  std::optional<Transmit> poll_transmit(Instant now = kNow) {
    TransmitBuffer out{.storage = storage_};
    return endpoint.poll_transmit(now, out);
  }
  /// Begins with the latest train.
  [[nodiscard]] Bytes storage() const { return storage_; }
  /// How many trains the endpoint has to send.
  int poll_all(Instant now = kNow) {
    int count = 0;
    while (poll_transmit(now)) ++count;
    return count;
  }

  Endpoint endpoint{{}, crypto::openssl_keys(), crypto::system_random()};

 private:
  std::vector<u8> storage_ = std::vector<u8>(kMaxTransmitSize);
};

}  // namespace qpeer::transport::test
