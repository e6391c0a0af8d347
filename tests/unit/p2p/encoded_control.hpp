// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The bytes of a control message.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <variant>
#include <vector>

#include "qpeer/p2p/control_messages.hpp"

namespace qpeer::p2p {

/// Also expects that the message knows its size.
inline std::vector<u8> encoded(const ControlMessage& message) {
  return std::visit(
      [](const auto& one) {
        std::vector<u8> storage(kMaxControlMessage);
        Writer out{storage};
        one.encode(out);
        EXPECT_TRUE(out.ok());
        storage.resize(out.size());
        const std::size_t body = one.body_size();
        EXPECT_EQ(out.size(), varint_size(one.kType) + varint_size(body) + body);
        return storage;
      },
      message);
}

}  // namespace qpeer::p2p
