// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Address tokens: sealed with AES-256-GCM under keys that time rotates. RFC 9000 §8.1.1, §8.1.3,
// §8.1.4, §10.3.2.
//
//   | kind 1 | epoch 1 | nonce 12 | sealed: expiry 8, address 19, version 4, Retry: two IDs 42 | tag |
//     `----- authenticated -----'   of one size for each kind, so that nothing can be read off it
//
// An epoch lasts as long as the tokens of its kind: a token that has not expired was sealed in this
// epoch or the one before, or in the next by a process whose clock is ahead. Nonces are random, since
// all processes that have the master key seal under the same keys: with 2^32 tokens an epoch, the
// chance that a nonce is used twice is 2^-33.
#include "qpeer/crypto/address_token.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "qpeer/crypto/openssl/aead.hpp"
#include "qpeer/crypto/openssl/hkdf.hpp"

namespace qpeer::crypto {
namespace {

constexpr auto kSuite = CipherSuite::aes_256_gcm_sha384;
constexpr std::size_t kHeaderSize = 1 + 1 + kIvSize;
constexpr std::size_t kAddressSize = 1 + 16 + 2;
constexpr std::size_t kIdSize = 1 + ConnectionId::kMaxSize;
constexpr std::size_t kPlainSize = 8 + kAddressSize + 4;
constexpr std::size_t kRetryPlainSize = kPlainSize + 2 * kIdSize;
static_assert(kHeaderSize + kRetryPlainSize + kTagSize <= AddressTokens::kMaxSize);

constexpr std::size_t plain_size(TokenKind kind) {
  return kind == TokenKind::retry ? kRetryPlainSize : kPlainSize;
}
constexpr std::size_t token_size(TokenKind kind) {
  return kHeaderSize + plain_size(kind) + kTagSize;
}

void write_padded(Writer& out, Bytes bytes, std::size_t size) {
  out.bytes(bytes);
  out.zeros(size - bytes.size());
}

/// RFC 9000 §8.1.4 [rfc9000-8.1.4-3], [rfc9000-8.1.4-4]: a Retry comes back from the same socket; a
/// client that returns a day later has another port.
std::array<u8, kAddressSize> encode(TokenKind kind, const SocketAddress& address) {
  std::array<u8, kAddressSize> out{};
  Writer writer{out};
  writer.byte(static_cast<u8>(address.octets().size()));
  write_padded(writer, address.octets(), 16);
  writer.u16(kind == TokenKind::retry ? address.port() : std::uint16_t{0});
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
  /// What opening gives: whether it is alive and of this client is known, the rest is to be read.
  struct Opened {
    std::array<u8, kRetryPlainSize + kTagSize> plain{};
    [[nodiscard]] Reader after_address(TokenKind kind) const {
      return Reader{Bytes(plain).first(plain_size(kind)).subspan(8 + kAddressSize)};
    }
  };

  State(Random& source, const Config& settings) : random(source), config(settings) {
    if (config.key == Key{}) random.fill_private(config.key);
    for (Duration* each : {&config.retry_lifetime, &config.new_token_lifetime}) {
      *each = std::max<Duration>(*each, 1s);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { OPENSSL_cleanse(config.key.data(), config.key.size()); }

  [[nodiscard]] Duration lifetime(TokenKind kind) const {
    return kind == TokenKind::retry ? config.retry_lifetime : config.new_token_lifetime;
  }
  [[nodiscard]] Duration shared_time(Instant now) const {
    return now.time_since_epoch() + config.clock_offset;
  }

  [[nodiscard]] std::unique_ptr<Aead> aead(TokenKind kind, std::int64_t epoch, Bytes nonce) const {
    std::array<u8, 9> what{};
    Writer out{what};
    out.byte(static_cast<u8>(kind));
    out.u64(static_cast<std::uint64_t>(epoch));
    const Secret key = hmac(Hash::sha256, config.key, {as_bytes("qpeer address token"), what});
    return make_aead(kSuite, key.bytes(), nonce);
  }

  template <class Fill>
  std::size_t seal(Instant now, TokenKind kind, const SocketAddress& client, MutableBytes out,
                   Fill fill) const {
    const Duration time = shared_time(now);
    const std::int64_t epoch = time / lifetime(kind);
    std::array<u8, kIvSize> nonce{};
    random.fill_public(nonce);
    Writer writer{out};
    writer.byte(static_cast<u8>(kind));
    writer.byte(static_cast<u8>(epoch));
    writer.bytes(nonce);
    writer.u64(static_cast<std::uint64_t>((time + lifetime(kind)).count()));
    writer.bytes(encode(kind, client));
    fill(writer);
    writer.zeros(kTagSize);
    if (!writer.ok()) return 0;
    const MutableBytes token = writer.written();
    aead(kind, epoch, nonce)->seal(0, token.first(kHeaderSize), token.subspan(kHeaderSize));
    return token.size();
  }

  [[nodiscard]] std::expected<Opened, TokenError> open(Instant now, TokenKind kind,
                                                       const SocketAddress& client,
                                                       Bytes token) const {
    if (kind_of(token) != kind) return std::unexpected(TokenError::not_ours);
    const Duration time = shared_time(now);
    const std::int64_t this_epoch = time / lifetime(kind);
    const auto ahead = static_cast<std::int8_t>(token[1] - static_cast<u8>(this_epoch));
    if (ahead < -1 || ahead > 1) return std::unexpected(TokenError::not_ours);
    Opened out;
    const MutableBytes sealed = MutableBytes(out.plain).first(plain_size(kind) + kTagSize);
    copy(token.subspan(kHeaderSize), sealed);
    const auto opener = aead(kind, this_epoch + ahead, token.subspan(2, kIvSize));
    if (!opener->open(0, token.first(kHeaderSize), sealed)) {
      return std::unexpected(TokenError::not_ours);
    }
    // From here on it is what we wrote.
    Reader plain{Bytes(out.plain)};
    const Duration expiry{static_cast<Duration::rep>(plain.u64())};
    // RFC 9000 §8.1.3 [rfc9000-8.1.3-5], §8.1.4 [rfc9000-8.1.4-7].
    if (time >= expiry) return std::unexpected(TokenError::expired);
    if (!equal(plain.bytes(kAddressSize), encode(kind, client))) {
      return std::unexpected(TokenError::wrong_address);
    }
    return out;
  }

  Random& random;
  Config config;
};

AddressTokens::AddressTokens(Random& random, Config config)
    : state_(std::make_unique<State>(random, config)) {
  OPENSSL_cleanse(config.key.data(), config.key.size());
}
AddressTokens::AddressTokens(AddressTokens&&) noexcept = default;
AddressTokens::~AddressTokens() = default;

// RFC 9000 §8.1.1 [rfc9000-8.1.1-1], §8.1.3 [rfc9000-8.1.3-8]: the kind is in the clear, but
// authenticated: a token whose kind was changed does not open.
std::optional<TokenKind> AddressTokens::kind_of(Bytes token) {
  for (const TokenKind kind : {TokenKind::retry, TokenKind::new_token}) {
    if (token.size() == token_size(kind) && token[0] == static_cast<u8>(kind)) return kind;
  }
  return std::nullopt;
}

std::uint64_t AddressTokens::id_of(Bytes token) { return Reader{token.subspan(2, 8)}.u64(); }

std::size_t AddressTokens::seal_retry(Instant now, const SocketAddress& client,
                                      const RetryToken& token, MutableBytes out) {
  return state_->seal(now, TokenKind::retry, client, out, [&](Writer& writer) {
    writer.u32(static_cast<std::uint32_t>(token.version));
    write_id(writer, token.original_destination_connection_id);
    write_id(writer, token.retry_source_connection_id);
  });
}

// RFC 9000 §8.1.3 [rfc9000-8.1.3-6], [rfc9000-8.1.3-7]: a token shows nothing but its kind, its epoch
// and a random nonce, which no two tokens share.
std::size_t AddressTokens::seal_new_token(Instant now, const SocketAddress& client, Version version,
                                          MutableBytes out) {
  return state_->seal(now, TokenKind::new_token, client, out,
                      [&](Writer& writer) { writer.u32(static_cast<std::uint32_t>(version)); });
}

std::expected<RetryToken, TokenError> AddressTokens::open_retry(Instant now,
                                                                const SocketAddress& client,
                                                                Bytes token) {
  const auto opened = state_->open(now, TokenKind::retry, client, token);
  if (!opened) return std::unexpected(opened.error());
  Reader in = opened->after_address(TokenKind::retry);
  RetryToken out;
  out.version = static_cast<Version>(in.u32());
  out.original_destination_connection_id = read_id(in);
  out.retry_source_connection_id = read_id(in);
  if (!in.ok()) return std::unexpected(TokenError::not_ours);
  return out;
}

std::expected<Version, TokenError> AddressTokens::open_new_token(Instant now,
                                                                 const SocketAddress& client,
                                                                 Bytes token) {
  const auto opened = state_->open(now, TokenKind::new_token, client, token);
  if (!opened) return std::unexpected(opened.error());
  return static_cast<Version>(opened->after_address(TokenKind::new_token).u32());
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
