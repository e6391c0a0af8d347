// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet protection: what a packet costs per suite and size, beside the same work done straight
// through EVP with a kept context. What seal adds to that is ours. Then keys, tokens, handshakes.
#include <benchmark/benchmark.h>

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "qpeer/crypto/address_token.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/openssl/algorithms.hpp"
#include "qpeer/crypto/tls_session.hpp"

// Only crypto/openssl includes OpenSSL's headers; the yardstick needs no more than these.
extern "C" {
evp_cipher_ctx_st* EVP_CIPHER_CTX_new();
int EVP_CIPHER_CTX_ctrl(evp_cipher_ctx_st*, int, int, void*);
int EVP_EncryptInit_ex2(evp_cipher_ctx_st*, const evp_cipher_st*, const unsigned char*,
                        const unsigned char*, const void*);
int EVP_EncryptUpdate(evp_cipher_ctx_st*, unsigned char*, int*, const unsigned char*, int);
int EVP_EncryptFinal_ex(evp_cipher_ctx_st*, unsigned char*, int*);
}

namespace qpeer::crypto {
namespace {

constexpr std::array kSuites{CipherSuite::aes_128_gcm_sha256, CipherSuite::aes_256_gcm_sha384,
                             CipherSuite::chacha20_poly1305_sha256};
constexpr std::array kSuiteNames{"aes128", "aes256", "chacha20"};
constexpr std::array<u8, 13> kHeader{0x41, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1};

std::size_t suite_index(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

PacketKeys keys_of(std::size_t suite) {
  const std::vector<u8> secret(kSuites[suite] == CipherSuite::aes_256_gcm_sha384 ? 48 : 32, 7);
  return openssl_keys().packet_keys(Version::v1, kSuites[suite], Secret{secret});
}

void report(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.SetLabel(kSuiteNames[suite_index(state)]);
}

void seal(benchmark::State& state) {
  PacketKeys keys = keys_of(suite_index(state));
  std::vector<u8> packet(static_cast<std::size_t>(state.range(1)) - kHeader.size());
  std::uint64_t number = 0;
  for (auto _ : state) {
    keys.aead->seal(number++, kHeader, packet);
    benchmark::DoNotOptimize(packet.data());
  }
  report(state, packet.size());
}

void open(benchmark::State& state) {
  PacketKeys keys = keys_of(suite_index(state));
  std::vector<u8> sealed(static_cast<std::size_t>(state.range(1)) - kHeader.size());
  keys.aead->seal(7, kHeader, sealed);
  std::vector<u8> packet(sealed.size());
  for (auto _ : state) {  // The copy, some 30 ns, is part of the figure.
    copy(sealed, packet);
    if (!keys.aead->open(7, kHeader, packet)) state.SkipWithError("not opened");
  }
  report(state, packet.size());
}

void bare_evp_seal(benchmark::State& state) {
  const SuiteAlgorithms& algorithms = algorithms_of(kSuites[suite_index(state)]);
  const Handle<evp_cipher_ctx_st> context{EVP_CIPHER_CTX_new()};
  const std::array<u8, kMaxKeySize> key{1};
  std::array<u8, kIvSize> iv{2};
  EVP_EncryptInit_ex2(context.get(), algorithms.aead.get(), key.data(), iv.data(), nullptr);
  std::vector<u8> packet(static_cast<std::size_t>(state.range(1)) - kHeader.size());
  const int size = static_cast<int>(packet.size() - kTagSize);
  constexpr int kGetTag = 0x10;
  for (auto _ : state) {
    ++iv[11];
    int done = 0;
    EVP_EncryptInit_ex2(context.get(), nullptr, nullptr, iv.data(), nullptr);
    EVP_EncryptUpdate(context.get(), nullptr, &done, kHeader.data(), kHeader.size());
    EVP_EncryptUpdate(context.get(), packet.data(), &done, packet.data(), size);
    EVP_EncryptFinal_ex(context.get(), packet.data() + size, &done);
    EVP_CIPHER_CTX_ctrl(context.get(), kGetTag, kTagSize, packet.data() + size);
    benchmark::DoNotOptimize(packet.data());
  }
  report(state, packet.size());
}

void header_protection(benchmark::State& state) {
  PacketKeys keys = keys_of(suite_index(state));
  const auto count = static_cast<std::size_t>(state.range(1));
  std::vector<HeaderProtection::Sample> samples(count, HeaderProtection::Sample{1, 2, 3});
  std::vector<HeaderProtection::Mask> masks(count);
  for (auto _ : state) {
    keys.header_protection->masks(samples, masks);
    benchmark::DoNotOptimize(masks.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetLabel(kSuiteNames[suite_index(state)]);
}

// What a server pays for the first Initial of anybody.
void initial_keys(benchmark::State& state) {
  const std::array<u8, 8> id{1, 2, 3};
  for (auto _ : state) {
    const auto secrets = openssl_keys().initial_secrets(Version::v1, id);
    benchmark::DoNotOptimize(
        openssl_keys().packet_keys(Version::v1, CipherSuite::aes_128_gcm_sha256, secrets.client));
    benchmark::DoNotOptimize(
        openssl_keys().packet_keys(Version::v1, CipherSuite::aes_128_gcm_sha256, secrets.server));
  }
}

void retry_token(benchmark::State& state) {
  AddressTokens tokens{system_random(), {}};
  const auto client = SocketAddress::loopback4(1);
  std::array<u8, AddressTokens::kMaxSize> out{};
  for (auto _ : state) {
    const std::size_t size = tokens.seal_retry(Instant{1s}, client, {}, out);
    if (!tokens.open_retry(Instant{1s}, client, Bytes(out).first(size))) {
      state.SkipWithError("not opened");
    }
  }
}

struct Mailbox final : TlsHandler {
  void on_tls_data(EncryptionLevel level, Bytes data) override {
    mail.emplace_back(level, std::vector<u8>(data.begin(), data.end()));
  }
  void on_tls_secret(EncryptionLevel, Direction, CipherSuite, Bytes) override {}
  Result on_tls_transport_parameters(Bytes) override { return {}; }
  std::deque<std::pair<EncryptionLevel, std::vector<u8>>> mail;
};

bool deliver(Mailbox& from, TlsSession& to) {
  bool good = true;
  for (; !from.mail.empty(); from.mail.pop_front()) {
    good &= to.on_data(from.mail.front().first, from.mail.front().second).has_value();
  }
  return good;
}

// Both sides of a mutual handshake; the argument chooses the groups.
void handshake(benchmark::State& state) {
  TlsConfig config;
  config.credentials = generate_credentials(KeyType::ed25519, "peer");
  config.alpn = {"bench"};
  config.groups = state.range(0) == 0 ? "X25519MLKEM768" : "X25519";
  const auto context = *make_tls_context(config);
  const std::array<u8, 100> parameters{};
  for (auto _ : state) {
    Mailbox from_client;
    Mailbox from_server;
    const auto client = context->new_session(Side::client, "peer", parameters, from_client);
    const auto server = context->new_session(Side::server, "", parameters, from_server);
    bool good = client->start().has_value();
    for (int round = 0; round < 3; ++round) {
      good = good && deliver(from_client, *server) && deliver(from_server, *client);
    }
    if (!good || !client->is_complete() || !server->is_complete()) {
      state.SkipWithError("no handshake");
    }
  }
  state.SetLabel(config.groups);
}

BENCHMARK(seal)->Name("crypto/seal")->ArgsProduct({{0, 1, 2}, {1200, 1350, 1452}});
BENCHMARK(bare_evp_seal)
    ->Name("crypto/bare_evp_seal")
    ->ArgsProduct({{0, 1, 2}, {1200, 1350, 1452}});
BENCHMARK(open)->Name("crypto/open")->ArgsProduct({{0, 1, 2}, {1200, 1350, 1452}});
BENCHMARK(header_protection)->Name("crypto/header_masks")->ArgsProduct({{0, 2}, {1, 16, 64}});
BENCHMARK(initial_keys)->Name("crypto/initial_keys");
BENCHMARK(retry_token)->Name("crypto/retry_token");
BENCHMARK(handshake)->Name("crypto/handshake")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace qpeer::crypto
