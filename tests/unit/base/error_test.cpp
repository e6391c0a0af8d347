// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/error.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace qpeer {
namespace {

TEST(TransportErrorCode, HasTheRfcsNameAndValue) {
  using enum TransportErrorCode;
  EXPECT_EQ(to_string(no_error), "NO_ERROR");
  EXPECT_EQ(to_string(TransportErrorCode{0x07}), "FRAME_ENCODING_ERROR");
  EXPECT_EQ(to_string(TransportErrorCode{0x08}), "TRANSPORT_PARAMETER_ERROR");
  EXPECT_EQ(to_string(TransportErrorCode{0x0a}), "PROTOCOL_VIOLATION");
  EXPECT_EQ(to_string(TransportErrorCode{0x0d}), "CRYPTO_BUFFER_EXCEEDED");
  EXPECT_EQ(to_string(TransportErrorCode{0x10}), "NO_VIABLE_PATH");
  EXPECT_EQ(to_string(TransportErrorCode{0x11}), "VERSION_NEGOTIATION_ERROR");
  EXPECT_EQ(to_string(TransportErrorCode{0x12}), "UNKNOWN_ERROR");
  EXPECT_EQ(to_string(TransportErrorCode{0xff}), "UNKNOWN_ERROR");
  EXPECT_EQ(to_string(TransportErrorCode{0x200}), "UNKNOWN_ERROR");
}

TEST(TransportErrorCode, CarriesATlsAlert) {
  EXPECT_EQ(std::to_underlying(crypto_error(0)), 0x100U);
  EXPECT_EQ(std::to_underlying(crypto_error(255)), 0x1ffU);
  EXPECT_EQ(to_string(crypto_error(40)), "CRYPTO_ERROR");
}

TEST(TransportError, ComparesByWhatReachesTheWireInFull) {
  const TransportError a{TransportErrorCode::protocol_violation, "one reason", 6};
  EXPECT_EQ(a, (TransportError{TransportErrorCode::protocol_violation, "another", 6}));
  EXPECT_FALSE(a == (TransportError{TransportErrorCode::protocol_violation, "one reason", 7}));
  EXPECT_EQ(fail(a.code, a.reason, a.frame_type).error(), a);
}

TEST(DropReason, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  const auto count = std::to_underlying(DropReason::count_);
  for (std::uint8_t i = 0; i < count; ++i) {
    const auto text = to_string(DropReason{i});
    EXPECT_FALSE(text.empty());
    EXPECT_TRUE(names.insert(text).second) << text;
  }
  EXPECT_EQ(to_string(DropReason{200}), "unknown");
}

}  // namespace
}  // namespace qpeer
