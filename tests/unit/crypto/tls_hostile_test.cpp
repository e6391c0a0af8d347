// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Flights that are edited on their way: extensions that are missing, and mutations by the thousand.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

constexpr u8 kClientHello = 1;
constexpr u8 kEncryptedExtensions = 8;
constexpr unsigned kAlpn = 16;
constexpr unsigned kTransportParameters = 0x39;

void put16(std::vector<u8>& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<u8>(value >> 8);
  bytes[at + 1] = static_cast<u8>(value);
}

std::size_t get16(const std::vector<u8>& bytes, std::size_t at) {
  return std::size_t{bytes[at]} << 8 | bytes[at + 1];
}

// Where the two bytes lie that give the size of a ClientHello's or EncryptedExtensions' extensions.
std::size_t extensions_at(const std::vector<u8>& message) {
  if (message[0] == kEncryptedExtensions) return 4;
  std::size_t at = 4 + 2 + 32;   // Header, version, random.
  at += 1 + message[at];         // Session ID.
  at += 2 + get16(message, at);  // Cipher suites.
  return at + 1 + message[at];   // Compression methods.
}

// Takes an extension out of a message; replaces it by `with` when that is not empty.
bool edit_extension(std::vector<u8>& message, unsigned type, std::vector<u8> with = {}) {
  const std::size_t start = extensions_at(message);
  const std::size_t end = start + 2 + get16(message, start);
  for (std::size_t at = start + 2; at < end;) {
    const std::size_t size = 4 + get16(message, at + 2);
    if (get16(message, at) == type) {
      const auto place = message.begin() + static_cast<std::ptrdiff_t>(at);
      message.insert(message.erase(place, place + static_cast<std::ptrdiff_t>(size)), with.begin(),
                     with.end());
      put16(message, start, end - start - 2 - size + with.size());
      put16(message, 2, message.size() - 4);
      return true;
    }
    at += size;
  }
  return false;
}

class Edited : public TlsPair {
 public:
  Edited(u8 message_type, unsigned extension, std::vector<u8> with = {}) {
    change = [=, this](const TlsPeer&, Flight& flight) {
      if (flight.bytes[0] == message_type) {
        found |= edit_extension(flight.bytes, extension, with);
      }
    };
    run();
  }
  bool found = false;
};

// RFC 9001 §8.2 [rfc9001-8.2-1]: at the server before it answers, at the client before it goes on.
TEST(TlsHostile, MissingTransportParametersAreAnError) {
  const Edited at_server{kClientHello, kTransportParameters};
  EXPECT_TRUE(at_server.found);
  EXPECT_EQ(at_server.server_code(), 0x16dU);
  EXPECT_TRUE(at_server.server.secrets.empty());
  const Edited at_client{kEncryptedExtensions, kTransportParameters};
  EXPECT_TRUE(at_client.found);
  EXPECT_EQ(at_client.client_code(), 0x16dU);
}

// RFC 9001 §8.1 [rfc9001-8.1-2] [rfc9001-8.1-3]
TEST(TlsHostile, MissingAlpnIsAnError) {
  const Edited at_server{kClientHello, kAlpn};
  EXPECT_TRUE(at_server.found);
  EXPECT_EQ(at_server.server_code(), 0x178U);
  EXPECT_TRUE(at_server.server.secrets.empty());
  const Edited at_client{kEncryptedExtensions, kAlpn};
  EXPECT_TRUE(at_client.found);
  EXPECT_EQ(at_client.client_code(), 0x178U);
}

// RFC 9001 §8.1 [rfc9001-8.1-7]
TEST(TlsHostile, AlpnThatWasNotOfferedIsAnError) {
  const Edited at_client{kEncryptedExtensions, kAlpn, {0, 16, 0, 5, 0, 3, 2, 'h', '9'}};
  EXPECT_TRUE(at_client.found);
  EXPECT_FALSE(at_client.client_result);
  EXPECT_EQ(at_client.client_code(), 0x178U);
}

// RFC 9001 §4.2 [rfc9001-4.2-2]
TEST(TlsHostile, OlderTlsIsAnError) {
  const Edited pair{kClientHello, 43};
  EXPECT_TRUE(pair.found);
  EXPECT_EQ(pair.server_code(), 0x146U);
}

// RFC 9001 §4.2 [rfc9001-4.2-1]
TEST(TlsHostile, ClientOffersTls13Alone) {
  TlsPair pair;
  ASSERT_TRUE(pair.client.session->start());
  auto hello = pair.client.sent.front().bytes;
  ASSERT_TRUE(edit_extension(hello, 43, {0, 43, 0, 3, 2, 3, 4}));
  EXPECT_EQ(hello, pair.client.sent.front().bytes);
}

// RFC 9001 §8.4 [rfc9001-8.4-1] [rfc9001-8.4-2]
TEST(TlsHostile, CompatibilityModeIsNotUsedAndNotTaken) {
  TlsPair pair;
  pair.change = [&](const TlsPeer&, Flight& flight) {
    if (flight.bytes[0] != kClientHello) return;
    EXPECT_EQ(flight.bytes[38], 0) << "the client has a session ID";
    flight.bytes[38] = 32;
    flight.bytes.insert(flight.bytes.begin() + 39, 32, u8{5});
    put16(flight.bytes, 2, flight.bytes.size() - 4);
  };
  pair.run();
  EXPECT_EQ(pair.server_code(), 0x0aU);
  EXPECT_TRUE(pair.server.secrets.empty());
}

// RFC 8446 §4.1.2: a retried ClientHello may not change its mind.
TEST(TlsHostile, TransportParametersMayNotChangeAfterARetry) {
  TlsConfig client = basic_config();
  client.groups = "*X25519MLKEM768:P-384";
  TlsConfig server = basic_config();
  server.groups = "P-384";
  TlsPair pair{client, server};
  int hellos = 0;
  pair.change = [&](const TlsPeer&, Flight& flight) {
    if (flight.bytes[0] == kClientHello && ++hellos == 2) {
      ASSERT_TRUE(edit_extension(flight.bytes, kTransportParameters, {0, 0x39, 0, 2, 1, 1}));
    }
  };
  pair.run();
  EXPECT_EQ(hellos, 2);
  EXPECT_EQ(pair.server_code(), 0x12fU);
}

void mutate(std::vector<u8>& bytes, std::mt19937_64& random) {
  if (bytes.empty()) return;
  const auto at = static_cast<std::ptrdiff_t>(random() % bytes.size());
  switch (random() % 6) {
    case 0:
      bytes[static_cast<std::size_t>(at)] ^= static_cast<u8>(1U << random() % 8);
      break;
    case 1:
      bytes[static_cast<std::size_t>(at)] = static_cast<u8>(random());
      break;
    case 2:
      bytes.resize(static_cast<std::size_t>(at));
      break;
    case 3:
      bytes.insert(bytes.begin() + at, random() % 40, static_cast<u8>(random()));
      break;
    case 4:
      bytes.erase(bytes.begin() + at,
                  bytes.begin() + at +
                      std::min<std::ptrdiff_t>(9, static_cast<std::ptrdiff_t>(bytes.size()) - at));
      break;
    default:
      bytes.insert(bytes.begin() + at, bytes.begin(), bytes.begin() + at);
      break;
  }
}

// Each flight in turn, mutated a little. The handshake may only complete when nothing was touched:
// the transcript is authenticated.
TEST(TlsHostile, MutatedFlightsEndInErrorsOrSilence) {
  const char* const given = std::getenv("QPEER_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const auto client = context_of(basic_config());
  const auto server = context_of(basic_config());
  for (std::uint64_t seed = first; seed < first + (given != nullptr ? 1 : 600); ++seed) {
    SCOPED_TRACE("QPEER_SEED=" + std::to_string(seed));
    std::mt19937_64 random{seed};
    TlsPair pair{client, server};
    const std::uint64_t victim = random() % 9;
    std::uint64_t flights = 0;
    bool touched = false;
    pair.change = [&](const TlsPeer&, Flight& flight) {
      if (flights++ < victim) return;
      const auto before = flight.bytes;
      mutate(flight.bytes, random);
      touched |= flight.bytes != before;
    };
    pair.run(1 + random() % 2000);
    EXPECT_TRUE(!pair.complete() || !touched);
    // Whatever failed stays failed, with one answer.
    for (TlsPeer* peer : {&pair.client, &pair.server}) {
      const Result& seen = peer == &pair.client ? pair.client_result : pair.server_result;
      if (!seen) {
        EXPECT_EQ(peer->session->on_data(EncryptionLevel::handshake, std::vector<u8>(9)), seen);
        EXPECT_FALSE(peer->session->is_complete());
      }
    }
  }
}

// After the handshake: messages of every type and of random content.
TEST(TlsHostile, NoMessageAfterTheHandshakeDoesHarm) {
  const auto client = context_of(basic_config());
  const auto server = context_of(basic_config());
  std::mt19937_64 random{7};
  for (unsigned type = 0; type < 256; ++type) {
    TlsPair pair{client, server};
    pair.run();
    ASSERT_TRUE(pair.complete());
    std::vector<u8> message(4 + random() % 100);
    for (u8& byte : message) byte = static_cast<u8>(random());
    message[0] = static_cast<u8>(type);
    message[1] = 0;
    put16(message, 2, message.size() - 4);
    EXPECT_FALSE(pair.client.session->on_data(EncryptionLevel::one_rtt, message)) << type;
    EXPECT_FALSE(pair.server.session->on_data(EncryptionLevel::one_rtt, message)) << type;
  }
}

}  // namespace
}  // namespace qpeer::crypto
