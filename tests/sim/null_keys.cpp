// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/null_keys.hpp"

#include <bit>
#include <cstring>
#include <utility>

#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15ULL;

using Tag = std::array<u8, crypto::kTagSize>;

Tag tag_of(std::uint64_t sum) {
  Tag tag{};
  Writer out{tag};
  out.u64(sum);
  out.u64(splitmix(sum));
  return tag;
}

/// 32 bytes that look random and depend on every bit of `state`.
crypto::Secret secret_of(std::uint64_t state) {
  std::array<u8, 32> octets{};
  Writer out{octets};
  while (out.remaining() > 0) out.u64(splitmix(state));
  return crypto::Secret(octets);
}

std::uint64_t version_salt(Version version) {
  return kOdd ^ static_cast<std::uint64_t>(std::to_underlying(version));
}

class NullAead final : public crypto::Aead {
 public:
  NullAead(std::uint64_t key, const NullKeysConfig& config) : key_(key), config_(config) {}

  void seal(std::uint64_t packet_number, Bytes header, MutableBytes payload_and_tag) override {
    const std::size_t size = payload_and_tag.size() - crypto::kTagSize;
    copy(tag(packet_number, header, payload_and_tag.first(size)), payload_and_tag.subspan(size));
  }

  bool open(std::uint64_t packet_number, Bytes header, MutableBytes payload_and_tag) override {
    if (payload_and_tag.size() < crypto::kTagSize) return false;
    if (config_.accept_any_tag) return true;
    const std::size_t size = payload_and_tag.size() - crypto::kTagSize;
    return equal(tag(packet_number, header, payload_and_tag.first(size)),
                 payload_and_tag.subspan(size));
  }

  [[nodiscard]] std::uint64_t confidentiality_limit() const override {
    return config_.confidentiality_limit;
  }
  [[nodiscard]] std::uint64_t integrity_limit() const override { return config_.integrity_limit; }

 private:
  [[nodiscard]] Tag tag(std::uint64_t packet_number, Bytes header, Bytes payload) const {
    std::uint64_t sum = checksum(key_ ^ packet_number * kOdd, header);
    sum = checksum(sum + header.size(), payload);
    return tag_of(sum);
  }

  std::uint64_t key_;
  NullKeysConfig config_;
};

class NullHeaderProtection final : public crypto::HeaderProtection {
 public:
  void masks(std::span<const Sample>, std::span<Mask> masks) override {
    for (Mask& mask : masks) mask = {};
  }
};

}  // namespace

std::uint64_t checksum(std::uint64_t start, Bytes bytes) {
  std::uint64_t sum = start;
  const auto mix = [&sum](std::uint64_t word) { sum = std::rotl((sum ^ word) * kOdd, 29); };
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    mix(word);
    bytes = bytes.subspan(8);
  }
  std::uint64_t last = bytes.size() + 1;
  for (const u8 byte : bytes) last = last << 8 | byte;
  mix(last);
  return sum ^ sum >> 32;
}

crypto::InitialSecrets NullKeys::initial_secrets(Version version, Bytes destination_connection_id) {
  const std::uint64_t sum = checksum(version_salt(version), destination_connection_id);
  return {.client = secret_of(sum), .server = secret_of(~sum)};
}

crypto::PacketKeys NullKeys::packet_keys(Version version, crypto::CipherSuite suite,
                                         const crypto::Secret& secret) {
  return {.aead = next_aead(version, suite, secret),
          .header_protection = std::make_unique<NullHeaderProtection>()};
}

crypto::Secret NullKeys::next_secret(Version version, crypto::CipherSuite,
                                     const crypto::Secret& secret) {
  return secret_of(checksum(~version_salt(version), secret.bytes()));
}

std::unique_ptr<crypto::Aead> NullKeys::next_aead(Version version, crypto::CipherSuite suite,
                                                  const crypto::Secret& secret) {
  const std::uint64_t salt = version_salt(version) + std::to_underlying(suite);
  return std::make_unique<NullAead>(checksum(salt, secret.bytes()), config_);
}

std::array<u8, crypto::kTagSize> NullKeys::retry_integrity_tag(
    Version version, Bytes original_destination_connection_id, Bytes retry_without_tag) {
  const std::uint64_t sum = checksum(version_salt(version), original_destination_connection_id);
  return tag_of(checksum(sum, retry_without_tag));
}

}  // namespace qpeer::sim
