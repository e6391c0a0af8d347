// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What tests of single parts of a connection stand them on: random numbers that count, an issuer of
// connection IDs without an endpoint, a TLS session that a test controls.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/local_cids.hpp"

namespace qpeer::transport::test {

inline constexpr auto kSuite = crypto::CipherSuite::aes_128_gcm_sha256;
inline constexpr std::array<u8, 32> kSecret{1, 2, 3};

inline constexpr Instant at(Duration since_start) { return Instant{} + since_start; }

inline ConnectionId id_of(u8 value) { return ConnectionId(std::array<u8, 8>{value}); }

/// Counts up, so that nothing repeats soon.
class CountingRandom final : public Random {
 public:
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& each : out) each = next_++;
  }

 private:
  u8 next_ = 100;
};

class QuietIssuer final : public CidIssuer {
 public:
  ConnectionId issue() override { return id_of(next_++); }
  ConnectionId issue_zero_length() override { return {}; }
  void retire(const ConnectionId&) override {}
  StatelessResetToken reset_token(const ConnectionId&) override { return {}; }
  void watch_reset_token(const StatelessResetToken&) override {}
  void unwatch_reset_token(const StatelessResetToken&) override {}

 private:
  u8 next_ = 1;
};

/// Takes all data, and then does `step`.
struct ScriptedTls final : crypto::TlsSession {
  explicit ScriptedTls(crypto::TlsHandler& handler) : handler(handler) {}
  Result start() override { return {}; }
  void set_transport_parameters(Bytes) override { ++parameter_changes; }
  Result on_data(EncryptionLevel, Bytes) override { return step ? step() : Result{}; }
  [[nodiscard]] bool is_complete() const override { return complete; }
  [[nodiscard]] EncryptionLevel read_level() const override { return level; }
  [[nodiscard]] crypto::EarlyData early_data() const override { return early; }
  [[nodiscard]] std::string_view alpn() const override { return "test"; }
  [[nodiscard]] std::string_view server_name() const override { return {}; }
  [[nodiscard]] crypto::PeerCertificate peer_certificate() const override { return {}; }
  [[nodiscard]] std::string group() const override { return {}; }

  void keys(EncryptionLevel at) {
    for (const auto direction : {crypto::Direction::send, crypto::Direction::receive}) {
      handler.on_tls_secret(at, direction, kSuite, kSecret);
    }
  }

  crypto::TlsHandler& handler;
  std::function<Result()> step;
  EncryptionLevel level = EncryptionLevel::initial;
  bool complete = false;
  crypto::EarlyData early = crypto::EarlyData::none;
  int parameter_changes = 0;
};

struct ScriptedContext final : crypto::TlsContext {
  std::unique_ptr<crypto::TlsSession> new_session(Side, std::string_view, Bytes parameters,
                                                  crypto::TlsHandler& handler,
                                                  const crypto::Resumption& resumption) override {
    ++sessions;
    sent_parameters.assign(parameters.begin(), parameters.end());
    offered_session.assign(resumption.session.begin(), resumption.session.end());
    auto made = std::make_unique<ScriptedTls>(handler);
    session = made.get();
    if (resumption.early_data) {
      handler.on_tls_secret(EncryptionLevel::zero_rtt, crypto::Direction::send, kSuite, kSecret);
    }
    return made;
  }

  ScriptedTls* session = nullptr;
  int sessions = 0;
  std::vector<u8> sent_parameters;
  std::vector<u8> offered_session;
};

}  // namespace qpeer::transport::test
