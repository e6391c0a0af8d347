// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One handshake, driven through OpenSSL's QUIC hooks. RFC 9001 §4.
//
// The first error wins and stays: whatever comes later answers the same. What a callback finds is
// noted in error_ before OpenSSL raises an alert of its own about it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "qpeer/crypto/openssl/handles.hpp"
#include "qpeer/crypto/openssl/message_queue.hpp"
#include "qpeer/crypto/openssl/tls_context.hpp"

namespace qpeer::crypto {

class OpensslSession final : public TlsSession {
 public:
  OpensslSession(std::shared_ptr<const OpensslContext> context, Side side, std::string server_name,
                 Bytes transport_parameters, TlsHandler& handler, const Resumption& resumption);
  ~OpensslSession() override;

  Result start() override;
  void set_transport_parameters(Bytes parameters) override;
  Result on_data(EncryptionLevel level, Bytes data) override;
  bool is_complete() const override;
  EncryptionLevel read_level() const override { return read_level_; }
  EarlyData early_data() const override;
  bool is_resumed() const override;
  std::string_view alpn() const override;
  std::string_view server_name() const override;
  PeerCertificate peer_certificate() const override { return peer_; }
  std::string group() const override;

  const OpensslContext& context() const { return *context_; }

  // What OpenSSL says, through tls_callbacks. A false (or empty, or nullopt) makes it fail.
  void on_send(Bytes data);
  std::optional<Bytes> on_receive();
  void on_release();
  bool on_secret(EncryptionLevel level, Direction direction, Bytes secret);
  bool on_transport_parameters(Bytes parameters);
  void on_alert(u8 code);
  bool on_certificate(x509_store_ctx_st* store);
  Bytes on_alpn_offer(Bytes offered);
  bool on_client_hello();
  void on_key_log(std::string_view line);
  // tls_resumption.cpp
  void on_new_session(ssl_session_st* session);
  bool on_ticket_made(ssl_session_st* session);
  bool on_ticket(ssl_session_st* session);
  bool on_early_data();

 private:
  TransportError set_up();
  bool set_up_client();
  // tls_resumption.cpp
  void resume(const Resumption& resumption);
  bool is_usable(ssl_session_st* session) const;
  [[nodiscard]] bool is_trusted(const ssl_session_st* session) const;
  bool look_for_hello_retry();
  Result advance();
  bool step();
  Result check_extensions() const;
  /// Notes an error unless there is one already. Returns false, for the callbacks.
  bool refuse(TransportErrorCode code, std::string_view reason);
  MessageQueue& queue(EncryptionLevel level) { return queues_[static_cast<std::size_t>(level)]; }

  const std::shared_ptr<const OpensslContext> context_;
  const Side side_;
  const std::string server_name_;
  std::vector<u8> transport_parameters_;  // OpenSSL keeps a pointer.
  TlsHandler& handler_;

  std::array<MessageQueue, kEncryptionLevels> queues_;
  EncryptionLevel read_level_ = EncryptionLevel::initial;
  EncryptionLevel write_level_ = EncryptionLevel::initial;
  bool has_one_rtt_read_secret_ = false;
  bool progress_ = false;                     // OpenSSL took something since advance() last looked.
  TicketUse ticket_use_ = TicketUse::refuse;  // Of the last ticket that came.
  bool has_early_secret_ = false;
  bool server_answered_ = false;  // Client: we have seen which of its two hellos came first ...
  bool hello_retried_ = false;    // ... and it was the one that takes no early data.
  std::optional<std::vector<u8>> peer_transport_parameters_;
  PeerCertificate peer_;
  std::optional<TransportError> error_;

  Handle<ssl_st> ssl_;  // Last, so gone first: it may still release what was lent.
};

}  // namespace qpeer::crypto
