// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Views of bytes, and a cursor over each: Reader consumes, Writer fills. RFC 9000 §1.3; §16 of
// variable-length integers.
//
// Both latch failure: after the first underflow or overflow every further call is a no-op, and
// ok() says so once at the end. So a codec has no error branches of its own.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace qpeer {

/// One byte.
using u8 = std::uint8_t;
/// A view of bytes to read.
using Bytes = std::span<const u8>;
/// A view of bytes to write.
using MutableBytes = std::span<u8>;

/// The largest value that a variable-length integer holds.
inline constexpr std::uint64_t kMaxVarint = (std::uint64_t{1} << 62) - 1;

/// The size in bytes of the shortest encoding of `value`, which must not exceed kMaxVarint.
constexpr std::size_t varint_size(std::uint64_t value) {
  if (value < (1U << 6)) return 1;
  if (value < (1U << 14)) return 2;
  if (value < (1U << 30)) return 4;
  return 8;
}

/// The bytes of a text, without a terminating zero. The view lives as long as the text.
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

/// The text that some bytes spell. The view lives as long as the bytes.
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Whether two byte strings are equal. Not constant-time: never for secrets.
constexpr bool equal(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  if (!std::is_constant_evaluated()) {
    return a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

/// Copies `from` to the start of `to`, which must be at least as long.
constexpr void copy(Bytes from, MutableBytes to) {
  if (std::is_constant_evaluated()) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
  } else if (!from.empty()) {
    std::memcpy(to.data(), from.data(), from.size());
  }
}

/// Consumes a byte string from the front. Failure latches; what is read then is zero or empty.
class Reader {
 public:
  /// Reads these bytes, which must outlive the reader and the views that it gives.
  constexpr explicit Reader(Bytes bytes) : bytes_(bytes) {}

  /// False once anything could not be read, or fail() was called.
  [[nodiscard]] constexpr bool ok() const { return ok_; }
  /// Whether nothing remains.
  [[nodiscard]] constexpr bool empty() const { return position_ == bytes_.size(); }
  /// How many bytes were consumed.
  [[nodiscard]] constexpr std::size_t position() const { return position_; }
  /// How many bytes remain.
  [[nodiscard]] constexpr std::size_t remaining() const { return bytes_.size() - position_; }
  /// What has been consumed so far.
  [[nodiscard]] constexpr Bytes consumed() const { return bytes_.first(position_); }

  /// Latches failure: what was read breaks a rule of the format. Nothing remains then.
  constexpr void fail() {
    ok_ = false;
    position_ = bytes_.size();
  }

  /// The next byte.
  constexpr u8 byte() { return static_cast<u8>(big_endian(1)); }
  /// An unsigned integer of two bytes in network order.
  constexpr std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
  /// The same of four bytes.
  constexpr std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
  /// The same of eight bytes.
  constexpr std::uint64_t u64() { return big_endian(8); }

  /// An unsigned integer of `size` (1 to 8) bytes in network order.
  constexpr std::uint64_t big_endian(std::size_t size) {
    if (remaining() < size) {
      fail();
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes_[position_ + i];
    position_ += size;
    return value;
  }

  /// A variable-length integer, RFC 9000 §16.
  constexpr std::uint64_t varint() {
    if (remaining() < 1) {
      fail();
      return 0;
    }
    const u8 first = bytes_[position_];
    if (first < 0x40) {
      ++position_;
      return first;
    }
    const std::size_t size = std::size_t{1} << (first >> 6);
    return big_endian(size) & (~std::uint64_t{0} >> (66 - 8 * size));
  }

  /// The next `size` bytes, as a view into the input.
  constexpr Bytes bytes(std::uint64_t size) {
    if (remaining() < size) {
      fail();
      return {};
    }
    const Bytes out = bytes_.subspan(position_, static_cast<std::size_t>(size));
    position_ += static_cast<std::size_t>(size);
    return out;
  }

  /// All that remains.
  constexpr Bytes rest() { return bytes(remaining()); }

  /// The next byte without consuming it; zero when there is none (which does not fail).
  [[nodiscard]] constexpr u8 peek() const { return empty() ? u8{0} : bytes_[position_]; }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

/// Fills a byte string from the front. Failure latches; nothing is written past the end.
class Writer {
 public:
  /// Writes into these bytes, which must outlive the writer.
  constexpr explicit Writer(MutableBytes storage) : storage_(storage) {}

  /// False once anything did not fit.
  [[nodiscard]] constexpr bool ok() const { return ok_; }
  /// How many bytes were written.
  [[nodiscard]] constexpr std::size_t size() const { return position_; }
  /// How many bytes there is still room for.
  [[nodiscard]] constexpr std::size_t remaining() const { return storage_.size() - position_; }
  /// What was written.
  [[nodiscard]] constexpr MutableBytes written() const { return storage_.first(position_); }
  /// The unwritten tail; skip() afterwards says how much of it was filled.
  [[nodiscard]] constexpr MutableBytes tail() const { return storage_.subspan(position_); }

  /// One byte.
  constexpr void byte(u8 value) { big_endian(value, 1); }
  /// An unsigned integer as two bytes in network order.
  constexpr void u16(std::uint16_t value) { big_endian(value, 2); }
  /// The same as four bytes.
  constexpr void u32(std::uint32_t value) { big_endian(value, 4); }
  /// The same as eight bytes.
  constexpr void u64(std::uint64_t value) { big_endian(value, 8); }

  /// An unsigned integer as `size` (1 to 8) bytes in network order.
  constexpr void big_endian(std::uint64_t value, std::size_t size) {
    if (!reserve(size)) return;
    for (std::size_t i = 0; i < size; ++i) {
      storage_[position_ + i] = static_cast<u8>(value >> (8 * (size - 1 - i)));
    }
    position_ += size;
  }

  /// A variable-length integer in its shortest form, RFC 9000 §16. Fails above 2^62-1.
  constexpr void varint(std::uint64_t value) {
    if (value > kMaxVarint) {
      ok_ = false;
      return;
    }
    varint_of_size(value, varint_size(value));
  }

  /// A variable-length integer in a form of exactly `size` (1, 2, 4 or 8) bytes that holds it.
  constexpr void varint_of_size(std::uint64_t value, std::size_t size) {
    const auto prefix = static_cast<std::uint64_t>(std::countr_zero(size));
    big_endian(value | prefix << (8 * size - 2), size);
  }

  /// A copy of these bytes.
  constexpr void bytes(Bytes from) {
    if (!reserve(from.size())) return;
    copy(from, storage_.subspan(position_));
    position_ += from.size();
  }

  /// `count` bytes of zero.
  constexpr void zeros(std::size_t count) {
    if (!reserve(count)) return;
    for (std::size_t i = 0; i < count; ++i) storage_[position_ + i] = 0;
    position_ += count;
  }

  /// Steps over `count` bytes that somebody wrote, or will write, through tail().
  constexpr void skip(std::size_t count) {
    if (reserve(count)) position_ += count;
  }

 private:
  constexpr bool reserve(std::size_t size) {
    ok_ = ok_ && remaining() >= size;
    return ok_;
  }

  MutableBytes storage_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace qpeer
