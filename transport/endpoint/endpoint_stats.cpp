// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The figures of an Endpoint, and why it rejected clients. RFC 9001 §4.8; RFC 8446 §6.
#include <utility>

#include "qpeer/transport/endpoint/implementation.hpp"

namespace qpeer::transport {
namespace {

// The alerts of TLS that show whose fault it was, RFC 8446 §6.2.
constexpr u8 kFirstOfCertificate =
    42;  // bad_certificate, and those up to unknown_ca but for illegal_parameter.
constexpr u8 kIllegalParameter = 47;
constexpr u8 kUnknownCa = 48;
constexpr u8 kCertificateRequired = 116;
constexpr u8 kNoApplicationProtocol = 120;

constexpr bool is_about_certificate(std::uint64_t alert) {
  return alert >= kFirstOfCertificate && alert <= kUnknownCa && alert != kIllegalParameter;
}

}  // namespace

std::string_view to_string(Rejection rejection) {
  static constexpr std::array<std::string_view, std::to_underlying(Rejection::count_)> kNames{
      "full",
      "no certificate",
      "bad certificate",
      "server not trusted",
      "no application protocol",
      "timed out",
      "other",
  };
  const auto value = std::to_underlying(rejection);
  return value < kNames.size() ? kNames[value] : "unknown";
}

Rejection rejection_of(const CloseReason& reason) {
  using Kind = CloseReason::Kind;
  if (reason.kind == Kind::handshake_timeout || reason.kind == Kind::idle_timeout) {
    return Rejection::timed_out;
  }
  const bool is_ours = reason.kind == Kind::local_transport;
  if (!is_ours && reason.kind != Kind::peer_transport) return Rejection::other;
  const std::uint64_t alert =
      reason.code - static_cast<std::uint64_t>(TransportErrorCode::crypto_error);
  if (alert == kNoApplicationProtocol) return Rejection::no_application_protocol;
  if (is_ours && alert == kCertificateRequired) return Rejection::no_certificate;
  if (is_about_certificate(alert)) {
    return is_ours ? Rejection::bad_certificate : Rejection::server_not_trusted;
  }
  return Rejection::other;
}

EndpointStats& EndpointStats::operator+=(const EndpointStats& other) {
  for (std::size_t i = 0; i < dropped.size(); ++i) dropped[i] += other.dropped[i];
  for (std::size_t i = 0; i < rejected.size(); ++i) rejected[i] += other.rejected[i];
  datagrams_received += other.datagrams_received;
  accepted += other.accepted;
  connected += other.connected;
  retries_sent += other.retries_sent;
  tokens_accepted += other.tokens_accepted;
  version_negotiations_sent += other.version_negotiations_sent;
  stateless_resets_sent += other.stateless_resets_sent;
  handed_over += other.handed_over;
  taken_over += other.taken_over;
  connections += other.connections;
  handshakes += other.handshakes;
  attempts += other.attempts;
  receive_credit += other.receive_credit;
  send_buffered += other.send_buffered;
  datagram_memory += other.datagram_memory;
  return *this;
}

EndpointStats Endpoint::stats() const {
  EndpointStats out = impl_->stats;
  out.connections = impl_->open_entries;
  out.receive_credit = impl_->receive_credit.held();
  out.send_buffered = impl_->send_buffers.held();
  out.datagram_memory = impl_->datagrams.held();
  out.handshakes = impl_->handshakes.total();
  out.attempts = impl_->attempts;
  return out;
}

}  // namespace qpeer::transport
