// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/test_tls.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/test_tls_wire.hpp"

namespace qpeer::sim {
namespace {

class TestTlsSession final : public crypto::TlsSession {
 public:
  TestTlsSession(std::shared_ptr<const TestTlsConfig> config, Random& random, Side side,
                 std::string_view server_name, Bytes transport_parameters,
                 crypto::TlsHandler& handler, const crypto::Resumption& resumption)
      : config_(std::move(config)),
        handler_(handler),
        side_(side),
        server_name_(server_name),
        parameters_(transport_parameters.begin(), transport_parameters.end()),
        ticket_(resumption.session.begin(), resumption.session.end()),
        offers_early_data_(config_->early_data && resumption.early_data && !ticket_.empty()) {
    random.fill_public(random_);
  }

  Result start() override {
    if (side_ == Side::client) send_client_hello();
    if (offers_early_data_) {
      early_data_ = crypto::EarlyData::offered;
      secret(EncryptionLevel::zero_rtt, crypto::Direction::send);
    }
    return {};
  }

  void set_transport_parameters(Bytes parameters) override {
    parameters_.assign(parameters.begin(), parameters.end());
  }

  Result on_data(EncryptionLevel level, Bytes data) override;
  [[nodiscard]] bool is_complete() const override { return complete_; }
  [[nodiscard]] EncryptionLevel read_level() const override { return read_level_; }
  [[nodiscard]] crypto::EarlyData early_data() const override { return early_data_; }
  [[nodiscard]] bool is_resumed() const override { return resumed_; }
  [[nodiscard]] std::string_view alpn() const override { return alpn_; }
  [[nodiscard]] std::string_view server_name() const override { return server_name_; }
  [[nodiscard]] crypto::PeerCertificate peer_certificate() const override { return peer_; }
  [[nodiscard]] std::string group() const override { return "test"; }

 private:
  enum class Expect : u8 {
    client_hello,
    server_hello,
    encrypted_extensions,
    certificate_request_or_certificate,
    certificate,
    finished,
    tickets,
  };

  Result on_message(Message type, Bytes message, Bytes body);
  Result on_client_hello(Reader body);
  Result on_server_hello(Reader body);
  Result on_encrypted_extensions(Reader body);
  Result on_certificate(Reader body);
  Result on_finished(Reader body, std::uint64_t expected);
  Result on_parameters(Bytes parameters);
  void on_ticket(Bytes ticket, bool offers_early_data);
  void on_client_done();

  void send_client_hello();
  void send_server_flight();
  void send_certificate(std::size_t size);
  void send_finished();
  template <class Fill>
  void send(EncryptionLevel level, Message type, std::size_t padded_size, Fill fill);
  void secret(EncryptionLevel level, crypto::Direction direction);

  std::shared_ptr<const TestTlsConfig> config_;
  crypto::TlsHandler& handler_;
  Side side_;
  std::string server_name_;
  std::vector<u8> parameters_;
  std::vector<u8> ticket_;  ///< A client's.
  bool offers_early_data_;
  bool resumed_ = false;
  crypto::EarlyData early_data_ = crypto::EarlyData::none;
  TlsRandom random_{};
  TlsRandom peer_random_{};
  crypto::CipherSuite suite_ = crypto::CipherSuite::aes_128_gcm_sha256;
  std::string alpn_;
  crypto::PeerCertificate peer_;
  std::vector<u8> input_;         ///< The beginning of a message whose end is to come.
  std::uint64_t transcript_ = 0;  ///< A sum of all messages so far, as TLS's hash of them.
  Expect expect_ = side_ == Side::client ? Expect::server_hello : Expect::client_hello;
  EncryptionLevel read_level_ = EncryptionLevel::initial;
  bool certificate_requested_ = false;
  bool complete_ = false;
};

// --- receiving ---------------------------------------------------------------------------------

Result TestTlsSession::on_data(EncryptionLevel level, Bytes data) {
  if (level != read_level_) return alert(kUnexpectedMessage, "data of another level");
  input_.insert(input_.end(), data.begin(), data.end());
  std::size_t position = 0;
  while (input_.size() - position >= kHeaderSize) {
    Reader in{Bytes(input_).subspan(position)};
    const auto type = Message{in.byte()};
    const std::uint64_t size = in.big_endian(3);
    if (size < kChecksumSize || size > kMaxMessage) return alert(kDecodeError, "bad length");
    if (in.remaining() < size) break;
    in.bytes(size - kChecksumSize);
    const Bytes covered = in.consumed();
    if (in.u64() != checksum(0, covered)) return alert(kDecodeError, "bad checksum");
    const bool last_of_level = position + in.position() == input_.size();
    const std::vector<u8> message(covered.begin(), covered.end());
    const EncryptionLevel before = read_level_;
    if (const auto result = on_message(type, message, Bytes(message).subspan(kHeaderSize));
        !result) {
      return result;
    }
    if (read_level_ != before && !last_of_level) {
      return alert(kUnexpectedMessage, "data after the end of a level");
    }
    position += in.position();
  }
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(position));
  return {};
}

Result TestTlsSession::on_message(Message type, Bytes message, Bytes body) {
  const std::uint64_t transcript_before = transcript_;
  transcript_ = checksum(transcript_, message);
  switch (expect_) {
    case Expect::client_hello:
      if (type == Message::client_hello) return on_client_hello(Reader{body});
      break;
    case Expect::server_hello:
      if (type == Message::server_hello) return on_server_hello(Reader{body});
      break;
    case Expect::encrypted_extensions:
      if (type == Message::encrypted_extensions) return on_encrypted_extensions(Reader{body});
      break;
    case Expect::certificate_request_or_certificate:
      if (type == Message::certificate_request) {
        certificate_requested_ = true;
        expect_ = Expect::certificate;
        return {};
      }
      [[fallthrough]];
    case Expect::certificate:
      if (type == Message::certificate) return on_certificate(Reader{body});
      break;
    case Expect::finished:
      if (type == Message::finished) return on_finished(Reader{body}, transcript_before);
      break;
    case Expect::tickets:
      if (type != Message::new_session_ticket || side_ == Side::server) break;
      if (Reader in{body}; config_->early_data) handler_.on_tls_session(get_string(in));
      return {};
  }
  return alert(kUnexpectedMessage, "message out of order");
}

Result TestTlsSession::on_client_hello(Reader body) {
  copy(body.bytes(32), peer_random_);
  server_name_ = as_text(get_string(body));
  Reader offered{get_string(body)};
  const Bytes parameters = get_string(body);
  const Bytes ticket = get_string(body);
  const bool offers_early_data = body.byte() == 1;
  if (!body.ok()) return alert(kDecodeError, "malformed ClientHello");
  std::vector<std::string_view> names;
  while (!offered.empty()) names.push_back(as_text(get_string(offered)));
  for (const std::string& ours : config_->alpn) {
    if (alpn_.empty() && std::ranges::find(names, ours) != names.end()) alpn_ = ours;
  }
  if (alpn_.empty()) return alert(kNoApplicationProtocol, "no common application protocol");
  suite_ = config_->suite;
  if (const auto result = on_parameters(parameters); !result) return result;
  if (config_->early_data && !ticket.empty()) on_ticket(ticket, offers_early_data);
  send_server_flight();
  return {};
}

Result TestTlsSession::on_server_hello(Reader body) {
  copy(body.bytes(32), peer_random_);
  suite_ = crypto::CipherSuite{body.u16()};
  if (!body.ok()) return alert(kDecodeError, "malformed ServerHello");
  secret(EncryptionLevel::handshake, crypto::Direction::send);
  secret(EncryptionLevel::handshake, crypto::Direction::receive);
  read_level_ = EncryptionLevel::handshake;
  expect_ = Expect::encrypted_extensions;
  return {};
}

Result TestTlsSession::on_encrypted_extensions(Reader body) {
  alpn_ = as_text(get_string(body));
  const Bytes parameters = get_string(body);
  const u8 resumption = body.byte();
  if (!body.ok()) return alert(kDecodeError, "malformed EncryptedExtensions");
  if (std::ranges::find(config_->alpn, alpn_) == config_->alpn.end()) {
    return alert(kNoApplicationProtocol, "a protocol that was not offered");
  }
  expect_ = Expect::certificate_request_or_certificate;
  resumed_ = resumption != 0;
  const auto result = on_parameters(parameters);
  if (offers_early_data_) {
    early_data_ = resumption == 2 ? crypto::EarlyData::accepted : crypto::EarlyData::rejected;
  }
  return result;
}

Result TestTlsSession::on_certificate(Reader body) {
  const std::string identity(as_text(get_string(body)));
  if (!body.ok()) return alert(kDecodeError, "malformed Certificate");
  if (identity.empty()) return alert(kCertificateRequired, "no certificate");
  peer_ = test_certificate(identity);
  if (config_->verify_peer && !config_->verify_peer(peer_)) {
    return alert(kBadCertificate, "certificate refused");
  }
  expect_ = Expect::finished;
  return {};
}

Result TestTlsSession::on_finished(Reader body, std::uint64_t expected) {
  if (body.u64() != expected) return alert(kDecryptError, "another transcript");
  read_level_ = EncryptionLevel::one_rtt;
  expect_ = Expect::tickets;
  if (side_ == Side::client) {
    if (certificate_requested_) send_certificate(0);
    send_finished();
    secret(EncryptionLevel::one_rtt, crypto::Direction::send);
  }
  complete_ = true;
  secret(EncryptionLevel::one_rtt, crypto::Direction::receive);
  for (std::size_t i = 0; side_ == Side::server && i < config_->tickets; ++i) {
    const std::vector<u8> data =
        config_->early_data ? handler_.tls_ticket_data() : std::vector<u8>{};
    send(EncryptionLevel::one_rtt, Message::new_session_ticket, kTicketSize,
         [&data](Writer& out) { put_string(out, data); });
  }
  return {};
}

Result TestTlsSession::on_parameters(Bytes parameters) {
  if (parameters.empty()) return alert(kMissingExtension, "no transport parameters");
  return handler_.on_tls_transport_parameters(parameters);
}

/// The ticket is what we put into it, in the clear; certificates are shown all the same.
void TestTlsSession::on_ticket(Bytes ticket, bool offers_early_data) {
  const auto use = handler_.on_tls_ticket(ticket);
  resumed_ = use != crypto::TicketUse::refuse;
  if (!offers_early_data || use != crypto::TicketUse::resume_with_early_data) return;
  early_data_ = crypto::EarlyData::accepted;
  secret(EncryptionLevel::zero_rtt, crypto::Direction::receive);
}

// --- sending -----------------------------------------------------------------------------------

template <class Fill>
void TestTlsSession::send(EncryptionLevel level, Message type, std::size_t padded_size, Fill fill) {
  std::vector<u8> storage(kMaxMessage);
  Writer out{storage};
  out.byte(std::to_underlying(type));
  out.big_endian(0, 3);
  fill(out);
  const std::size_t size = std::max(out.size() + kChecksumSize, padded_size);
  // Padding that is no constant: a compression of it, or a mix-up of offsets, would show.
  while (out.size() + kChecksumSize < size) out.byte(static_cast<u8>(out.size() * 7 + 3));
  Writer(MutableBytes(storage).subspan(1)).big_endian(size - kHeaderSize, 3);
  const Bytes covered = out.written();
  transcript_ = checksum(transcript_, covered);
  out.u64(checksum(0, covered));
  handler_.on_tls_data(level, out.written());
}

void TestTlsSession::send_client_hello() {
  send(EncryptionLevel::initial, Message::client_hello, config_->client_hello_size,
       [this](Writer& out) {
         out.bytes(random_);
         put_string(out, as_bytes(server_name_));
         std::vector<u8> names(1'024);
         Writer list{names};
         for (const std::string& name : config_->alpn) put_string(list, as_bytes(name));
         put_string(out, list.written());
         put_string(out, config_->send_transport_parameters ? Bytes(parameters_) : Bytes());
         put_string(out, ticket_);
         out.byte(offers_early_data_ ? 1 : 0);
       });
}

void TestTlsSession::send_server_flight() {
  send(EncryptionLevel::initial, Message::server_hello, 90, [this](Writer& out) {
    out.bytes(random_);
    out.u16(std::to_underlying(suite_));
  });
  secret(EncryptionLevel::handshake, crypto::Direction::send);
  secret(EncryptionLevel::handshake, crypto::Direction::receive);
  read_level_ = EncryptionLevel::handshake;
  std::size_t extensions_size = 0;
  send(EncryptionLevel::handshake, Message::encrypted_extensions, 0, [&](Writer& out) {
    put_string(out, as_bytes(alpn_));
    put_string(out, config_->send_transport_parameters ? Bytes(parameters_) : Bytes());
    out.byte(early_data_ == crypto::EarlyData::accepted ? 2 : resumed_ ? 1 : 0);
    extensions_size = out.size() + kChecksumSize;
  });
  if (config_->mutual) {
    send(EncryptionLevel::handshake, Message::certificate_request, 0, [](Writer&) {});
    extensions_size += kHeaderSize + kChecksumSize;
  }
  const std::size_t others = extensions_size + kFinishedSize;
  send_certificate(config_->server_flight_size > others ? config_->server_flight_size - others : 0);
  send_finished();
  secret(EncryptionLevel::one_rtt, crypto::Direction::send);
  expect_ = config_->mutual ? Expect::certificate : Expect::finished;
}

void TestTlsSession::send_certificate(std::size_t size) {
  send(EncryptionLevel::handshake, Message::certificate, size,
       [this](Writer& out) { put_string(out, as_bytes(config_->identity)); });
}

void TestTlsSession::send_finished() {
  const std::uint64_t sum = transcript_;
  send(EncryptionLevel::handshake, Message::finished, 0, [sum](Writer& out) { out.u64(sum); });
}

/// Both ends get the same for one direction, and another for each level, direction and handshake.
void TestTlsSession::secret(EncryptionLevel level, crypto::Direction direction) {
  const bool by_client = (side_ == Side::client) == (direction == crypto::Direction::send);
  const TlsRandom& client = side_ == Side::client ? random_ : peer_random_;
  const TlsRandom& server = side_ == Side::client ? peer_random_ : random_;
  std::uint64_t state = checksum(0, client);
  if (level != EncryptionLevel::zero_rtt) state = checksum(state, server);
  state += std::to_underlying(level) * std::uint64_t{2} + (by_client ? 1 : 0);
  std::array<u8, 48> octets{};
  Writer out{octets};
  while (out.remaining() > 0) out.u64(splitmix(state));
  const bool long_secret = suite_ == crypto::CipherSuite::aes_256_gcm_sha384;
  handler_.on_tls_secret(level, direction, suite_, Bytes(octets).first(long_secret ? 48 : 32));
}

class TestTlsContext final : public crypto::TlsContext {
 public:
  TestTlsContext(Random& random, TestTlsConfig config)
      : random_(random), config_(std::make_shared<const TestTlsConfig>(std::move(config))) {}

  std::unique_ptr<crypto::TlsSession> new_session(Side side, std::string_view server_name,
                                                  Bytes transport_parameters,
                                                  crypto::TlsHandler& handler,
                                                  const crypto::Resumption& resumption) override {
    return std::make_unique<TestTlsSession>(config_, random_, side, server_name,
                                            transport_parameters, handler, resumption);
  }

 private:
  Random& random_;
  std::shared_ptr<const TestTlsConfig> config_;
};

}  // namespace

std::shared_ptr<crypto::TlsContext> make_test_tls(Random& random, TestTlsConfig config) {
  return std::make_shared<TestTlsContext>(random, std::move(config));
}

crypto::PeerCertificate test_certificate(std::string_view identity) {
  crypto::PeerCertificate out;
  out.der.assign(identity.begin(), identity.end());
  out.public_key_spki = out.der;
  out.spki_sha256 = crypto::sha256(out.public_key_spki);
  return out;
}

}  // namespace qpeer::sim
