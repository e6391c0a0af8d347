// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/adversary.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "qpeer/transport/connection/packet_level.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"

namespace qpeer::sim {
namespace {

using transport::level_of;
using transport::type_of;

constexpr std::size_t kNumberLength = 4;
constexpr std::size_t kMinDatagram = 1'200;

}  // namespace

Octets varints(std::initializer_list<std::uint64_t> values) {
  Octets out(values.size() * 8);
  Writer writer{out};
  for (const std::uint64_t value : values) writer.varint(value);
  out.resize(writer.size());
  return out;
}

Octets varint_of_size(std::uint64_t value, std::size_t size) {
  Octets out(size);
  Writer{out}.varint_of_size(value, size);
  return out;
}

Octets join(std::initializer_list<Octets> parts) {
  Octets out;
  for (const Octets& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

/// Where the network delivers.
class Adversary::Ears final : public Node {
 public:
  explicit Ears(Adversary& owner) : owner_(owner) {}
  void on_datagram(Instant, ReceivedDatagram datagram) override { owner_.hear(datagram); }
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer&) override { return std::nullopt; }
  [[nodiscard]] Instant next_deadline() const override { return kNever; }
  void on_deadline(Instant) override {}
  bool poll_event() override { return false; }

 private:
  Adversary& owner_;
};

Adversary::Adversary(Network& network, AdversaryConfig config)
    : network_(network),
      config_(std::move(config)),
      random_(network.random().split()),
      keys_(config_.keys != nullptr ? *config_.keys : null_keys_),
      tls_context_(config_.real_tls ? config_.real_tls : make_test_tls(random_, config_.tls)),
      host_(network.add_host(std::make_unique<Ears>(*this))) {
  Octets id(config_.cid_size, 0xad);
  cid_ = ConnectionId(id);
}

SocketAddress Adversary::second_address() {
  const SocketAddress address = network_.new_address();
  network_.add_address(host_, address);
  return address;
}

void Adversary::dials(const SocketAddress& victim) {
  victim_ = victim;
  std::array<u8, 8> id{};
  random_.fill_public(id);
  original_dcid_ = victim_cid_ = ConnectionId(id);
  initial_keys();
  start_tls();
}

void Adversary::initial_keys() {
  const auto secrets = keys_.initial_secrets(config_.version, original_dcid_.bytes());
  constexpr auto kSuite = crypto::CipherSuite::aes_128_gcm_sha256;
  const bool client = config_.side == Side::client;
  Space& initial = space(EncryptionLevel::initial);
  initial.send =
      keys_.packet_keys(config_.version, kSuite, client ? secrets.client : secrets.server);
  initial.receive =
      keys_.packet_keys(config_.version, kSuite, client ? secrets.server : secrets.client);
}

Octets Adversary::parameters() const {
  wire::TransportParameters out;
  out.initial_source_connection_id = cid_;
  if (config_.side == Side::server) out.original_destination_connection_id = original_dcid_;
  out.max_idle_timeout_ms = 30'000;
  out.initial_max_data = out.initial_max_stream_data_bidi_local =
      out.initial_max_stream_data_bidi_remote = out.initial_max_stream_data_uni = 1 << 20;
  out.initial_max_streams_bidi = out.initial_max_streams_uni = 100;
  if (config_.parameters) config_.parameters(out);
  Octets bytes(wire::TransportParameters::kMaxEncodedSize);
  Writer writer{bytes};
  out.encode(writer);
  bytes.resize(writer.size());
  if (config_.raw_parameters) config_.raw_parameters(bytes);
  return bytes;
}

void Adversary::start_tls() {
  const bool client = config_.side == Side::client;
  tls_ = tls_context_->new_session(
      config_.side, client ? "peer.example" : "", parameters(), *this,
      {.session = config_.session, .early_data = !config_.session.empty()});
  (void)tls_->start();
  go_on();
}

// --- the handshake -------------------------------------------------------------------------------

void Adversary::on_tls_data(EncryptionLevel level, Bytes data) {
  Octets& out = space(level).out;
  out.insert(out.end(), data.begin(), data.end());
}

void Adversary::on_tls_secret(EncryptionLevel level, crypto::Direction direction,
                              crypto::CipherSuite suite, Bytes secret) {
  const bool sends = direction == crypto::Direction::send;
  if (level == EncryptionLevel::zero_rtt) {
    if (sends) early_send_ = keys_.packet_keys(config_.version, suite, crypto::Secret(secret));
    return;
  }
  Space& of_level = space(level);
  (sends ? of_level.send : of_level.receive) =
      keys_.packet_keys(config_.version, suite, crypto::Secret(secret));
  if (level == EncryptionLevel::one_rtt) {
    suite_ = suite;
    (sends ? send_secret_ : receive_secret_) = crypto::Secret(secret);
  }
}

Result Adversary::on_tls_transport_parameters(Bytes parameters) {
  victim_parameter_bytes_.assign(parameters.begin(), parameters.end());
  const auto decoded = wire::TransportParameters::decode(parameters, other(config_.side));
  if (decoded) victim_parameters_ = *decoded;
  return {};
}

/// Sends the handshake messages that the stage allows.
void Adversary::go_on() {
  if (config_.stage == Stage::initial) return;
  release(EncryptionLevel::initial);
  if (config_.stage == Stage::handshake) return;
  release(EncryptionLevel::handshake);
  if (!tls_->is_complete()) return;
  release(EncryptionLevel::one_rtt);
  if (config_.side == Side::server && !std::exchange(confirmed_, true)) {
    send(EncryptionLevel::one_rtt, {0x1e});
  }
}

void Adversary::release(EncryptionLevel level) {
  Space& of_level = space(level);
  while (!of_level.out.empty()) {
    const std::size_t size = std::min<std::size_t>(of_level.out.size(), 1'000);
    const Octets data(of_level.out.begin(),
                      of_level.out.begin() + static_cast<std::ptrdiff_t>(size));
    of_level.out.erase(of_level.out.begin(),
                       of_level.out.begin() + static_cast<std::ptrdiff_t>(size));
    const std::uint64_t offset = std::exchange(of_level.out_offset, of_level.out_offset + size);
    send(level, join({varints({0x06, offset, size}), data}));
  }
}

// --- sending -------------------------------------------------------------------------------------

bool Adversary::can_send(EncryptionLevel level) const {
  return static_cast<bool>(level == EncryptionLevel::zero_rtt ? early_send_ : space(level).send);
}

void Adversary::send(EncryptionLevel level, const Octets& frames, const PacketOptions& options) {
  send_raw(packet(level, frames, options));
}

void Adversary::send_raw(const Octets& datagram, const SocketAddress& from, Ecn ecn) {
  network_.inject(from.valid() ? from : address(), victim_, datagram, ecn);
}

Octets Adversary::packet(EncryptionLevel level, Octets frames, const PacketOptions& options) {
  Space& from = space(level);
  crypto::PacketKeys& keys = level == EncryptionLevel::zero_rtt ? early_send_ : from.send;
  const PacketNumber number = options.number.value_or(from.next);
  from.next = std::max(from.next, number + 1);
  const Octets dcid = options.dcid.value_or(victim_cid());
  const Octets scid = options.scid.value_or(cid());
  Octets out(frames.size() + options.token.size() + kMinDatagram + 200);
  Writer writer{out};
  std::size_t length_position = 0;
  if (level == EncryptionLevel::one_rtt) {
    wire::encode_short_header(writer, dcid, false, send_phase_ != options.old_key, kNumberLength);
  } else {
    const wire::LongHeader header{.type = type_of(level),
                                  .version = options.version.value_or(config_.version),
                                  .dcid = dcid,
                                  .scid = scid,
                                  .token = options.token};
    length_position = wire::encode_long_header(writer, header, kNumberLength);
  }
  const std::size_t number_offset = writer.size();
  out[0] ^= options.first_byte_flips;
  wire::write_packet_number(writer, number, kNumberLength);
  const std::size_t head = writer.size();
  if (level == EncryptionLevel::initial && options.pads) {
    frames.resize(std::max(frames.size(), kMinDatagram - head - crypto::kTagSize));
  }
  writer.bytes(frames);
  writer.zeros(crypto::kTagSize);
  out.resize(writer.size());
  if (level != EncryptionLevel::one_rtt) {
    wire::patch_length(out, length_position, out.size() - number_offset);
  }
  crypto::Aead& aead = options.old_key && old_send_ ? *old_send_ : *keys.aead;
  aead.seal(number, Bytes(out).first(head), MutableBytes(out).subspan(head));
  if (options.forged) out.back() ^= 1;
  const auto mask = keys.header_protection->mask(wire::header_sample(out, number_offset));
  wire::protect_header(out, number_offset, kNumberLength, mask);
  return out;
}

void Adversary::send_post_handshake(const Octets& message) {
  Octets& out = space(EncryptionLevel::one_rtt).out;
  out.insert(out.end(), message.begin(), message.end());
  release(EncryptionLevel::one_rtt);
}

void Adversary::update_keys() {
  Space& from = space(EncryptionLevel::one_rtt);
  send_secret_ = keys_.next_secret(config_.version, suite_, send_secret_);
  old_send_ = std::exchange(from.send.aead, keys_.next_aead(config_.version, suite_, send_secret_));
  send_phase_ = !send_phase_;
}

// --- hearing -------------------------------------------------------------------------------------

void Adversary::hear(ReceivedDatagram datagram) {
  last_datagram_.assign(datagram.payload.begin(), datagram.payload.end());
  victim_ = datagram.path.remote;
  wire::PacketSplitter packets(datagram.payload, cid_.size());
  while (auto header = packets.next()) {
    if (!*header) continue;
    if (config_.side == Side::server && !tls_ && (*header)->type == wire::PacketType::initial) {
      original_dcid_ = (*header)->destination_connection_id;
      initial_keys();
      start_tls();
    }
    hear_packet(**header, packets.packet(), datagram.payload.size());
  }
  ++datagrams_;
  bytes_ += datagram.payload.size();
}

void Adversary::hear_packet(const wire::ProtectedHeader& header, MutableBytes packet,
                            std::size_t size) {
  if (header.type == wire::PacketType::retry || header.type == wire::PacketType::zero_rtt ||
      header.type == wire::PacketType::version_negotiation) {
    return;
  }
  const EncryptionLevel level = level_of(header.type);
  Space& from = space(level);
  if (!from.receive) return;
  const auto mask = from.receive.header_protection->mask(
      wire::header_sample(packet, header.packet_number_offset));
  const auto plain = wire::unprotect_header(packet, header.packet_number_offset, mask);
  const PacketNumber number =
      wire::decode_packet_number(from.largest, plain.truncated, plain.packet_number_length);
  const MutableBytes sealed = packet.subspan(plain.header_size);
  const bool phase = (plain.first_byte & wire::kKeyPhaseBit) != 0;
  if (!open(from, level, number, phase, packet.first(plain.header_size), sealed)) return;
  from.largest = std::max(from.largest.value_or(0), number);
  if (header.type != wire::PacketType::one_rtt && !std::exchange(knows_victim_cid_, true)) {
    victim_cid_ = header.source_connection_id;
  }
  const Bytes payload = sealed.first(sealed.size() - crypto::kTagSize);
  const Heard heard{.level = level,
                    .number = number,
                    .at = network_.now(),
                    .datagram = datagrams_,
                    .datagram_size = size,
                    .header = header,
                    .first_byte = plain.first_byte,
                    .payload = {payload.begin(), payload.end()}};
  heard_.push_back(heard);
  const bool ack_eliciting = process(heard);
  if (ack_eliciting && config_.acknowledges && can_send(level)) {
    send(level, varints({0x02, number, 0, 0, 0}));
  }
}

bool Adversary::open(Space& from, EncryptionLevel level, PacketNumber number, bool phase,
                     Bytes head, MutableBytes sealed) {
  if (level != EncryptionLevel::one_rtt || phase == receive_phase_) {
    return from.receive.aead->open(number, head, sealed);
  }
  const crypto::Secret secret = keys_.next_secret(config_.version, suite_, receive_secret_);
  auto aead = keys_.next_aead(config_.version, suite_, secret);
  if (!aead->open(number, head, sealed)) return false;
  receive_secret_ = secret;
  receive_phase_ = phase;
  from.receive.aead = std::move(aead);
  return true;
}

/// True when it asks for an acknowledgement.
bool Adversary::process(const Heard& packet) {
  bool ack_eliciting = false;
  for (Reader in{packet.payload}; !in.empty();) {
    ack_eliciting = ack_eliciting || wire::is_ack_eliciting(wire::FrameType{in.peek()});
    const auto frame = wire::decode_frame(in, type_of(packet.level));
    if (!frame) {
      ++malformed_;
      break;
    }
    if (const auto* const crypto = std::get_if<wire::CryptoFrame>(&*frame)) {
      hear_crypto(packet.level, *crypto);
    }
  }
  return ack_eliciting;
}

void Adversary::hear_crypto(EncryptionLevel level, const wire::CryptoFrame& frame) {
  Space& from = space(level);
  const std::uint64_t end = frame.offset + frame.data.size();
  if (end <= from.in_offset || level != tls_->read_level()) return;
  const auto size = static_cast<std::size_t>(end - from.in_offset);
  if (from.in.size() < size) {
    from.in.resize(size);
    from.in_known.resize(size);
  }
  for (std::uint64_t at = std::max(frame.offset, from.in_offset); at < end; ++at) {
    from.in[static_cast<std::size_t>(at - from.in_offset)] =
        frame.data[static_cast<std::size_t>(at - frame.offset)];
    from.in_known[static_cast<std::size_t>(at - from.in_offset)] = true;
  }
  const auto known = std::ranges::find(from.in_known, false) - from.in_known.begin();
  if (known == 0) return;
  const Octets data(from.in.begin(), from.in.begin() + known);
  from.in.erase(from.in.begin(), from.in.begin() + known);
  from.in_known.erase(from.in_known.begin(), from.in_known.begin() + known);
  from.in_offset += static_cast<std::uint64_t>(known);
  (void)tls_->on_data(level, data);
  go_on();
}

void Adversary::each(const std::function<void(const Heard&, const wire::Frame&)>& visit) const {
  for (const Heard& packet : heard_) {
    for (Reader in{packet.payload}; !in.empty();) {
      const auto frame = wire::decode_frame(in, type_of(packet.level));
      if (!frame) break;
      visit(packet, *frame);
    }
  }
}

bool Adversary::acknowledged(EncryptionLevel level, PacketNumber number) const {
  bool found = false;
  each([&](const Heard& packet, const wire::Frame& frame) {
    const auto* const ack = std::get_if<wire::AckFrame>(&frame);
    if (ack == nullptr || space_of(packet.level) != space_of(level)) return;
    ack->for_each_range([&](PacketNumber smallest, PacketNumber largest) {
      found = found || (smallest <= number && number <= largest);
    });
  });
  return found;
}

}  // namespace qpeer::sim
