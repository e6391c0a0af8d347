// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/cache_codec.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <optional>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/cache/entries.hpp"

namespace qpeer::cache {
namespace {

using Input = std::vector<u8>;

std::vector<CacheEntry> some_entries() {
  CacheEntry full = entry_of(1, 1'700'000'000);
  full.address = *SocketAddress::parse("[fe80::1%3]:443");
  full.certificate.assign(3'000, 0x30);
  full.first_reached = 0;
  full.evidence = Evidence::dialled_back;
  full.failures = std::numeric_limits<std::uint32_t>::max();
  full.ticket.assign(1'500, 7);
  full.spare_ticket.assign(1'400, 9);
  full.address_token.assign(100, 8);
  CacheEntry bare = entry_of(2, std::numeric_limits<std::int64_t>::max());
  bare.certificate = {};
  return {full, bare, entry_of(3, 5)};
}

Input join(std::initializer_list<Bytes> parts) {
  Input out;
  for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Input sealed(Bytes body) { return join({body, crypto::sha256(body)}); }

/// A file of one entry with these fields, and `tail` behind it.
Input file_with(Bytes fields, u8 major = 1, u8 minor = 0, Bytes tail = {}) {
  const std::array<u8, 8> head{0, major, 0, minor, 0, 0, 0, 1};
  const std::array<u8, 4> length{0, 0, static_cast<u8>(fields.size() >> 8),
                                 static_cast<u8>(fields.size())};
  return sealed(join({as_bytes("QPEERNC\n"), head, length, fields, tail}));
}

Input field(u8 type, Bytes value) {
  return join({std::array<u8, 2>{type, static_cast<u8>(value.size())}, value});
}

Input id_field() { return field(1, id_of(1).bytes()); }
Input address_field() { return field(2, std::array<u8, 6>{192, 0, 2, 1, 1, 187}); }
Input time_field() { return field(5, std::array<u8, 8>{0, 0, 0, 0, 0, 0, 0, 9}); }
Input needed() { return join({id_field(), address_field(), time_field()}); }

/// Nullopt when the file is read.
std::optional<DecodeError> error_of(Bytes file) {
  const auto decoded = decode(file);
  if (decoded) return std::nullopt;
  return decoded.error();
}

TEST(CacheCodec, ReadsBackWhatItWrites) {
  for (const auto& entries : {std::vector<CacheEntry>{}, some_entries()}) {
    const auto decoded = decode(encode(entries));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->entries, entries);
    EXPECT_EQ(decoded->minor_version, kCacheMinorVersion);
  }
}

TEST(CacheCodec, EveryFlippedBitIsDamage) {
  const Input file = encode(std::vector{entry_of(1, 1000)});
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    Input flipped = file;
    flipped[bit / 8] ^= static_cast<u8>(1U << bit % 8);
    const auto decoded = decode(flipped);
    ASSERT_FALSE(decoded) << bit;
    EXPECT_EQ(decoded.error(), DecodeError::damaged) << bit;
  }
}

TEST(CacheCodec, EveryTruncationAndEveryByteMoreIsDamage) {
  Input file = encode(some_entries());
  for (std::size_t size = 0; size < file.size(); ++size) {
    ASSERT_EQ(error_of(Bytes(file).first(size)), DecodeError::damaged) << size;
  }
  file.push_back(0);
  EXPECT_EQ(error_of(file), DecodeError::damaged);
}

TEST(CacheCodec, ANewerMajorVersionIsToldFromDamage) {
  const std::array<u8, 12> body{'Q', 'P', 'E', 'E', 'R', 'N', 'C', '\n', 0, 2, 0, 0};
  EXPECT_EQ(error_of(file_with(needed(), 2)), DecodeError::newer_version);
  EXPECT_EQ(error_of(file_with(as_bytes("of no known form"), 200)), DecodeError::newer_version);
  EXPECT_EQ(error_of(file_with(needed(), 0)), DecodeError::damaged);
  EXPECT_EQ(error_of(Bytes(body)), DecodeError::damaged);
}

TEST(CacheCodec, WhatANewerMinorVersionAddsIsSkipped) {
  const Input unknown = join({field(12, as_bytes("something")), field(63, {}), field(0, {})});
  const auto decoded =
      decode(file_with(join({unknown, needed(), unknown}), 1, 7, as_bytes("more")));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->minor_version, 7);
  ASSERT_EQ(decoded->entries.size(), 1U);
  EXPECT_EQ(decoded->entries[0].id, id_of(1));
  EXPECT_EQ(decoded->entries[0].address, *SocketAddress::parse("192.0.2.1:443"));
  EXPECT_EQ(decoded->entries[0].last_reached, 9);
  EXPECT_EQ(error_of(file_with(needed(), 1, 1, as_bytes("more"))), DecodeError::damaged);
}

// What the first version wrote, which knew one ticket.
TEST(CacheCodec, OlderFilesAreRead) {
  const auto decoded = decode(file_with(join({needed(), field(8, as_bytes("one"))})));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->minor_version, 0);
  EXPECT_EQ(as_text(decoded->entries.at(0).ticket), "one");
  EXPECT_TRUE(decoded->entries.at(0).spare_ticket.empty());
}

TEST(CacheCodec, EvidenceOfAnUnknownKindProvesNothing) {
  const Input evidence = field(6, std::array<u8, 1>{200});
  const auto decoded = decode(file_with(join({needed(), evidence}), 1, 1));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->entries[0].evidence, Evidence::unproved);
}

TEST(CacheCodec, AnEntryThatLacksOrRepeatsAFieldIsDamage) {
  ASSERT_TRUE(decode(file_with(needed())));
  for (const Input& fields :
       {Input{}, join({address_field(), time_field()}), join({id_field(), time_field()}),
        join({id_field(), address_field()}), join({needed(), id_field()}),
        join({needed(), field(8, {}), field(8, {})}),
        join({needed(), field(10, {}), field(10, {})})}) {
    EXPECT_FALSE(decode(file_with(fields)));
  }
}

TEST(CacheCodec, AFieldOfTheWrongSizeIsDamage) {
  const std::array<u8, 33> zeros{};
  const auto sized = [&](std::size_t size) { return Bytes(zeros).first(size); };
  EXPECT_FALSE(decode(file_with(join({field(1, sized(31)), address_field(), time_field()}))));
  EXPECT_FALSE(decode(file_with(join({field(1, sized(33)), address_field(), time_field()}))));
  for (const std::size_t size : {0U, 5U, 7U, 16U, 18U, 21U, 23U}) {
    EXPECT_FALSE(decode(file_with(join({id_field(), field(2, sized(size)), time_field()}))));
  }
  for (const std::size_t size : {0U, 7U, 9U}) {
    EXPECT_FALSE(decode(file_with(join({needed(), field(4, sized(size))}))));
  }
  EXPECT_FALSE(decode(file_with(join({needed(), field(6, sized(0))}))));
  EXPECT_FALSE(decode(file_with(join({needed(), field(6, sized(2))}))));
  EXPECT_FALSE(decode(file_with(join({needed(), field(7, sized(2))}))));
  // A time before 1970, and a count beyond 32 bits.
  EXPECT_FALSE(decode(file_with(join({needed(), field(4, std::array<u8, 8>{0x80})}))));
  EXPECT_FALSE(
      decode(file_with(join({needed(), field(7, std::array<u8, 8>{0xc0, 0, 0, 1, 0, 0, 0, 0})}))));
}

TEST(CacheCodec, WrongLengthsAreDamage) {
  Input cut = needed();
  cut.pop_back();
  EXPECT_FALSE(decode(file_with(cut)));
  // More entries than there can be: refused before anything is made for them.
  const std::array<u8, 8> many{0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff};
  EXPECT_FALSE(decode(sealed(join({as_bytes("QPEERNC\n"), many, Input(10'000)}))));
  const std::array<u8, 12> one{0, 1, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
  EXPECT_FALSE(decode(sealed(join({as_bytes("QPEERNC\n"), one, needed()}))));
  const std::array<u8, 12> shorter{0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3};
  EXPECT_FALSE(decode(sealed(join({as_bytes("QPEERNC\n"), shorter, needed()}))));
}

}  // namespace
}  // namespace qpeer::cache
