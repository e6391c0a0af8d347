// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Real traffic of simulated clients, as a server sees it.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/tests/sim/fuzz_fixtures.hpp"
#include "qpeer/tests/sim/packets.hpp"

namespace qpeer::fuzz {
namespace {

using namespace qpeer::sim;

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
  corpus.add(recorder.input());
  std::vector<std::string> seen;
  for (const Input& datagram : datagrams) {
    const std::string kinds = packet_kinds(datagram) + std::to_string(datagram.size() / 300);
    if (std::ranges::find(seen, kinds) != seen.end()) continue;
    seen.push_back(kinds);
    corpus.add(join({std::array<u8, 4>{options, 0, static_cast<u8>(datagram.size() >> 8),
                                       static_cast<u8>(datagram.size())},
                     datagram}));
  }
}

}  // namespace

void add_seeds(Corpus& corpus) {
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

}  // namespace qpeer::fuzz
