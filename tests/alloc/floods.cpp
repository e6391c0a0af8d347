// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/alloc/floods.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "qpeer/tests/sim/counting_new.hpp"
#include "qpeer/transport/base/assert.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kRounds = 10'000;
constexpr std::uint64_t kBatch = 250;

std::uint64_t cpu_time() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void run(const Flood& flood) {
  SCOPED_TRACE(flood.what);
  PeerConfig ours = usual();
  if (flood.ours) flood.ours(ours);
  ConformanceFixture fixture(flood.victim, flood.adversary, ours);
  fixture.network.reserve_packets(1'000);
  fixture.begin();
  fixture.run(1s);
  if (flood.before) flood.before(fixture);
  const std::uint64_t before = allocation_counts().live_bytes;
  std::uint64_t peak = 0;
  std::uint64_t early_peak = 0;
  std::uint64_t quickest_early = ~0ULL;
  std::uint64_t quickest_late = ~0ULL;
  std::uint64_t begin = cpu_time();
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    flood.round(fixture, i);
    forget_notes(fixture);
    fixture.run(1ms);
    const std::uint64_t live = allocation_counts().live_bytes;
    peak = std::max(peak, live - std::min(before, live));
    if (i == kRounds / 2) early_peak = peak;
    if ((i + 1) % kBatch != 0) continue;
    const std::uint64_t now = cpu_time();
    std::uint64_t& quickest = i < kRounds / 5 ? quickest_early : quickest_late;
    if (i < kRounds / 5 || i >= kRounds / 2) quickest = std::min(quickest, now - begin);
    begin = now;
  }
  if (shows_figures()) {
    std::printf("%-58s peak %8llu early %8llu, ns a round %6llu then %6llu\n", flood.what.data(),
                static_cast<unsigned long long>(peak), static_cast<unsigned long long>(early_peak),
                static_cast<unsigned long long>(quickest_early / kBatch),
                static_cast<unsigned long long>(quickest_late / kBatch));
  }
  EXPECT_EQ(fixture.victim.endpoint().stats().connections, 1U);
  if (fixture.victim.has_session() && fixture.victim.session().closed()) {
    ADD_FAILURE() << to_string(*fixture.victim.session().close);
  }
  EXPECT_LE(peak, flood.bound);
  if (!flood.fills) {
    EXPECT_LE(peak, early_peak + 4'096) << "grows";
  }
  if (kAssertions) return;  // consistent() looks at all that is kept: each costs more by design.
  EXPECT_LE(quickest_late, 4 * quickest_early + 2'000 * kBatch)
      << "each costs more than the one before";
}

}  // namespace

void run_floods(std::span<const Flood> floods) {
  for (const Flood& flood : floods) run(flood);
}

bool shows_figures() { return std::getenv("QPEER_FIGURES") != nullptr; }

PeerConfig usual() {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->max_datagram_frame_size = 65'535;
    // Nobody reads what comes, so a window that grows would stop most floods.
    each->streams.initial_receive_window = each->streams.receive_window;
    each->address_discovery = {.provide = true, .request = true};
  }
  return config;
}

void forget_notes(ConformanceFixture& fixture) {
  fixture.adversary.forget();
  if (!fixture.victim.has_session()) return;
  Session& session = fixture.victim.session();
  session.paths.clear();
  session.observed.clear();
  session.tickets.clear();
  std::erase_if(session.streams, [](const auto& each) { return each.second.to_send == 0; });
}

Octets many(std::uint64_t count, const std::function<Octets(std::uint64_t)>& make) {
  Octets out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Octets one = make(i);
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

Octets stream_frame(std::uint64_t id, std::uint64_t offset, std::uint64_t size, bool fin) {
  return join({varints({fin ? 0x0fU : 0x0eU, id, offset, size}), zeros(size)});
}

Octets new_connection_id(std::uint64_t number, std::uint64_t retire_prior_to) {
  Octets id(8);
  Writer(id).u64(0xfeed'0000'0000'0000ULL + number);
  Octets token(16, 7);
  std::copy(id.begin(), id.end(), token.begin());
  return join({varints({0x18, number, retire_prior_to}), {8}, id, token});
}

}  // namespace qpeer::sim
