// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A flood: an adversary sends much of one thing, ten thousand times. What the victim holds for it has
// a bound, in bytes, and does not grow; nor does a packet cost more the longer it goes on.
// RFC 9000 §21.
//
// The bytes are those of the whole program: of the adversary and the network too, which is little.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {

/// What is sent in a round, and the most that the victim may hold for all of them.
struct Flood {
  std::string_view what;
  Side victim = Side::server;
  std::uint64_t bound = 0;
  std::function<void(ConformanceFixture&, std::uint64_t)> round;
  AdversaryConfig adversary{};
  std::function<void(PeerConfig&)> ours{};
  std::function<void(ConformanceFixture&)> before{};
  bool fills = false;  ///< What it sends is to be held, up to the bound.
};

/// Each in a fixture of its own. QPEER_FIGURES=1 prints what was held and what a round took.
void run_floods(std::span<const Flood> floods);

/// A victim as anybody has it, but for DATAGRAM frames, which are off by default.
PeerConfig usual();
/// Notes of the fixture itself, which would grow.
void forget_notes(ConformanceFixture& fixture);
/// Whether somebody wants to see figures.
bool shows_figures();

// --- what is sent --------------------------------------------------------------------------------

/// One after the other.
Octets many(std::uint64_t count, const std::function<Octets(std::uint64_t)>& make);
Octets stream_frame(std::uint64_t id, std::uint64_t offset, std::uint64_t size, bool fin = false);
Octets new_connection_id(std::uint64_t number, std::uint64_t retire_prior_to);
inline void send(ConformanceFixture& fixture, const Octets& frames) {
  fixture.adversary.send(kOneRtt, frames);
}

inline const Ids kAtServer{Side::server};

}  // namespace qpeer::sim
