// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Handshakes of OpenSSL's whose messages are changed on the way. No crash, and what both sides take
// for a handshake is one in which both saw the same bytes.
//
// The input is options (1 byte), the size of the pieces that arrive (1 byte, 0 is whole), then edits:
//   flight (1 byte: the how-manieth that is delivered), kind (1 byte), offset (2 bytes), size (1 byte),
//   and as many bytes
// Options: 1 the client shows no certificate, 2 the client comes back with a session, and early data,
// 4 the server asks for another group, 8 certificates are checked, 16 the client knows no early data.
// Random numbers are of the input alone, so that each handshake can be had again.
#define OPENSSL_SUPPRESS_DEPRECATED  // A generator of our own is.
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/crypto/authority.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/fuzz/check.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using namespace qpeer::crypto;

constexpr u8 kAnonymous = 1;
constexpr u8 kComesBack = 2;
constexpr u8 kOtherGroup = 4;
constexpr u8 kChecked = 8;
constexpr u8 kNoEarlyData = 16;
constexpr u8 kAllOptions = 31;
constexpr std::size_t kMaxFlights = 60;

// --- random numbers ------------------------------------------------------------------------------

std::uint64_t random_state = 1;

int fixed_random(unsigned char* out, int size) {
  for (int i = 0; i < size; ++i) {
    random_state = random_state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    out[i] = static_cast<unsigned char>(random_state >> 56);
  }
  return 1;
}

int always_ready() { return 1; }

void use_fixed_random() {
  static RAND_METHOD method{nullptr, fixed_random, nullptr, nullptr, fixed_random, always_ready};
  check(RAND_set_rand_method(&method) == 1);
}

// --- contexts ------------------------------------------------------------------------------------

std::shared_ptr<TlsContext> make_context(TlsConfig config) {
  auto made = make_tls_context(std::move(config));
  check(made.has_value());
  return *made;
}

struct Contexts {
  std::shared_ptr<TlsContext> client;
  std::shared_ptr<TlsContext> server;
};

Contexts make_contexts(u8 options) {
  static const Credentials authority = make_authority("authority", 3'650);
  static const Credentials own = [] {
    const std::vector<std::string> names{"server.test"};
    return issue_certificate(authority, names, KeyType::ed25519, 3'650).value();
  }();
  TlsConfig config;
  config.credentials = own;
  config.alpn = {"fuzz", "other"};
  config.mutual = (options & kAnonymous) == 0;
  config.groups = "X25519:secp256r1";
  config.tickets.early_data = (options & kNoEarlyData) == 0;
  if ((options & kChecked) != 0) {
    config.trust = Trust::private_authority;
    config.authorities_pem = authority.certificate_pem;
  }
  TlsConfig client = config;
  if ((options & kAnonymous) != 0) client.credentials.reset();
  if ((options & kOtherGroup) != 0) config.groups = "secp256r1";
  return {.client = make_context(std::move(client)), .server = make_context(std::move(config))};
}

/// Servers remember tickets that came back: a context that gave any serves one input only.
Contexts contexts_of(u8 options) {
  static std::array<Contexts, kAllOptions + 1> kept;
  if ((options & kComesBack) != 0) return make_contexts(options);
  Contexts& out = kept[options];
  if (!out.client) out = make_contexts(options);
  return out;
}

// --- two sides -----------------------------------------------------------------------------------

struct Flight {
  EncryptionLevel level{};
  std::vector<u8> bytes;
};

struct TlsSide final : TlsHandler {
  TlsSide(TlsContext& context, Side side, const Resumption& resumption)
      : session(context.new_session(side, side == Side::client ? "server.test" : "",
                                    as_bytes("parameters"), *this, resumption)) {}

  void on_tls_data(EncryptionLevel level, Bytes data) override {
    flights.push_back({level, {data.begin(), data.end()}});
  }
  void on_tls_secret(EncryptionLevel level, Direction direction, CipherSuite /*suite*/,
                     Bytes secret) override {
    check(secret.size() == 32 || secret.size() == 48);
    check(secrets.emplace(level, direction).second);  // Each comes once.
  }
  Result on_tls_transport_parameters(Bytes parameters) override {
    peer_parameters.assign(parameters.begin(), parameters.end());
    return {};
  }
  void on_tls_session(Bytes kept) override {
    check(kept.size() <= kMaxSessionSize);
    sessions.emplace_back(kept.begin(), kept.end());
  }
  std::vector<u8> tls_ticket_data() override { return {1, 2, 3}; }
  TicketUse on_tls_ticket(Bytes data) override {
    check(equal(data, std::array<u8, 3>{1, 2, 3}));  // It is sealed.
    return TicketUse::resume_with_early_data;
  }

  std::deque<Flight> flights;  ///< Still to be delivered.
  std::set<std::pair<EncryptionLevel, Direction>> secrets;
  std::vector<u8> peer_parameters;
  std::vector<std::vector<u8>> sessions;
  std::vector<u8> meant;    ///< For this side, up to the end of the handshake ...
  std::vector<u8> arrived;  ///< ... and what came instead.
  Result result;
  std::unique_ptr<TlsSession> session;
};

struct Edit {
  u8 flight = 0;
  u8 kind = 0;
  std::size_t offset = 0;
  std::size_t size = 0;
  Bytes bytes{};
};

std::vector<Edit> read_edits(Reader& in) {
  std::vector<Edit> out;
  while (in.remaining() >= 5) {
    Edit edit{.flight = in.byte(), .kind = in.byte(), .offset = in.u16(), .size = in.byte()};
    edit.bytes = in.bytes(std::min(edit.size, in.remaining()));
    out.push_back(edit);
  }
  return out;
}

/// The length of a handshake message is made that of what there is.
void mend_length(std::vector<u8>& message) {
  if (message.size() < 4) return;
  const std::size_t size = message.size() - 4;
  message[1] = static_cast<u8>(size >> 16);
  message[2] = static_cast<u8>(size >> 8);
  message[3] = static_cast<u8>(size);
}

void apply(const Edit& edit, Flight& flight) {
  std::vector<u8>& bytes = flight.bytes;
  const std::size_t at = std::min(edit.offset, bytes.size());
  const auto position = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  switch (edit.kind % 8) {
    case 0:  // Other bytes in their place.
      copy(edit.bytes.first(std::min(edit.bytes.size(), bytes.size() - at)),
           MutableBytes(bytes).subspan(at));
      break;
    case 1:
      bytes.insert(position, edit.bytes.begin(), edit.bytes.end());
      break;
    case 2:
      bytes.erase(position,
                  position + static_cast<std::ptrdiff_t>(std::min(edit.size, bytes.size() - at)));
      break;
    case 3:
      bytes.resize(at);
      break;
    case 4:  // Twice.
      bytes.insert(bytes.end(), bytes.begin(), position);
      break;
    case 5:
      flight.level = static_cast<EncryptionLevel>(edit.size % 4);
      break;
    case 6: {  // A whole message of this type before it.
      std::vector<u8> message{static_cast<u8>(edit.offset), 0, 0, 0};
      message.insert(message.end(), edit.bytes.begin(), edit.bytes.end());
      mend_length(message);
      bytes.insert(bytes.begin(), message.begin(), message.end());
      break;
    }
    default:
      mend_length(bytes);
  }
}

class Handshake {
 public:
  Handshake(const Contexts& contexts, const Resumption& resumption, std::vector<Edit> edits,
            std::size_t piece)
      : client(*contexts.client, Side::client, resumption),
        server(*contexts.server, Side::server, {}),
        edits_(std::move(edits)),
        piece_(piece) {}

  void run() {
    client.result = client.session->start();
    server.result = server.session->start();
    while (flights_ < kMaxFlights && (!client.flights.empty() || !server.flights.empty())) {
      deliver(client, server);
      deliver(server, client);
      if (!client.result && !server.result) break;
    }
    check_side(client);
    check_side(server);
    if (!client.session->is_complete() || !server.session->is_complete()) return;
    // Finished covers every byte before it.
    for (const TlsSide* side : {&client, &server}) {
      check(side->arrived.size() >= side->meant.size());
      check(std::equal(side->meant.begin(), side->meant.end(), side->arrived.begin()));
      check(equal(side->peer_parameters, as_bytes("parameters")));
      check(side->session->alpn() == "fuzz");
    }
  }

  TlsSide client;
  TlsSide server;

 private:
  void deliver(TlsSide& from, TlsSide& to) {
    while (!from.flights.empty() && flights_ < kMaxFlights) {
      Flight flight = std::move(from.flights.front());
      from.flights.pop_front();
      // A server that is complete has seen all that Finished covers; so has a client whose handshake
      // level is over.
      const bool counts = flight.level != EncryptionLevel::one_rtt;
      if (counts) to.meant.insert(to.meant.end(), flight.bytes.begin(), flight.bytes.end());
      for (const Edit& edit : edits_) {
        if (edit.flight == flights_) apply(edit, flight);
      }
      ++flights_;
      if (counts) to.arrived.insert(to.arrived.end(), flight.bytes.begin(), flight.bytes.end());
      const std::size_t piece = piece_ == 0 ? flight.bytes.size() : piece_;
      for (std::size_t at = 0; at < flight.bytes.size() && to.result; at += piece) {
        const Bytes rest = Bytes(flight.bytes).subspan(at);
        to.result = to.session->on_data(flight.level, rest.first(std::min(piece, rest.size())));
      }
    }
  }

  static void check_side(const TlsSide& side) {
    if (!side.result) {
      check(side.result.error().code != TransportErrorCode::no_error);
      check(!side.result.error().reason.empty());
      check(!side.session->is_complete());
    }
    // What is asked at any time must be safe at any time.
    (void)side.session->group();
    (void)side.session->server_name();
    (void)side.session->early_data();
    (void)side.session->is_resumed();
    (void)side.session->peer_certificate();
    (void)side.session->read_level();
  }

  std::vector<Edit> edits_;
  std::size_t piece_;
  std::size_t flights_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  use_fixed_random();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Reader in{{data, size}};
  const u8 options = in.byte() & kAllOptions;
  const std::size_t piece = in.byte();
  if (!in.ok()) return 0;
  const Contexts contexts = contexts_of(options);
  random_state = 1;
  std::vector<u8> session;
  if ((options & kComesBack) != 0) {
    Handshake first(contexts, {}, {}, 0);
    first.run();
    check(first.client.session->is_complete() && !first.client.sessions.empty());
    session = first.client.sessions.front();
  }
  Handshake handshake(contexts, {.session = session, .early_data = (options & kNoEarlyData) == 0},
                      read_edits(in), piece);
  handshake.run();
  return 0;
}
