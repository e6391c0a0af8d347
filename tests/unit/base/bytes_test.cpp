// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Reader and Writer, which all codecs use.
#include "qpeer/transport/base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace qpeer {
namespace {

constexpr std::array<u8, 9> kInput{1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(Reader, ReadsIntegersInNetworkOrder) {
  EXPECT_EQ(Reader{kInput}.byte(), 0x01);
  EXPECT_EQ(Reader{kInput}.u16(), 0x0102);
  EXPECT_EQ(Reader{kInput}.u32(), 0x01020304U);
  EXPECT_EQ(Reader{kInput}.u64(), 0x0102030405060708U);
  EXPECT_EQ(Reader{kInput}.big_endian(3), 0x010203U);
}

TEST(Reader, KeepsCountOfWhatItConsumed) {
  Reader in{kInput};
  in.u16();
  EXPECT_EQ(in.position(), 2U);
  EXPECT_EQ(in.remaining(), 7U);
  EXPECT_TRUE(equal(in.consumed(), Bytes(kInput).first(2)));
  EXPECT_EQ(in.peek(), 3);
  EXPECT_EQ(in.position(), 2U);
  const Bytes rest = in.rest();
  EXPECT_EQ(rest.data(), kInput.data() + 2) << "a view, not a copy";
  EXPECT_TRUE(in.empty() && in.ok());
}

TEST(Reader, AfterUnderflowStaysFailedAndReadsNothing) {
  Reader in{Bytes(kInput).first(3)};
  EXPECT_EQ(in.u32(), 0U);
  EXPECT_FALSE(in.ok());
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(in.byte(), 0);
  EXPECT_EQ(in.varint(), 0U);
  EXPECT_TRUE(in.bytes(1).empty());
  EXPECT_TRUE(in.rest().empty());
  EXPECT_FALSE(in.ok());
}

TEST(Reader, RefusesAnAbsurdLength) {
  Reader in{kInput};
  EXPECT_TRUE(in.bytes(~std::uint64_t{0}).empty());
  EXPECT_FALSE(in.ok());
}

TEST(Reader, PeekAtTheEndDoesNotFail) {
  Reader in{Bytes{}};
  EXPECT_EQ(in.peek(), 0);
  EXPECT_TRUE(in.ok());
}

TEST(Reader, TakesZeroBytesAtTheEnd) {
  Reader in{Bytes{}};
  EXPECT_TRUE(in.bytes(0).empty());
  EXPECT_TRUE(in.ok());
}

TEST(Writer, WritesIntegersInNetworkOrder) {
  std::array<u8, 15> storage{};
  Writer out{storage};
  out.byte(0x01);
  out.u16(0x0203);
  out.u32(0x04050607);
  out.u64(0x08090a0b0c0d0e0f);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out.remaining(), 0U);
  for (std::size_t i = 0; i < storage.size(); ++i) EXPECT_EQ(storage[i], i + 1);
}

TEST(Writer, AfterOverflowStaysFailedAndWritesNothing) {
  std::array<u8, 5> storage{9, 9, 9, 9, 9};
  Writer out{MutableBytes(storage).first(3)};
  out.byte(1);
  out.u32(0);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 1U);
  out.byte(2);
  out.bytes(kInput);
  out.zeros(1);
  out.skip(1);
  EXPECT_EQ(out.size(), 1U);
  EXPECT_EQ(storage, (std::array<u8, 5>{1, 9, 9, 9, 9}));
}

TEST(Writer, FillsExactlyToTheEnd) {
  std::array<u8, 9> storage{};
  Writer out{storage};
  out.bytes(kInput);
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(storage, kInput);
  out.bytes({});
  EXPECT_TRUE(out.ok()) << "nothing fits everywhere";
}

TEST(Writer, SkipsOverWhatOthersWriteThroughTheTail) {
  std::array<u8, 4> storage{};
  Writer out{storage};
  out.byte(1);
  out.tail()[0] = 2;
  out.skip(1);
  out.zeros(2);
  EXPECT_EQ(out.size(), 4U);
  EXPECT_EQ(storage, (std::array<u8, 4>{1, 2, 0, 0}));
}

TEST(Bytes, CompareByContentAndLength) {
  EXPECT_TRUE(equal(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal(as_bytes("abc"), as_bytes("ab")));
  EXPECT_TRUE(equal({}, as_bytes("")));
  EXPECT_EQ(as_text(as_bytes("abc")), "abc");
}

}  // namespace
}  // namespace qpeer
