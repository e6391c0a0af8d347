// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The 1-RTT keys and their updates. RFC 9001 §6.
//
//   receive:  previous <- current -> next        (next is made ahead of time, §6.3)
//   send:                 current
//
// Header protection never changes. Invariant: no packet number is sealed twice with one key; with a current receive
// key there is a next one; our phase is ahead of the peer's by one update at most.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/log/event_log.hpp"

namespace qpeer::transport {

class KeyPhases {
 public:
  explicit KeyPhases(crypto::KeyFactory& keys) : factory_(keys) {}
  /// From now on an observer learns of updates. `log` must outlive this object.
  void set_log(const log::EventLog& log, Side side) {
    log_ = &log;
    side_ = side;
  }

  void install_send(Version version, crypto::CipherSuite suite, Bytes secret);
  void install_receive(Version version, crypto::CipherSuite suite, Bytes secret);
  [[nodiscard]] bool can_send() const { return send_ != nullptr; }
  [[nodiscard]] bool can_receive() const { return current_ != nullptr; }

  [[nodiscard]] crypto::HeaderProtection& send_header_protection() { return *send_protection_; }
  [[nodiscard]] crypto::HeaderProtection& receive_header_protection() {
    return *receive_protection_;
  }

  // --- sending ---------------------------------------------------------------------------------
  [[nodiscard]] bool phase() const { return phase_; }
  /// Seals with the current key; updates by itself well before the confidentiality limit where that
  /// is allowed. §6.6.
  void seal(PacketNumber number, Bytes header, MutableBytes payload_and_tag);
  /// Neither sealing nor updating is possible any more. §6.6.
  [[nodiscard]] bool exhausted() const;
  /// Nearly so: what is left is for the close.
  [[nodiscard]] bool nearly_exhausted() const;
  [[nodiscard]] bool wants_update() const;
  /// A packet of ours was acknowledged; one of the current phase allows the next update. §6.5.
  void on_acknowledged(PacketNumber largest_acknowledged);
  /// False while the previous update is not acknowledged, or before the handshake is confirmed.
  bool initiate(PacketNumber next_packet_number);
  void on_handshake_confirmed() { confirmed_ = true; }

  // --- receiving -------------------------------------------------------------------------------
  enum class Opened : u8 { yes, no, key_update_error };
  /// Opens in place with the key that the phase bit and number point at. A packet that opens with
  /// the next key is the peer's update: ours follows at once. `next_send` is our next packet
  /// number; old keys are kept until `retain_until`.
  Opened open(PacketNumber number, bool phase, Bytes header, MutableBytes payload_and_tag,
              PacketNumber next_send, Instant retain_until);
  /// When the previous receive key is dropped; kNever without one. §6.5.
  [[nodiscard]] Instant deadline() const { return previous_ ? retain_until_ : kNever; }
  void on_deadline(Instant now);

  [[nodiscard]] crypto::CipherSuite cipher_suite() const { return suite_; }
  [[nodiscard]] std::uint64_t updates() const { return updates_; }
  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;
  [[nodiscard]] std::uint64_t integrity_limit() const {
    return current_ ? current_->integrity_limit() : ~std::uint64_t{0};
  }

 private:
  void make_next();
  void advance_send(PacketNumber next_packet_number, log::KeyTrigger trigger);
  /// Of keys that came or went with an update.
  template <class E>
  void log_keys(Side sender, std::uint64_t phase, log::KeyTrigger trigger) const {
    log::emit(log_, [&] {
      return E{.key_type = {.level = EncryptionLevel::one_rtt, .sender = sender},
               .key_phase = phase,
               .trigger = trigger};
    });
  }
  void advance_receive(PacketNumber first_of_phase);

  crypto::KeyFactory& factory_;
  Version version_ = Version::v1;
  crypto::CipherSuite suite_ = crypto::CipherSuite::aes_128_gcm_sha256;

  std::unique_ptr<crypto::HeaderProtection> send_protection_;
  std::unique_ptr<crypto::HeaderProtection> receive_protection_;
  crypto::Secret send_secret_;
  crypto::Secret receive_secret_;  ///< Of next_.
  std::unique_ptr<crypto::Aead> send_;
  std::unique_ptr<crypto::Aead> previous_;
  std::unique_ptr<crypto::Aead> current_;
  std::unique_ptr<crypto::Aead> next_;

  bool phase_ = false;          ///< Of what we send.
  bool receive_phase_ = false;  ///< Differs while our update is not answered.
  bool confirmed_ = false;
  bool acknowledged_ = false;        ///< A packet of the current send phase was acknowledged.
  PacketNumber first_sent_ = 0;      ///< Of the current send phase.
  PacketNumber next_sealed_ = 0;     ///< Likewise: no lower number may be sealed with its key.
  PacketNumber first_received_ = 0;  ///< Lowest seen of the current receive phase.
  std::uint64_t sealed_ = 0;
  std::uint64_t updates_ = 0;
  Instant retain_until_ = kNever;
  const log::EventLog* log_ = nullptr;  ///< Null without an observer.
  Side side_ = Side::client;            ///< Ours, for the observer.
};

}  // namespace qpeer::transport
