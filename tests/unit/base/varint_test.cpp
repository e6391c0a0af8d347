// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Variable-length integers. RFC 9000 §16, §A.1.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {
namespace {

struct Vector {
  std::vector<u8> encoded;
  std::uint64_t value;
  bool minimal;
};

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> kVectors{
      // RFC 9000 §A.1.
      {{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 151'288'809'941'952'652, true},
      {{0x9d, 0x7f, 0x3e, 0x7d}, 494'878'333, true},
      {{0x7b, 0xbd}, 15'293, true},
      {{0x25}, 37, true},
      {{0x40, 0x25}, 37, false},
      // The ends of each size.
      {{0x00}, 0, true},
      {{0x3f}, 63, true},
      {{0x40, 0x40}, 64, true},
      {{0x7f, 0xff}, 16'383, true},
      {{0x80, 0x00, 0x40, 0x00}, 16'384, true},
      {{0xbf, 0xff, 0xff, 0xff}, 1'073'741'823, true},
      {{0xc0, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00}, 1'073'741'824, true},
      {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, kMaxVarint, true},
      // Longer than necessary.
      {{0x40, 0x00}, 0, false},
      {{0x80, 0x00, 0x00, 0x00}, 0, false},
      {{0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, 0, false},
      {{0x40, 0x3f}, 63, false},
      {{0x80, 0x00, 0x00, 0x40}, 64, false},
      {{0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3f, 0xff}, 16'383, false},
  };
  return kVectors;
}

TEST(Varint, DecodesEveryFormOfAValue) {
  for (const auto& [encoded, value, minimal] : vectors()) {
    Reader in{encoded};
    EXPECT_EQ(in.varint(), value);
    EXPECT_TRUE(in.ok());
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(varint_size(value) == encoded.size(), minimal) << value;
  }
}

TEST(Varint, EncodesTheShortestFormUnlessToldOtherwise) {
  for (const auto& [encoded, value, minimal] : vectors()) {
    std::array<u8, 8> storage{};
    Writer out{storage};
    if (minimal) {
      out.varint(value);
    } else {
      out.varint_of_size(value, encoded.size());
    }
    EXPECT_TRUE(out.ok());
    EXPECT_TRUE(equal(out.written(), encoded)) << value;
  }
}

TEST(Varint, DecodeFailsOnEveryTruncation) {
  for (const auto& vector : vectors()) {
    for (std::size_t cut = 0; cut < vector.encoded.size(); ++cut) {
      Reader in{Bytes(vector.encoded).first(cut)};
      EXPECT_EQ(in.varint(), 0U);
      EXPECT_FALSE(in.ok()) << "accepted " << vector.value << " cut to " << cut << " bytes";
    }
  }
}

TEST(Varint, EncodeFailsAboveTheMaximumAndWritesNothing) {
  std::array<u8, 16> storage{};
  Writer out{storage};
  out.varint(kMaxVarint + 1);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 0U);
}

TEST(Varint, RoundTripsRandomValues) {
  std::mt19937_64 random{16};
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random() >> (2 + random() % 62);
    std::array<u8, 8> storage{};
    Writer out{storage};
    out.varint(value);
    EXPECT_EQ(out.size(), varint_size(value));
    Reader in{out.written()};
    EXPECT_EQ(in.varint(), value);
    EXPECT_TRUE(in.ok() && in.empty());
  }
}

static_assert([] {
  std::array<u8, 2> storage{};
  Writer out{storage};
  out.varint(15'293);
  return Reader{storage}.varint() == 15'293;
}());

}  // namespace
}  // namespace qpeer
