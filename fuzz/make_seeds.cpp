// SPDX-License-Identifier: MIT OR BSD-3-Clause
// make_seeds DIRECTORY: writes first inputs for each harness, in a folder of its name: real traffic
// of simulated connections, and every frame there is.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/cache/cache_codec.hpp"
#include "qpeer/cache/cache_text.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/tests/sim/fuzz_fixtures.hpp"
#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace {

using namespace qpeer;
using namespace qpeer::sim;

using Input = std::vector<u8>;

class Corpus {
 public:
  explicit Corpus(std::filesystem::path root) : root_(std::move(root)) {}

  void add(const std::string& harness, const Input& input) {
    const auto folder = root_ / harness;
    std::filesystem::create_directories(folder);
    char name[32];
    std::snprintf(name, sizeof name, "%016llx",
                  static_cast<unsigned long long>(checksum(0, input)));
    std::ofstream file(folder / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    ++count_;
    ok_ = ok_ && file.good();
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::filesystem::path root_;
  std::size_t count_ = 0;
  bool ok_ = true;
};

Input join(std::initializer_list<Bytes> parts) {
  Input out;
  for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

// --- frames ------------------------------------------------------------------------------------

template <class F>
Input encoded(const F& frame) {
  Input storage(frame.size());
  Writer out{storage};
  frame.encode(out);
  return storage;
}

Input ack(std::initializer_list<wire::PacketNumberRange> ranges, const wire::EcnCounts* ecn) {
  Input storage(200);
  Writer out{storage};
  wire::encode_ack(out, 25, std::vector(ranges), ecn);
  storage.resize(out.size());
  return storage;
}

/// A family of frames, as its harness takes them: the types in the harness's order.
struct Family {
  const char* harness;
  std::vector<u8> types;
  std::vector<Input> frames;
};

std::vector<Family> families() {
  const Bytes text = as_bytes("some bytes of a stream");
  const std::array<u8, 8> eight{1, 2, 3, 4, 5, 6, 7, 8};
  const wire::EcnCounts counts{10, 0, 2};
  const StreamId big{400'000};
  return {
      {"frames_ack",
       {0x02, 0x03},
       {ack({{0, 5}}, nullptr), ack({{90, 100}, {70, 80}, {0, 60}}, nullptr),
        ack({{1'000'000, 1'000'100}, {5, 5}}, &counts)}},
      {"frames_connection",
       {0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e},
       {encoded(wire::NewConnectionIdFrame{1, 0, ConnectionId(eight), {9}}),
        encoded(wire::NewConnectionIdFrame{300, 299, ConnectionId(eight), {9}}),
        encoded(wire::RetireConnectionIdFrame{0}), encoded(wire::RetireConnectionIdFrame{70}),
        encoded(wire::PathChallengeFrame{eight}), encoded(wire::PathResponseFrame{eight}),
        encoded(wire::ConnectionCloseFrame{false, 0x0a, 0x06, text}),
        encoded(wire::ConnectionCloseFrame{true, 4'711, 0, text}),
        encoded(wire::HandshakeDoneFrame{})}},
      {"frames_flow",
       {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17},
       {encoded(wire::MaxDataFrame{1 << 20}), encoded(wire::MaxStreamDataFrame{{0}, 1 << 20}),
        encoded(wire::MaxStreamDataFrame{big, kMaxVarint}),
        encoded(wire::MaxStreamsFrame{true, 200}), encoded(wire::MaxStreamsFrame{false, 70'000}),
        encoded(wire::DataBlockedFrame{100}), encoded(wire::StreamDataBlockedFrame{{4}, 100}),
        encoded(wire::StreamsBlockedFrame{true, 5}), encoded(wire::StreamsBlockedFrame{false, 5})}},
      {"frames_others",
       {0x00, 0x01, 0x07, 0x30, 0x31, 0x1f, 0x40, 0xc0, 0x80},
       {encoded(wire::PaddingFrame{20}), encoded(wire::PingFrame{}),
        encoded(wire::NewTokenFrame{text}), encoded(wire::DatagramFrame{text}),
        encoded(wire::ObservedAddressFrame{1, SocketAddress::ipv4({192, 0, 2, 1}, 443)}),
        encoded(wire::ObservedAddressFrame{70, *SocketAddress::parse("[2001:db8::1]:443")})}},
      {"frames_stream",
       {0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f},
       {encoded(wire::ResetStreamFrame{{0}, 5, 100}), encoded(wire::StopSendingFrame{{1}, 5}),
        encoded(wire::CryptoFrame{0, text}), encoded(wire::CryptoFrame{3'000, text}),
        encoded(wire::StreamFrame{{0}, 0, text, false}),
        encoded(wire::StreamFrame{{4}, 100'000, text, true}),
        encoded(wire::StreamFrame{{2}, 0, {}, true})}},
  };
}

void add_frames(Corpus& corpus) {
  for (const Family& family : families()) {
    for (const Input& frame : family.frames) {
      const auto type = std::ranges::find(family.types, frame[0]);
      if (type == family.types.end()) continue;
      const auto index = static_cast<u8>(type - family.types.begin());
      for (u8 packet = 0; packet < 4; ++packet) {
        corpus.add(family.harness, join({std::array{packet, index}, Bytes(frame).subspan(1)}));
      }
    }
  }
}

void add_parameters(Corpus& corpus) {
  const auto add = [&corpus](const wire::TransportParameters& parameters) {
    Input storage(wire::TransportParameters::kMaxEncodedSize);
    Writer out{storage};
    parameters.encode(out);
    storage.resize(out.size());
    corpus.add("transport_parameters", storage);
  };
  const std::array<u8, 8> id{1, 2, 3, 4, 5, 6, 7, 8};
  wire::TransportParameters parameters;
  add(parameters);
  parameters.initial_source_connection_id = ConnectionId(id);
  parameters.max_idle_timeout_ms = 30'000;
  parameters.initial_max_data = 1 << 20;
  parameters.initial_max_stream_data_bidi_local = 1 << 16;
  parameters.disable_active_migration = true;
  add(parameters);
  parameters.original_destination_connection_id = ConnectionId(id);
  parameters.retry_source_connection_id = ConnectionId(id);
  parameters.stateless_reset_token = StatelessResetToken{7};
  parameters.max_datagram_frame_size = 65'535;
  parameters.address_discovery = {.provide = true, .request = true};
  add(parameters);
}

void add_tokens(Corpus& corpus) {
  corpus.add("address_token", {0});
  corpus.add("address_token", {1, 0, 0xff});
  corpus.add("address_token", {2, 30, 1, 60, 0x80});
  corpus.add("address_token", Input(100, 7));
  corpus.add("address_token", {0x80});
  corpus.add("address_token", {0x81, 40, 1});
  corpus.add("address_token", Input(80, 0x80));
}

/// What a client stores after a handshake with OpenSSL: the one input that is not the same each time.
void add_tickets(Corpus& corpus) {
  crypto::TlsConfig tls;
  tls.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "server");
  tls.alpn = {"sim"};
  tls.mutual = false;
  tls.tickets.early_data = true;
  PeerConfig config;
  config.real_server_tls = *crypto::make_tls_context(tls);
  tls.credentials.reset();
  config.real_client_tls = *crypto::make_tls_context(tls);
  config.keys = &crypto::openssl_keys();
  PeerNetwork network(1);
  auto [client, server] = network.pair({}, config, config);
  Session& session = client.session();
  network.run_until([&] { return !session.tickets.empty() && !session.tokens.empty(); }, 5s);
  const Bytes ticket = session.tickets.at(0);
  constexpr std::size_t kTicketHeader = 1 + 8;
  constexpr std::size_t kSessionHeader = 1 + 32 + 32;
  corpus.add("session_ticket", join({Input{0}, ticket}));
  corpus.add("session_ticket", join({Input{1}, ticket.subspan(kTicketHeader)}));
  corpus.add("session_ticket", join({Input{2}, session.tokens.at(0)}));
  const auto decoded = transport::SessionTicket::decode(ticket);
  corpus.add("session_ticket",
             join({Input{3}, Bytes(decoded.value().session).subspan(kSessionHeader)}));
}

void add_caches(Corpus& corpus) {
  cache::CacheEntry entry;
  entry.id = PeerId({1, 2, 3});
  entry.address = SocketAddress::ipv4({192, 0, 2, 1}, 4433);
  entry.last_reached = 1'700'000'000;
  cache::CacheEntry full = entry;
  full.id = PeerId({4});
  full.address = SocketAddress::ipv6({0xfe, 0x80}, 443, 2);
  full.certificate.assign(60, 0x30);
  full.evidence = cache::Evidence::dialled_back;
  full.failures = 3;
  full.ticket.assign(20, 1);
  full.spare_ticket.assign(15, 3);
  full.address_token.assign(10, 2);
  constexpr std::size_t kMagicSize = 8;
  constexpr std::size_t kChecksumSize = 32;
  for (const auto& entries : {std::vector<cache::CacheEntry>{}, std::vector{entry},
                              std::vector{full}, std::vector{entry, full}}) {
    const Input file = cache::encode(entries);
    corpus.add("cache", join({Input{0}, file}));
    const Bytes body = Bytes(file).first(file.size() - kChecksumSize).subspan(kMagicSize);
    corpus.add("cache", join({Input{1}, body}));
    corpus.add("cache", join({Input{2}, as_bytes(cache::export_text(entries))}));
  }
}

void add_control(Corpus& corpus) {
  using namespace qpeer::p2p;
  Introduction hello{.role = Role::node, .nonce = {1, 2, 3}};
  hello.instance = 0x0102'0304'0506'0708;
  Introduction older = hello;
  Introduction newer = hello;
  Introduction newest = hello;
  hello.advertised.push_back(SocketAddress::ipv4({5, 6, 7, 8}, 443));
  hello.advertised.push_back(SocketAddress::ipv6({0x2a, 1}, 4433));
  hello.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, 443));
  older.minor = 0;
  newer.minor = kProtocolMinor + 1;
  newest.major = kProtocolMajor + 1;
  Peers peers;
  for (u8 i = 1; i <= kMaxPeers; ++i) {
    peers.peers.push_back({.id = PeerId({i}), .address = SocketAddress::ipv4({5, 6, 7, i}, 443)});
  }
  Input all{2};
  for (const ControlMessage& message : std::initializer_list<ControlMessage>{
           Introduction{}, hello, older, newer, newest, Proof{.nonce = {4, 5}}, VerdictMessage{},
           VerdictMessage{.verdict = p2p::Verdict::refused, .address = hello.advertised[0]},
           PeersRequest{.max = 70'000}, peers}) {
    Input storage(kMaxControlMessage);
    Writer out{storage};
    std::visit([&out](const auto& each) { each.encode(out); }, message);
    corpus.add("control", join({std::array<u8, 1>{255}, out.written()}));
    all.insert(all.end(), out.written().begin(), out.written().end());
    all.insert(all.end(), {40, 3, 1, 2, 3});  // Of a type that nobody knows.
  }
  corpus.add("control", all);
}

// --- traffic -----------------------------------------------------------------------------------

/// What a client does to the server of the fixture, written down.
void add_endpoint_run(Corpus& corpus, u8 options, Version version, std::uint64_t size,
                      bool closes) {
  NullKeys keys;
  EndpointFuzzFixture fixture(options);
  const EndpointRecorder recorder(fixture, options);
  std::vector<Input> datagrams;
  fixture.network().on_send([&datagrams](const Passing& datagram) {
    datagrams.emplace_back(datagram.payload.begin(), datagram.payload.end());
  });
  PeerConfig config;
  config.keys = &keys;
  config.listens = false;
  config.connection.version = version;
  config.tls.early_data = true;
  config.early_data = transport::EarlyDataPolicy::resend;
  Peer& client = fixture.network().add_peer(config, SocketAddress::ipv4({10, 1, 0, 1}, 443));
  client.checks = false;
  client.connect(fixture.server()).sends(size);
  fixture.network().run_until(client.acknowledged(), 2s);
  if ((options & EndpointFuzzFixture::kEarlyData) != 0 && !client.session().tickets.empty()) {
    client.config().session_ticket = client.session().tickets.front();
    client.session().closes(0, "");
    Session& again = client.connect(fixture.server());
    again.sends_early(size);
    fixture.network().run_until([&] { return again.confirmed_at.has_value(); }, 2s);
  }
  if (closes && !client.session().closed()) client.session().closes(1, "done");
  fixture.network().run_for(1s);
  corpus.add("endpoint", recorder.input());
  std::vector<std::string> seen;
  for (const Input& datagram : datagrams) {
    const std::string kinds = packet_kinds(datagram) + std::to_string(datagram.size() / 300);
    if (std::ranges::find(seen, kinds) != seen.end()) continue;
    seen.push_back(kinds);
    corpus.add("header", join({std::array<u8, 7>{8, 0, 0, 0, 0, 0, 0}, datagram}));
    corpus.add("endpoint",
               join({std::array<u8, 4>{options, 0, static_cast<u8>(datagram.size() >> 8),
                                       static_cast<u8>(datagram.size())},
                     datagram}));
  }
}

void add_endpoint_runs(Corpus& corpus) {
  for (const u8 options :
       {u8{0}, EndpointFuzzFixture::kAnyTag, EndpointFuzzFixture::kRetryAlways,
        static_cast<u8>(EndpointFuzzFixture::kAnyTag | EndpointFuzzFixture::kDials),
        static_cast<u8>(EndpointFuzzFixture::kAnyTag | EndpointFuzzFixture::kEarlyData),
        static_cast<u8>(EndpointFuzzFixture::kEarlyData | EndpointFuzzFixture::kPrefersV2)}) {
    add_endpoint_run(corpus, options, Version::v1, 500, true);
    add_endpoint_run(corpus, options, Version::v1, 20'000, false);
    add_endpoint_run(corpus, options, Version::v2, 500, true);
  }
  add_endpoint_run(corpus, 0, Version{0x1a2a3a4a}, 500, false);
}

Input packet_step(unsigned level, Bytes frames) {
  const auto kind = static_cast<u8>(0x80 | level << 5);
  return join(
      {std::array<u8, 3>{kind, static_cast<u8>(frames.size() >> 8), static_cast<u8>(frames.size())},
       frames});
}

void add_connection_inputs(Corpus& corpus) {
  Input all_steps;
  const Input versions_step{0x60, 0, 4, 0x6b, 0x33, 0x43, 0xcf};
  const Input retry_step{0x70, 0, 3, 1, 2, 3};
  std::vector<u8> all_options;
  for (u8 options = 0; options < 32; ++options) all_options.push_back(options);
  // Of those who come back, and of a server that prefers version 2, a few moments: more seeds than
  // a short run takes are none.
  for (const u8 more : {ConnectionFuzzFixture::kComesBack, ConnectionFuzzFixture::kPrefersV2}) {
    for (const u8 moment : {0, 2, 4}) {
      all_options.push_back(static_cast<u8>(more | moment));
      all_options.push_back(static_cast<u8>(more | moment | ConnectionFuzzFixture::kAttackClient));
    }
  }
  for (const u8 options : all_options) {
    const std::array<u8, 1> first{options};
    if ((options & (ConnectionFuzzFixture::kExtensions | ConnectionFuzzFixture::kEstablished)) ==
        0) {
      corpus.add("connection", join({first, versions_step, Input{0x05}}));
      corpus.add("connection", join({first, retry_step, Input{0x05}}));
    }
    for (const Family& family : families()) {
      for (const Input& frame : family.frames) {
        for (const unsigned level : {0U, 1U, 2U, 3U}) {
          if (options < 32 ? level == 1 : level > 1) continue;
          corpus.add("connection", join({first, packet_step(level, frame), Input{0x05}}));
        }
        const Input step = packet_step(3, frame);
        if (options == 0) all_steps.insert(all_steps.end(), step.begin(), step.end());
      }
    }
    corpus.add("connection", join({first, all_steps}));
    for (u8 act = 0x40; act < 0x50; ++act) {
      corpus.add("connection", join({first, Input{act, 0x05, act, 0x3f}}));
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: make_seeds DIRECTORY\n");
    return 2;
  }
  Corpus corpus(arguments[1]);
  add_frames(corpus);
  add_parameters(corpus);
  add_tokens(corpus);
  add_tickets(corpus);
  add_caches(corpus);
  add_control(corpus);
  add_endpoint_runs(corpus);
  add_connection_inputs(corpus);
  if (!corpus.ok()) {
    std::fprintf(stderr, "make_seeds: %s cannot be written\n", arguments[1]);
    return 1;
  }
  std::printf("%zu seeds in %s\n", corpus.count(), arguments[1]);
  return 0;
}
