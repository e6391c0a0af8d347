// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/key_phases.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

void KeyPhases::install_send(Version version, crypto::CipherSuite suite, Bytes secret) {
  version_ = version;
  suite_ = suite;
  send_secret_ = crypto::Secret(secret);
  auto keys = factory_.packet_keys(version, suite, send_secret_);
  send_ = std::move(keys.aead);
  send_protection_ = std::move(keys.header_protection);
}

void KeyPhases::install_receive(Version version, crypto::CipherSuite suite, Bytes secret) {
  version_ = version;
  suite_ = suite;
  receive_secret_ = crypto::Secret(secret);
  auto keys = factory_.packet_keys(version, suite, receive_secret_);
  current_ = std::move(keys.aead);
  receive_protection_ = std::move(keys.header_protection);
  make_next();
}

// RFC 9001 §6.3 [rfc9001-6.3-5]: the next key exists before it is needed, so that an update takes no
// longer to answer than any packet.
void KeyPhases::make_next() {
  receive_secret_ = factory_.next_secret(version_, suite_, receive_secret_);
  next_ = factory_.next_aead(version_, suite_, receive_secret_);
}

void KeyPhases::seal(PacketNumber number, Bytes header, MutableBytes payload_and_tag) {
  // RFC 9000 §12.3: a number that comes twice under one key gives the key away.
  QPEER_INVARIANT(number >= next_sealed_, std::ranges::fill(payload_and_tag, u8{0}); return);
  next_sealed_ = number + 1;
  send_->seal(number, header, payload_and_tag);
  ++sealed_;
}

bool KeyPhases::consistent() const {
  const bool receives = current_ != nullptr;
  return receives == (next_ != nullptr) && receives == (receive_protection_ != nullptr) &&
         (send_ != nullptr) == (send_protection_ != nullptr) && (receives || !previous_) &&
         (updates_ == 0 || send_ != nullptr) && (sealed_ == 0 || next_sealed_ != 0);
}

bool KeyPhases::wants_update() const {
  return send_ && confirmed_ && sealed_ >= send_->confidentiality_limit() / 2;
}

bool KeyPhases::exhausted() const { return send_ && sealed_ >= send_->confidentiality_limit(); }

bool KeyPhases::nearly_exhausted() const {
  constexpr std::uint64_t kForTheClose = 1'024;
  if (!send_) return false;
  const std::uint64_t limit = send_->confidentiality_limit();
  return sealed_ >= limit - std::min(limit / 4, kForTheClose);
}

void KeyPhases::on_acknowledged(PacketNumber largest_acknowledged) {
  acknowledged_ = acknowledged_ || largest_acknowledged >= first_sent_;
}

bool KeyPhases::initiate(PacketNumber next_packet_number) {
  // RFC 9001 §6.1 [rfc9001-6.1-1], [rfc9001-6.1-2], §6.5: not before confirmation, not before the last one is
  // acknowledged, and not while the peer's own keys lag behind or old ones are still held.
  if (!confirmed_ || !acknowledged_ || phase_ != receive_phase_ || previous_) return false;
  advance_send(next_packet_number, log::KeyTrigger::local_update);
  return true;
}

void KeyPhases::advance_send(PacketNumber next_packet_number, log::KeyTrigger trigger) {
  send_secret_ = factory_.next_secret(version_, suite_, send_secret_);
  send_ = factory_.next_aead(version_, suite_, send_secret_);
  phase_ = !phase_;
  first_sent_ = next_packet_number;
  next_sealed_ = 0;
  acknowledged_ = false;
  sealed_ = 0;
  log_keys<log::KeyDiscarded>(side_, updates_, trigger);
  ++updates_;
  log_keys<log::KeyUpdated>(side_, updates_, trigger);
}

void KeyPhases::advance_receive(PacketNumber first_of_phase) {
  previous_ = std::exchange(current_, std::move(next_));
  receive_phase_ = !receive_phase_;
  make_next();
  first_received_ = first_of_phase;
  log_keys<log::KeyUpdated>(other(side_), updates_, log::KeyTrigger::remote_update);
}

KeyPhases::Opened KeyPhases::open(PacketNumber number, bool phase, Bytes header,
                                  MutableBytes payload_and_tag, PacketNumber next_send,
                                  Instant retain_until) {
  const auto opens = [&](crypto::Aead& aead) {
    return aead.open(number, header, payload_and_tag) ? Opened::yes : Opened::no;
  };
  if (phase == receive_phase_) {
    const Opened opened = opens(*current_);
    if (opened == Opened::yes) first_received_ = std::min(first_received_, number);
    return opened;
  }
  if (previous_ && number < first_received_) return opens(*previous_);
  if (opens(*next_) == Opened::no) return Opened::no;
  // RFC 9001 §6.4 [rfc9001-6.4-1]: newer keys on an older number cannot be.
  if (number < first_received_) return Opened::key_update_error;
  // Ours follows at once, unless this answers an update of our own. §6.2 [rfc9001-6.2-1].
  if (phase_ == receive_phase_) advance_send(next_send, log::KeyTrigger::remote_update);
  advance_receive(number);
  retain_until_ = retain_until;
  return Opened::yes;
}

void KeyPhases::on_deadline(Instant now) {
  if (!previous_ || now < retain_until_) return;
  previous_.reset();
  // The peer's keys follow ours, or ours the peer's, before an update of either can begin again.
  log_keys<log::KeyDiscarded>(other(side_), updates_ - 1, log::KeyTrigger::remote_update);
}

}  // namespace qpeer::transport
