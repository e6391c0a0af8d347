// Address tokens: sealed with AES-256-GCM under keys that rotate. RFC 9000 §8.1.3, §8.1.4, §10.3.2.
//
//   | kind 1 | key index 1 | number 8 | sealed: expiry 8, address 19, version 4, two IDs 21 | tag 16 |
//     `---- authenticated -----------'   all fixed in size, so that nothing can be read off it
//
// `number` counts the tokens of a key, so no nonce comes twice.
#include "crypto/address_token.hpp"

#include <openssl/crypto.h>

#include "crypto/openssl/aead.hpp"
#include "crypto/openssl/hkdf.hpp"

namespace qpeer::crypto {
namespace {

constexpr auto kSuite = CipherSuite::aes_256_gcm_sha384;
constexpr u8 kRetryKind = 1;
constexpr std::size_t kHeaderSize = 1 + 1 + 8;
constexpr std::size_t kAddressSize = 1 + 16 + 2;
constexpr std::size_t kIdSize = 1 + ConnectionId::kMaxSize;
constexpr std::size_t kPlainSize = 8 + kAddressSize + 4 + 2 * kIdSize;
constexpr std::size_t kTokenSize = kHeaderSize + kPlainSize + kTagSize;
static_assert(kTokenSize <= AddressTokens::kMaxSize);

struct Key {
  std::unique_ptr<Aead> aead;  // Null: none yet.
  Instant made{};
  std::uint64_t sealed = 0;  // How many tokens.
  u8 index = 0;
};

Key new_key(Random& random, Instant now, u8 index) {
  std::array<u8, kMaxKeySize + kIvSize> octets{};
  random.fill_private(octets);
  const Bytes all{octets};
  Key out{make_aead(kSuite, all.first(kMaxKeySize), all.last(kIvSize)), now, 0, index};
  OPENSSL_cleanse(octets.data(), octets.size());
  return out;
}

void write_padded(Writer& out, Bytes bytes, std::size_t size) {
  out.bytes(bytes);
  out.zeros(size - bytes.size());
}

std::array<u8, kAddressSize> encode(const SocketAddress& address) {
  std::array<u8, kAddressSize> out{};
  Writer writer{out};
  writer.byte(static_cast<u8>(address.octets().size()));
  write_padded(writer, address.octets(), 16);
  writer.u16(address.port());
  return out;
}

void write_id(Writer& out, const ConnectionId& id) {
  out.byte(static_cast<u8>(id.size()));
  write_padded(out, id.bytes(), ConnectionId::kMaxSize);
}

ConnectionId read_id(Reader& in) {
  const std::size_t size = in.byte();
  const Bytes padded = in.bytes(ConnectionId::kMaxSize);
  if (size > padded.size()) in.fail();
  return ConnectionId{in.ok() ? padded.first(size) : Bytes{}};
}

}  // namespace

struct AddressTokens::State {
  Random& random;
  Config config;
  Key current;
  Key previous;

  // A token lives for `lifetime` and its key is renewed no sooner, so that with the key before it
  // every living token can be opened.
  void rotate(Instant now) {
    const bool spent = current.sealed >= (current.aead ? current.aead->confidentiality_limit() : 0);
    if (current.aead != nullptr && !spent && now - current.made < config.retry_lifetime) return;
    const u8 index = static_cast<u8>(current.index + 1);
    previous = std::move(current);
    current = new_key(random, now, index);
  }

  Key* find(u8 index) {
    for (Key* const key : {&current, &previous}) {
      if (key->aead != nullptr && key->index == index) return key;
    }
    return nullptr;
  }
};

AddressTokens::AddressTokens(Random& random, Config config)
    : state_(std::make_unique<State>(State{random, config, {}, {}})) {}
AddressTokens::AddressTokens(AddressTokens&&) noexcept = default;
AddressTokens::~AddressTokens() = default;

std::size_t AddressTokens::seal_retry(Instant now, const SocketAddress& client,
                                      const RetryToken& token, MutableBytes out) {
  state_->rotate(now);
  Key& key = state_->current;
  const std::uint64_t number = key.sealed++;
  Writer writer{out};
  writer.byte(kRetryKind);
  writer.byte(key.index);
  writer.u64(number);
  const Bytes header = writer.written();
  const Instant expiry = now + state_->config.retry_lifetime;
  writer.u64(static_cast<std::uint64_t>(expiry.time_since_epoch().count()));
  writer.bytes(encode(client));
  writer.u32(static_cast<std::uint32_t>(token.version));
  write_id(writer, token.original_destination_connection_id);
  write_id(writer, token.retry_source_connection_id);
  writer.zeros(kTagSize);
  if (!writer.ok()) return 0;
  key.aead->seal(number, header, writer.written().subspan(kHeaderSize));
  return writer.size();
}

std::expected<RetryToken, TokenError> AddressTokens::open_retry(Instant now,
                                                                const SocketAddress& client,
                                                                Bytes token) {
  const auto not_ours = std::unexpected(TokenError::not_ours);
  if (token.size() != kTokenSize) return not_ours;
  state_->rotate(now);
  Reader header{token.first(kHeaderSize)};
  const u8 kind = header.byte();
  Key* const key = state_->find(header.byte());
  const std::uint64_t number = header.u64();
  if (kind != kRetryKind || key == nullptr) return not_ours;

  std::array<u8, kPlainSize + kTagSize> sealed{};
  copy(token.subspan(kHeaderSize), sealed);
  if (!key->aead->open(number, token.first(kHeaderSize), sealed)) return not_ours;

  // From here on it is what we wrote.
  Reader plain{Bytes(sealed).first(kPlainSize)};
  const Instant expiry{Duration{static_cast<Duration::rep>(plain.u64())}};
  const Bytes address = plain.bytes(kAddressSize);
  RetryToken out;
  out.version = static_cast<Version>(plain.u32());
  out.original_destination_connection_id = read_id(plain);
  out.retry_source_connection_id = read_id(plain);
  if (!plain.ok()) return not_ours;
  if (now >= expiry) return std::unexpected(TokenError::expired);
  if (!equal(address, encode(client))) return std::unexpected(TokenError::wrong_address);
  return out;
}

ResetTokens::~ResetTokens() { OPENSSL_cleanse(key_.data(), key_.size()); }

// RFC 9000 §10.3.2: a pseudorandom function of the connection ID under a static key. The label
// keeps this use of the key apart from others.
StatelessResetToken ResetTokens::token(const ConnectionId& id) const {
  const Secret full = hmac(Hash::sha256, key_, {as_bytes("qpeer stateless reset"), id.bytes()});
  StatelessResetToken out{};
  copy(full.bytes().first(out.size()), out);
  return out;
}

}  // namespace qpeer::crypto
