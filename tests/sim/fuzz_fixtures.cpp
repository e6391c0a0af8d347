// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/fuzz_fixtures.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kMaxSteps = 300;
/// Long enough for any idle timeout, which is at least three PTOs after a round trip of minutes.
constexpr Duration kSilence = std::chrono::hours(24);

PeerConfig small_config(NullKeys& keys) {
  PeerConfig config;
  config.keys = &keys;
  config.endpoint.max_handshakes = 8;
  config.endpoint.max_connections = 12;
  config.endpoint.reset_key.fill(3);
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 64_KiB;
    each->streams.stream_receive_window = 16_KiB;
    each->streams.send_buffer = 32_KiB;
    each->streams.max_streams_bidi = 5;
    each->streams.max_streams_uni = 5;
    each->crypto_buffer = 16_KiB;
  }
  return config;
}

Duration time_of(unsigned t) { return t < 64 ? Duration(t * 1ms) : Duration((t - 63) * 1s); }

void take_early_data(PeerConfig& config) {
  config.tls.early_data = true;
  config.early_data = transport::EarlyDataPolicy::resend;
}

/// A size of two bytes and as many bytes, or what is left of them.
Bytes sized_bytes(Reader& in) {
  const std::size_t size = in.u16();
  return in.bytes(std::min(size, in.remaining()));
}

}  // namespace

// --- an endpoint -------------------------------------------------------------------------------

EndpointFuzzFixture::EndpointFuzzFixture(u8 options)
    : keys_({.accept_any_tag = (options & kAnyTag) != 0}), network_(kSeed) {
  PeerConfig config = small_config(keys_);
  config.endpoint.retry = (options & kRetryAlways) != 0 ? transport::RetryPolicy::always
                                                        : transport::RetryPolicy::under_load;
  config.endpoint.retry_above_handshakes = 4;
  if ((options & kEarlyData) != 0) take_early_data(config);
  if ((options & kPrefersV2) != 0) config.endpoint.connection.preferred_version = Version::v2;
  server_ = &network_.add_peer(config);
  server_->echoes = true;
  server_->checks = false;
  server_->sends(3'000);
  if ((options & kDials) != 0) server_->connect(SocketAddress::ipv4({10, 1, 0, 0}, 443));
}

void EndpointFuzzFixture::run(Bytes input) {
  if (input.empty()) return;
  EndpointFuzzFixture fixture(input[0]);
  Reader in{input.subspan(1)};
  for (std::size_t steps = 0; !in.empty() && steps < kMaxSteps; ++steps) fixture.step(in);
  fixture.network_.run_for(kSilence);
  // Nobody answers any more: all must have ended by itself.
  if (fixture.server_->endpoint().stats().connections != 0) std::abort();
}

void EndpointFuzzFixture::step(Reader& in) {
  const u8 kind = in.byte();
  if ((kind & 0x80) != 0) return network_.run_for(time_of(kind & 0x7f));
  const SocketAddress from = SocketAddress::ipv4({10, 1, 0, static_cast<u8>(kind & 3)}, 443);
  network_.inject(from, server_->address(), sized_bytes(in), static_cast<Ecn>(kind >> 2 & 3));
  network_.run_for(Duration{});
}

EndpointRecorder::EndpointRecorder(EndpointFuzzFixture& fixture, u8 options)
    : input_{options}, last_(fixture.network().now()) {
  fixture.network().on_delivery([this, to = fixture.server().address()](const Passing& datagram) {
    if (datagram.to != to) return;
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(datagram.now - last_);
    if (waited.count() > 0) {
      last_ += waited;
      input_.push_back(static_cast<u8>(0x80 | std::min<std::int64_t>(waited.count(), 63)));
    }
    input_.push_back(static_cast<u8>(static_cast<unsigned>(datagram.ecn) << 2));
    input_.push_back(static_cast<u8>(datagram.payload.size() >> 8));
    input_.push_back(static_cast<u8>(datagram.payload.size()));
    input_.insert(input_.end(), datagram.payload.begin(), datagram.payload.end());
  });
}

// --- a connection ------------------------------------------------------------------------------

ConnectionFuzzFixture::ConnectionFuzzFixture(u8 options)
    : keys_({.accept_any_tag = true}), network_(kSeed) {
  PeerConfig config = small_config(keys_);
  if ((options & kExtensions) != 0) {
    for (auto* each : {&config.connection, &config.endpoint.connection}) {
      each->max_datagram_frame_size = 1'000;
      each->datagrams = {.send_queue = 8'192, .receive_queue = 8'192};
      each->address_discovery = {.provide = true, .request = true};
    }
  }
  if ((options & kPrefersV2) != 0) config.endpoint.connection.preferred_version = Version::v2;
  if ((options & kComesBack) != 0) take_early_data(config);
  auto [client, server] = network_.quiet_pair(Link{.delay = 5ms}, config, config);
  target_ = (options & kAttackClient) != 0 ? &client : &server;
  silent_ = (options & kAttackClient) != 0 ? &server : &client;
  client.checks = server.checks = false;
  network_.on_send([this](const Passing& datagram) { watch(datagram); });
  client.connect(server);
  if ((options & kComesBack) != 0) come_back(client, server);
  const unsigned progress = options >> 1 & 7;
  if (progress < 7) {
    network_.run_for(progress * 5ms);
  } else {
    const auto connected = [&] {
      return server.sessions().size() == client.sessions().size() &&
             client.sessions().back()->connected() && server.sessions().back()->connected();
    };
    network_.run_until(connected, 5s);
    const std::uint64_t before = client.received_bytes() + server.received_bytes();
    client.sessions().back()->sends(10'000);
    server.sessions().back()->sends(10'000);
    network_.run_until(
        [&] { return client.received_bytes() + server.received_bytes() >= before + 20'000; }, 10s);
    network_.run_for(100ms);
  }
  network_.pipe(client, server).link.blocked = true;
  network_.pipe(server, client).link.blocked = true;
  silent_->crash();
}

void ConnectionFuzzFixture::run(Bytes input) {
  if (input.empty()) return;
  ConnectionFuzzFixture fixture(input[0]);
  Reader in{input.subspan(1)};
  for (std::size_t steps = 0; !in.empty() && steps < kMaxSteps; ++steps) fixture.step(in);
  fixture.network_.run_for(kSilence);
  if (fixture.target_->endpoint().stats().connections != 0) std::abort();
}

/// A first connection, for its ticket, and the second, which the fixture is about.
void ConnectionFuzzFixture::come_back(Peer& client, Peer& server) {
  network_.run_until([&] { return !client.session().tickets.empty(); }, 5s);
  client.session().closes(0, "");
  network_.run_for(10s);
  client.config().session_ticket = client.session().tickets.front();
  short_destination_.clear();
  original_destination_.clear();
  client.connect(server).sends_early(5'000);
}

/// Learns from real datagrams how the target is addressed.
void ConnectionFuzzFixture::watch(const Passing& datagram) {
  const bool by_target = datagram.from == target_->address();
  if ((datagram.payload[0] & 0x80) == 0) {
    const Bytes id = Bytes(datagram.payload).subspan(1, 8);
    if (!by_target) short_destination_.assign(id.begin(), id.end());
    return;
  }
  Reader in{Bytes(datagram.payload).subspan(1)};
  const Version version{in.u32()};
  Bytes destination = in.bytes(in.byte());
  Bytes source = in.bytes(in.byte());
  if (wire::long_packet_type(datagram.payload[0], version) != wire::PacketType::zero_rtt) {
    version_ = version;
  }
  if (original_destination_.empty()) {
    original_destination_.assign(destination.begin(), destination.end());
  }
  if (by_target) std::swap(destination, source);
  long_destination_.assign(destination.begin(), destination.end());
  long_source_.assign(source.begin(), source.end());
  if (by_target && short_destination_.empty()) short_destination_ = long_destination_;
}

void ConnectionFuzzFixture::step(Reader& in) {
  const u8 kind = in.byte();
  if ((kind & 0xc0) == 0) return network_.run_for(time_of((kind & 0x3f) * 2));
  if ((kind & 0xe0) == 0x40) {
    act(kind & 0x0f);
  } else if ((kind & 0xf0) == 0x60) {
    send_versions(sized_bytes(in));
  } else if ((kind & 0xf0) == 0x70) {
    send_retry(sized_bytes(in));
  } else {
    send_packet(kind >> 5 & 3, kind >> 3 & 3, static_cast<Ecn>(kind >> 1 & 3), (kind & 1) != 0,
                sized_bytes(in));
  }
  network_.run_for(Duration{});
}

void ConnectionFuzzFixture::act(u8 what) {
  if (!target_->has_session() || target_->sessions().back()->closed()) return;
  Session& session = *target_->sessions().back();
  transport::Connection& connection = session.connection();
  const StreamId id{static_cast<std::uint64_t>(what & 3)};
  switch (what >> 2) {
    case 0:
      session.sends(5'000,
                    id.is_bidirectional() ? StreamKind::bidirectional : StreamKind::unidirectional);
      break;
    case 1:
      (void)connection.reset(id, 1);
      break;
    case 2:
      (void)connection.stop_sending(id, 2);
      break;
    default:
      if (what == 12) {
        connection.ping();
        static constexpr std::array<u8, 900> kData{};
        for (const std::size_t size : {0U, 20U, 900U}) {
          (void)connection.send_datagram(Bytes(kData).first(size));
        }
      }
      if (what == 13) connection.initiate_key_update();
      if (what == 14) target_->reads = !target_->reads;
      if (what == 15) connection.close(network_.now(), 3, "fuzzed");
  }
  target_->wake();
}

void ConnectionFuzzFixture::send_versions(Bytes versions) {
  std::vector<u8> packet(1'600);
  Writer out{packet};
  out.byte(0xc0);
  out.u32(0);
  out.byte(static_cast<u8>(long_destination_.size()));
  out.bytes(long_destination_);
  out.byte(static_cast<u8>(original_destination_.size()));
  out.bytes(original_destination_);
  out.bytes(versions.first(std::min<std::size_t>(versions.size(), 1'000)));
  inject(out.written());
}

void ConnectionFuzzFixture::send_retry(Bytes token) {
  std::vector<u8> packet(1'600);
  Writer out{packet};
  const ConnectionId source(std::array<u8, 8>{0x5e, 0x7e});
  wire::encode_retry(out, version_, long_destination_, source.bytes(),
                     token.first(std::min<std::size_t>(token.size(), 1'400)));
  out.bytes(keys_.retry_integrity_tag(version_, original_destination_, out.written()));
  inject(out.written());
}

void ConnectionFuzzFixture::inject(Bytes datagram, Ecn ecn) {
  network_.inject(silent_->address(), target_->address(), datagram, ecn);
}

void ConnectionFuzzFixture::send_packet(unsigned level, unsigned number_mode, Ecn ecn,
                                        bool key_phase, Bytes frames) {
  frames = frames.first(std::min<std::size_t>(frames.size(), 1'400));
  const std::size_t space = level == 0 ? 0 : level == 2 ? 1 : 2;
  std::uint32_t number = next_number_[space];
  if (number_mode == 1) number += 1;    // A gap.
  if (number_mode == 2) number -= 1;    // Twice.
  if (number_mode == 3) number += 200;  // A large gap.
  next_number_[space] = std::max(next_number_[space], number + 1);

  const std::size_t payload = std::max<std::size_t>(frames.size(), 4);
  std::vector<u8> packet(1'600);
  Writer out{packet};
  if (level == 3) {
    out.byte(static_cast<u8>(0x43 | (key_phase ? 4 : 0)));
    out.bytes(short_destination_);
  } else {
    constexpr std::array kTypes{wire::PacketType::initial, wire::PacketType::zero_rtt,
                                wire::PacketType::handshake};
    // Early data stays in the version that the client began with.
    Version version = level == 1 ? Version::v1 : version_;
    if (key_phase) version = version == Version::v1 ? Version::v2 : Version::v1;
    out.byte(wire::long_first_byte(kTypes[level], version, 3));
    out.u32(static_cast<std::uint32_t>(version));
    out.byte(static_cast<u8>(long_destination_.size()));
    out.bytes(long_destination_);
    out.byte(static_cast<u8>(long_source_.size()));
    out.bytes(long_source_);
    if (level == 0) out.byte(0);
    out.varint_of_size(4 + payload + crypto::kTagSize, 2);
  }
  out.u32(number);
  out.bytes(frames);
  out.zeros(payload - frames.size() + crypto::kTagSize);
  // A client's Initials, and all that elicits, come in datagrams of at least 1,200 bytes.
  const std::size_t size = level == 0 ? std::max<std::size_t>(out.size(), 1'200) : out.size();
  inject(Bytes(packet).first(size), ecn);
}

}  // namespace qpeer::sim
