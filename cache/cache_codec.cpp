// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/cache_codec.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <limits>
#include <optional>
#include <utility>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::cache {
namespace {

constexpr std::array<u8, kMagicSize> kMagic{'Q', 'P', 'E', 'E', 'R', 'N', 'C', '\n'};
constexpr std::size_t kHeaderSize = kMagic.size() + 2 + 2 + 4;
constexpr std::size_t kChecksumSize = 32;
// The smallest entry: its length, an id and an IPv4 address.
constexpr std::size_t kSmallestEntry = 4 + 2 + PeerId::kSize + 2 + 6;

enum class Field : u8 {
  id = 1,
  address,
  certificate,
  first_reached,
  last_reached,
  evidence,
  failures,
  ticket,
  address_token,
  spare_ticket,
  order,
};
constexpr std::size_t kFields = 12;

// --- writing -------------------------------------------------------------------------------------

std::vector<u8> address_bytes(const SocketAddress& address) {
  std::vector<u8> storage(address.is_ipv6() ? 22 : 6);
  Writer out{storage};
  out.bytes(address.octets());
  out.u16(address.port());
  if (address.is_ipv6()) out.u32(address.scope_id());
  return storage;
}

class FileWriter {
 public:
  void bytes(Bytes from) { out_.insert(out_.end(), from.begin(), from.end()); }
  void big_endian(std::uint64_t value, std::size_t size) {
    std::array<u8, 8> storage{};
    Writer{storage}.big_endian(value, size);
    bytes(Bytes(storage).first(size));
  }
  void varint(std::uint64_t value) {
    std::array<u8, 8> storage{};
    Writer writer{storage};
    writer.varint(value);
    bytes(writer.written());
  }
  void field(Field type, Bytes value) {
    varint(std::to_underlying(type));
    varint(value.size());
    bytes(value);
  }
  void time(Field type, std::int64_t value) {
    varint(std::to_underlying(type));
    varint(8);
    big_endian(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)), 8);
  }
  void blob(Field type, Bytes value) {
    if (!value.empty()) field(type, value);
  }
  void entry(const CacheEntry& entry) {
    const std::size_t begin = out_.size();
    big_endian(0, 4);
    field(Field::id, entry.id.bytes());
    field(Field::address, address_bytes(entry.address));
    blob(Field::certificate, entry.certificate);
    time(Field::first_reached, entry.first_reached);
    time(Field::last_reached, entry.last_reached);
    const std::array<u8, 1> evidence{std::to_underlying(entry.evidence)};
    field(Field::evidence, evidence);
    varint(std::to_underlying(Field::failures));
    varint(varint_size(entry.failures));
    varint(entry.failures);
    blob(Field::ticket, entry.ticket);
    blob(Field::address_token, entry.address_token);
    blob(Field::spare_ticket, entry.spare_ticket);
    varint(std::to_underlying(Field::order));
    const std::uint64_t order = std::min(entry.order, kMaxVarint);
    varint(varint_size(order));
    varint(order);
    Writer length{MutableBytes(out_).subspan(begin, 4)};
    length.u32(static_cast<std::uint32_t>(out_.size() - begin - 4));
  }
  [[nodiscard]] std::vector<u8> finish() {
    bytes(crypto::sha256(out_));
    return std::move(out_);
  }

 private:
  std::vector<u8> out_;
};

// --- reading -------------------------------------------------------------------------------------

std::vector<u8> owned(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

std::int64_t read_time(Reader& in) {
  const std::uint64_t value = in.u64();
  if (value > std::numeric_limits<std::int64_t>::max()) in.fail();
  return static_cast<std::int64_t>(value);
}

SocketAddress read_address(Reader& in) {
  if (in.remaining() == 6) {
    std::array<u8, 4> octets{};
    copy(in.bytes(octets.size()), octets);
    return SocketAddress::ipv4(octets, in.u16());
  }
  if (in.remaining() != 22) {
    in.fail();
    return {};
  }
  std::array<u8, 16> octets{};
  copy(in.bytes(octets.size()), octets);
  const std::uint16_t port = in.u16();
  return SocketAddress::ipv6(octets, port, in.u32());
}

/// Reads a field of a known type. Returns whether the field was complete.
bool read_field(Field type, Bytes value, CacheEntry& entry) {
  Reader in{value};
  switch (type) {
    case Field::id: {
      std::array<u8, PeerId::kSize> bytes{};
      copy(in.bytes(bytes.size()), bytes);
      entry.id = PeerId(bytes);
      break;
    }
    case Field::address:
      entry.address = read_address(in);
      break;
    case Field::certificate:
      entry.certificate = owned(in.rest());
      break;
    case Field::first_reached:
      entry.first_reached = read_time(in);
      break;
    case Field::last_reached:
      entry.last_reached = read_time(in);
      break;
    case Field::evidence: {  // A kind that this version does not know proves nothing.
      const u8 kind = in.byte();
      entry.evidence =
          kind <= std::to_underlying(Evidence::dialled_back) ? Evidence{kind} : Evidence::unproved;
      break;
    }
    case Field::failures: {
      const std::uint64_t count = in.varint();
      if (count > std::numeric_limits<std::uint32_t>::max()) in.fail();
      entry.failures = static_cast<std::uint32_t>(count);
      break;
    }
    case Field::ticket:
      entry.ticket = owned(in.rest());
      break;
    case Field::address_token:
      entry.address_token = owned(in.rest());
      break;
    case Field::spare_ticket:
      entry.spare_ticket = owned(in.rest());
      break;
    case Field::order:
      entry.order = in.varint();
      break;
  }
  return in.ok() && in.empty();
}

std::optional<CacheEntry> read_entry(Bytes bytes) {
  CacheEntry entry;
  std::bitset<kFields> seen;
  for (Reader in{bytes}; !in.empty();) {
    const std::uint64_t type = in.varint();
    const Bytes value = in.bytes(in.varint());
    if (!in.ok()) return std::nullopt;
    if (type == 0 || type >= kFields) continue;
    if (seen[type] || !read_field(static_cast<Field>(type), value, entry)) return std::nullopt;
    seen.set(type);
  }
  const bool complete = seen[std::to_underlying(Field::id)] &&
                        seen[std::to_underlying(Field::address)] &&
                        seen[std::to_underlying(Field::last_reached)];
  if (!complete) return std::nullopt;
  return entry;
}

}  // namespace

std::vector<u8> encode(std::span<const CacheEntry> entries) {
  FileWriter out;
  out.bytes(kMagic);
  out.big_endian(kCacheMajorVersion, 2);
  out.big_endian(kCacheMinorVersion, 2);
  out.big_endian(entries.size(), 4);
  for (const CacheEntry& entry : entries) out.entry(entry);
  return out.finish();
}

bool has_magic(Bytes file) {
  return file.size() >= kMagic.size() && std::ranges::equal(file.first(kMagic.size()), kMagic);
}

std::expected<Decoded, DecodeError> decode(Bytes file) {
  const std::unexpected damaged{DecodeError::damaged};
  if (file.size() < kHeaderSize + kChecksumSize) return damaged;
  const Bytes body = file.first(file.size() - kChecksumSize);
  Reader in{body};
  if (!equal(in.bytes(kMagic.size()), kMagic)) return damaged;
  if (!equal(crypto::sha256(body), file.last(kChecksumSize))) return damaged;
  const std::uint16_t major = in.u16();
  if (major > kCacheMajorVersion) return std::unexpected(DecodeError::newer_version);
  if (major < kCacheMajorVersion) return damaged;
  Decoded out{.minor_version = in.u16(), .entries = {}};
  const std::uint32_t count = in.u32();
  if (count > in.remaining() / kSmallestEntry) return damaged;
  out.entries.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Bytes bytes = in.bytes(in.u32());
    auto entry = in.ok() ? read_entry(bytes) : std::nullopt;
    if (!entry) return damaged;
    out.entries.push_back(std::move(*entry));
  }
  if (!in.empty() && out.minor_version <= kCacheMinorVersion) return damaged;
  return out;
}

}  // namespace qpeer::cache
