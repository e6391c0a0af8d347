// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The link zoo: paths as there are in the world, each with a name, and what is moved over it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "qpeer/tests/sim/bottleneck.hpp"
#include "qpeer/tests/sim/link.hpp"
#include "qpeer/tests/sim/link_models.hpp"

namespace qpeer::links {

/// What lies between senders and receivers once the handshake is confirmed. All flows share the stages.
struct ZooPath {
  sim::Link forward{};  ///< Of the data: its delay and what befalls single datagrams.
  sim::Link back{};     ///< Of the acknowledgements.
  sim::LinkStages stages{};
  sim::LinkStages back_stages{};
  std::shared_ptr<sim::Bottleneck> bottleneck{};  ///< The narrowest of the stages.
  sim::Rate
      capacity{};  ///< Less than the bottleneck's, where something else limits; 0 is the bottleneck's.
};

struct ZooLink {
  std::string_view name;
  std::string_view about;
  std::function<ZooPath(Instant start, sim::SeededRandom& random)> make;
  Duration round_trip;       ///< Of the handshake, which is not disturbed.
  Duration time = 60s;       ///< How long data flows ...
  Duration from = 5s;        ///< ... and from when on it is measured.
  std::uint64_t size = 0;    ///< So many bytes instead, however long they take.
  Duration outage_end{};     ///< When the outage ends whose recovery is measured.
  bool touched = false;      ///< A packet of the receiver arrives as soon as it is over.
  bool fits_meter = true;    ///< Frames can be read on their way: nothing alters them.
  Duration short_time = 6s;  ///< As `time`, where only the end matters.
};

/// All, in the order of the table.
std::span<const ZooLink> zoo();
/// Null when there is none of that name.
const ZooLink* find_link(std::string_view name);

}  // namespace qpeer::links
