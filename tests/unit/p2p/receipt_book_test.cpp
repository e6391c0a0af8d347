// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ReceiptBook: what is owed goes out once and in its order, and of what was given up a bounded number is
// remembered.
#include "qpeer/p2p/receipt_book.hpp"

#include <gtest/gtest.h>

namespace qpeer::p2p {
namespace {

StreamId stream(std::uint64_t index) { return StreamId::make(Side::client, false, index); }

class ReceiptBookTest : public testing::Test {
 protected:
  ~ReceiptBookTest() override { EXPECT_TRUE(book.consistent()); }
  ReceiptBook book;
};

TEST_F(ReceiptBookTest, WhatIsOwedIsTakenOnceAndInItsOrder) {
  EXPECT_FALSE(book.is_owing());
  for (std::uint64_t i = 0; i < kMaxReceipts + 2; ++i) {
    EXPECT_EQ(book.has_full_message(), i >= kMaxReceipts);
    book.owe(stream(i));
  }
  const Receipts first = book.take();
  ASSERT_EQ(first.streams.size(), kMaxReceipts);
  EXPECT_EQ(first.streams[0], stream(0));
  const Receipts second = book.take();
  ASSERT_EQ(second.streams.size(), 2U);
  EXPECT_EQ(second.streams[1], stream(kMaxReceipts + 1));
  EXPECT_FALSE(book.is_owing());
  EXPECT_TRUE(book.take().streams.empty());
}

TEST_F(ReceiptBookTest, IsFullWhenTooManyAreOwed) {
  for (std::uint64_t i = 0; i < ReceiptBook::kMaxOwed; ++i) {
    EXPECT_FALSE(book.is_full());
    book.owe(stream(i));
  }
  EXPECT_TRUE(book.is_full());
  (void)book.take();
  EXPECT_FALSE(book.is_full());
}

TEST_F(ReceiptBookTest, ALateReceiptIsRightOnce) {
  book.give_up(stream(5));
  EXPECT_FALSE(book.take_late(stream(4)));
  EXPECT_TRUE(book.take_late(stream(5)));
  EXPECT_FALSE(book.take_late(stream(5)));
}

// An honest peer is not to be blamed for what we have forgotten.
TEST_F(ReceiptBookTest, OfTheOldestThatWereGivenUpReceiptsAreNotChecked) {
  constexpr std::uint64_t kMany = 10 * ReceiptBook::kMaxGivenUp;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    book.give_up(stream(i));
    ASSERT_TRUE(book.consistent());
  }
  EXPECT_TRUE(book.take_late(stream(0)));
  EXPECT_TRUE(book.take_late(stream(0)));
  EXPECT_FALSE(book.take_late(StreamId::make(Side::client, true, 0))) << "another direction";
  EXPECT_FALSE(book.take_late(StreamId::make(Side::server, false, 0)))
      << "opened by the other side";
  EXPECT_TRUE(book.take_late(stream(kMany - 1)));
  EXPECT_FALSE(book.take_late(stream(kMany - 1)));
  EXPECT_FALSE(book.take_late(stream(kMany)));
  book.give_up(stream(1));
}

}  // namespace
}  // namespace qpeer::p2p
