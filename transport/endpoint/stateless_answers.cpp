// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/stateless_answers.hpp"

#include <algorithm>

#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/stateless.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport {

bool RateLimiter::allow(Instant now) {
  if (per_second_ == 0) return false;
  const Duration cost = Duration{1s} / per_second_;
  full_at_ = std::max(full_at_, now);
  if (full_at_ + cost > now + std::max<Duration>(100ms, cost)) return false;
  full_at_ += cost;
  return true;
}

StatelessAnswers::Answer* StatelessAnswers::open(Instant now, const Path& path,
                                                 RateLimiter& limiter) {
  if (pending_.size() >= kMaxPending || !limiter.allow(now)) return nullptr;
  pending_.push_back({.path = path});
  return &pending_.back();
}

bool StatelessAnswers::negotiate_version(Instant now, const Path& path,
                                         const wire::InvariantHeader& header,
                                         const ConnectionConfig& config) {
  Answer* answer = open(now, path, negotiations_);
  if (answer == nullptr) return false;
  std::array<u8, 2> random{};
  random_.fill_public(random);
  // RFC 9368 §2.1 [rfc9368-2.1-1], [rfc9368-2.1-2].
  InlineVector<Version, VersionOrder::capacity() + 1> versions;
  for (const Version each : config.versions) versions.push_back(each);
  // RFC 9000 §6.3 [rfc9000-6.3-1]: a reserved version, so that clients keep ignoring unknown ones.
  if (config.grease.versions) {
    versions.push_back(Version{0x0a0a0a0aU | static_cast<std::uint32_t>(random[0] & 0xf0) << 24});
  }
  Writer out(answer->bytes);
  wire::encode_version_negotiation(out, random[1], header.source_connection_id,
                                   header.destination_connection_id, versions.span());
  answer->size = out.size();
  return true;
}

bool StatelessAnswers::retry(Instant now, const Path& path, const wire::ProtectedHeader& header,
                             crypto::AddressTokens& tokens,
                             const ConnectionId& retry_source_connection_id) {
  Answer* answer = open(now, path, retries_);
  if (answer == nullptr) return false;
  std::array<u8, crypto::AddressTokens::kMaxSize> token{};
  const std::size_t token_size =
      tokens.seal_retry(now, path.remote,
                        {.original_destination_connection_id = header.destination_connection_id,
                         .retry_source_connection_id = retry_source_connection_id,
                         .version = header.version},
                        token);
  Writer out(answer->bytes);
  wire::encode_retry(out, header.version, header.source_connection_id.bytes(),
                     retry_source_connection_id.bytes(), Bytes(token).first(token_size));
  const auto tag = keys_.retry_integrity_tag(
      header.version, header.destination_connection_id.bytes(), out.written());
  out.bytes(tag);
  answer->size = out.size();
  return true;
}

bool StatelessAnswers::refuse(Instant now, const Path& path, const wire::ProtectedHeader& header,
                              const TransportError& error) {
  Answer* answer = open(now, path, refusals_);
  if (answer == nullptr) return false;
  const wire::ConnectionCloseFrame frame{.application = false,
                                         .error_code = static_cast<std::uint64_t>(error.code),
                                         .frame_type = error.frame_type,
                                         .reason_phrase = as_bytes(error.reason)};
  constexpr std::size_t kNumberLength = 1;
  Writer out(answer->bytes);
  const std::size_t length_position =
      wire::encode_long_header(out,
                               {.type = wire::PacketType::initial,
                                .version = header.version,
                                .dcid = header.source_connection_id.bytes(),
                                .scid = header.destination_connection_id.bytes()},
                               kNumberLength);
  const std::size_t number_offset = out.size();
  wire::write_packet_number(out, 0, kNumberLength);
  const std::size_t header_size = out.size();
  frame.encode(out);
  out.zeros(crypto::kTagSize);
  const MutableBytes packet = out.written();
  wire::patch_length(packet, length_position, packet.size() - number_offset);
  const auto secrets =
      keys_.initial_secrets(header.version, header.destination_connection_id.bytes());
  const auto keys =
      keys_.packet_keys(header.version, crypto::CipherSuite::aes_128_gcm_sha256, secrets.server);
  keys.aead->seal(0, packet.first(header_size), packet.subspan(header_size));
  const auto mask = keys.header_protection->mask(wire::header_sample(packet, number_offset));
  wire::protect_header(packet, number_offset, kNumberLength, mask);
  answer->size = out.size();
  return true;
}

bool StatelessAnswers::reset(Instant now, const Path& path, std::size_t received,
                             const StatelessResetToken& token) {
  // RFC 9000 §10.3 [rfc9000-10.3-6], §10.3.3 [rfc9000-10.3.3-1].
  constexpr std::size_t kUsualSize = 43;
  if (received <= wire::kMinStatelessResetSize) return false;
  Answer* answer = open(now, path, resets_);
  if (answer == nullptr) return false;
  // A datagram that may be a reset itself gets the smallest reset, which is never answered: so a loop
  // between two endpoints ends at once, rather than after one reset for each byte of the first.
  answer->size = received > kUsualSize ? kUsualSize : wire::kMinStatelessResetSize;
  const MutableBytes packet = MutableBytes(answer->bytes).first(answer->size);
  random_.fill_public(packet);
  wire::encode_stateless_reset(packet, token);
  return true;
}

std::optional<Transmit> StatelessAnswers::poll_transmit(TransmitBuffer& out) {
  if (pending_.empty()) return std::nullopt;
  const Answer& answer = pending_.front();
  copy(Bytes(answer.bytes).first(answer.size), out.storage);
  const Transmit transmit{
      .path = answer.path, .ecn = Ecn::not_ect, .size = answer.size, .segment_size = answer.size};
  pending_.pop_front();
  return transmit;
}

}  // namespace qpeer::transport
