// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/link.hpp"

#include <algorithm>

namespace qpeer::sim {

Pipe::Outcome Pipe::enter(Passing& datagram) {
  datagram.ordinal = stats.entered++;
  stats.entered_bytes += datagram.payload.size();

  Verdict verdict;
  if (filter) verdict = filter(datagram);
  const auto dropped = [](std::uint64_t& counter, const char* fate) {
    ++counter;
    return Outcome{.fate = fate};
  };
  if (verdict.drop) return dropped(stats.dropped_filter, "filtered");
  if (link.blocked) return dropped(stats.dropped_blocked, "blocked");
  const std::size_t size = datagram.payload.size();
  if (size > link.mtu) return dropped(stats.dropped_mtu, "too big");

  Instant departure = datagram.now;
  for (const auto& stage : stages) {
    departure = stage->pass(departure, datagram);
    if (departure == kNever) return dropped(stats.dropped_stage, "dropped by a stage");
  }
  const Instant queued = departure;
  if (link.rate.limited()) {
    departure = std::max(departure, busy_until_);
    const std::uint64_t waiting = link.rate.bytes_in(departure - queued);
    if (waiting + size > link.queue) return dropped(stats.dropped_queue, "queue full");
    departure += link.rate.time_of(size);
    busy_until_ = departure;
  }
  mark(queued, datagram.ecn);
  if (random_.chance(link.loss)) return dropped(stats.dropped_loss, "lost");
  if (random_.chance(link.corrupt)) corrupt(datagram.payload);

  Outcome outcome{.arrival = verdict.delay > Duration{} ? departure + link.delay + verdict.delay
                                                        : arrival(departure)};
  ++stats.delivered;
  if (random_.chance(link.duplicate)) {
    outcome.copy_arrival = arrival(departure);
    ++stats.duplicated;
    ++stats.delivered;
  }
  return outcome;
}

Instant Pipe::arrival(Instant departure) {
  Instant at = departure + link.delay;
  if (random_.chance(link.reorder)) {
    ++stats.reordered;
    const Duration most =
        link.reorder_delay > Duration{} ? link.reorder_delay : link.delay / 2 + 1ms;
    return at + (link.reorder_evenly ? up_to(most) : most);
  }
  if (link.jitter > Duration{}) at += up_to(link.jitter);
  return last_arrival_ = std::max(last_arrival_, at);
}

Duration Pipe::up_to(Duration most) {
  return Duration(
      static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

void Pipe::corrupt(MutableBytes payload) {
  ++stats.corrupted;
  if (payload.empty()) return;
  payload[random_.below(payload.size())] ^= static_cast<u8>(1 + random_.below(255));
}

void Pipe::mark(Instant at, Ecn& ecn) {
  if (link.bleach_ecn) ecn = Ecn::not_ect;
  if (ecn == Ecn::not_ect) return;
  const bool congested = link.rate.limited() && busy_until_ > at &&
                         link.rate.bytes_in(busy_until_ - at) > link.ce_above;
  if (congested || random_.chance(link.ce)) {
    ecn = Ecn::ce;
    ++stats.ce_marked;
  }
}

}  // namespace qpeer::sim
