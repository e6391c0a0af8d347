// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/links/zoo.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::links {
namespace {

using sim::Bottleneck;
using sim::BottleneckConfig;
using sim::Link;
using sim::Rate;
using sim::SeededRandom;
using namespace sim::literals;

/// A bottleneck with a queue of so many bandwidth-delay products, half of the round trip each way.
ZooPath simple(Rate rate, Duration round_trip, double queue_bdp = 1) {
  const auto bdp = static_cast<double>(rate.bytes_in(round_trip));
  ZooPath path;
  path.forward = Link{.delay = round_trip / 2};
  path.back = Link{.delay = round_trip / 2};
  path.bottleneck = std::make_shared<Bottleneck>(BottleneckConfig{
      .rate = rate, .queue = static_cast<std::size_t>(std::max(bdp * queue_bdp, 20'000.0))});
  path.stages = {path.bottleneck};
  return path;
}

ZooPath of_bottleneck(Duration round_trip, BottleneckConfig config) {
  ZooPath path = simple(10_mbit, round_trip);
  path.bottleneck = std::make_shared<Bottleneck>(std::move(config));
  path.stages = {path.bottleneck};
  return path;
}

// --- as the table of requirements names them -----------------------------------------------------

ZooPath cable(Instant, SeededRandom&) { return simple(100_mbit, 40ms); }
ZooPath long_fat(Instant, SeededRandom&) { return simple(1_gbit, 100ms); }

ZooPath lossy(Instant, SeededRandom&) {
  ZooPath path = simple(50_mbit, 60ms);
  path.forward.loss = 0.01;
  return path;
}

ZooPath satellite(Instant, SeededRandom&) {
  ZooPath path = simple(20_mbit, 600ms);
  path.forward.loss = 0.01;
  return path;
}

ZooPath reordering(Instant, SeededRandom&) {
  ZooPath path = simple(50_mbit, 40ms);
  path.forward.reorder = 0.10;
  path.forward.reorder_delay = 10ms;
  path.forward.reorder_evenly = true;
  return path;
}

ZooPath ce_random(Instant, SeededRandom&) {
  ZooPath path = simple(20_mbit, 40ms);
  path.forward.ce = 0.001;
  return path;
}

ZooPath bufferbloat(Instant, SeededRandom&) {
  return of_bottleneck(40ms, {.rate = 20_mbit, .queue_time = 2s});
}

ZooPath short_with_loss(double loss) {
  ZooPath path = simple(50_mbit, 20ms);
  path.forward.loss = loss;
  path.back.loss = loss;
  return path;
}
ZooPath short_30(Instant, SeededRandom&) { return short_with_loss(0.30); }
ZooPath short_10(Instant, SeededRandom&) { return short_with_loss(0.10); }

ZooPath with_outage(Rate rate, Duration round_trip, Instant from, Instant to) {
  ZooPath path = simple(rate, round_trip);
  const auto outage = std::make_shared<sim::Outages>(std::vector<sim::Outages::Outage>{{from, to}});
  path.stages.push_back(outage);
  path.back_stages.push_back(outage);
  return path;
}
ZooPath outage(Instant start, SeededRandom&) {
  return with_outage(50_mbit, 40ms, start + 3s, start + 8s);
}
ZooPath long_outage(Instant start, SeededRandom&) {
  return with_outage(10_mbit, 40ms, start + 2s, start + 302s);
}

ZooPath shared(Instant, SeededRandom&) { return simple(50_mbit, 40ms); }

// --- the rest of the zoo -------------------------------------------------------------------------

ZooPath lan(Instant, SeededRandom&) {
  return of_bottleneck(1ms, {.rate = 1_gbit, .queue = 512_KiB});
}

ZooPath lte(Instant, SeededRandom& random) {
  return of_bottleneck(60ms, {.rate = lte_rate(random.split()), .queue = 1_MiB});
}

ZooPath datacenter(Instant, SeededRandom&) {
  return of_bottleneck(500us, {.rate = 1_gbit, .queue = 256_KiB, .ce_above = 30'000});
}

ZooPath policer(Instant, SeededRandom&) {
  ZooPath path = simple(100_mbit, 40ms);
  path.stages.insert(path.stages.begin(), std::make_shared<sim::Policer>(20_mbit, 100'000));
  path.capacity = 20_mbit;
  return path;
}

ZooPath with_bursts(SeededRandom& random, double share, double burst, Duration slot = 0ms) {
  ZooPath path = simple(20_mbit, 40ms);
  path.stages.push_back(std::make_shared<sim::BurstLoss>(share, burst, slot, random.split()));
  return path;
}
ZooPath fades_25(Instant, SeededRandom& random) { return with_bursts(random, 0.25, 4, 600us); }
ZooPath bursts(Instant, SeededRandom& random) { return with_bursts(random, 0.02, 4); }
ZooPath bursts_25(Instant, SeededRandom& random) { return with_bursts(random, 0.25, 4); }

ZooPath duplicates(Instant, SeededRandom&) {
  ZooPath path = simple(50_mbit, 40ms);
  path.forward.duplicate = path.back.duplicate = 0.05;
  return path;
}

ZooPath corruption(Instant, SeededRandom&) {
  ZooPath path = simple(50_mbit, 40ms);
  path.forward.corrupt = path.back.corrupt = 0.002;
  return path;
}

ZooPath asymmetric(Instant, SeededRandom&) {
  ZooPath path = simple(100_mbit, 40ms);
  path.back_stages = {
      std::make_shared<Bottleneck>(BottleneckConfig{.rate = 1_mbit, .queue = 20'000})};
  return path;
}

ZooPath mtu_shrinks(Instant start, SeededRandom&) {
  ZooPath path = simple(50_mbit, 40ms);
  path.stages.push_back(std::make_shared<sim::MtuLimit>(start + 3s, 1'300));
  return path;
}

ZooPath ack_loss(Instant, SeededRandom&) {
  ZooPath path = simple(50_mbit, 40ms);
  path.back.loss = 0.30;
  return path;
}

ZooPath codel(Instant, SeededRandom&) {
  return of_bottleneck(40ms, {.rate = 20_mbit, .queue = 1_MiB, .codel = sim::CoDel()});
}

ZooPath two_bottlenecks(Instant, SeededRandom&) {
  ZooPath path = simple(30_mbit, 40ms);
  path.stages = {std::make_shared<Bottleneck>(BottleneckConfig{.rate = 40_mbit, .queue = 60'000}),
                 std::make_shared<sim::Delay>(5ms), path.bottleneck};
  path.forward.delay -= 5ms;
  return path;
}

const std::vector<ZooLink>& all() {
  static const std::vector<ZooLink> links{
      {.name = "cable",
       .about = "100 Mbit/s, 40 ms, 1 BDP queue",
       .make = cable,
       .round_trip = 40ms},
      {.name = "long-fat",
       .about = "1 Gbit/s, 100 ms, 1 BDP queue; 1 GiB",
       .make = long_fat,
       .round_trip = 100ms,
       .time = 30s,
       .from = 3s,
       .size = 1_GiB},
      {.name = "lossy",
       .about = "50 Mbit/s, 60 ms, 1 % random loss",
       .make = lossy,
       .round_trip = 60ms},
      {.name = "satellite",
       .about = "20 Mbit/s, 600 ms, 1 % random loss",
       .make = satellite,
       .round_trip = 600ms,
       .time = 120s,
       .from = 15s,
       .short_time = 15s},
      {.name = "reordering",
       .about = "50 Mbit/s, 40 ms, 10 % held back up to 10 ms",
       .make = reordering,
       .round_trip = 40ms},
      {.name = "ce-random",
       .about = "20 Mbit/s, 40 ms, 0.1 % CE marks at random",
       .make = ce_random,
       .round_trip = 40ms},
      {.name = "bufferbloat",
       .about = "20 Mbit/s, 40 ms, queue of 2 s",
       .make = bufferbloat,
       .round_trip = 40ms},
      {.name = "short-30",
       .about = "300 kB; 50 Mbit/s, 20 ms, 30 % loss both ways",
       .make = short_30,
       .round_trip = 20ms,
       .size = 300'000},
      {.name = "short-10",
       .about = "300 kB; 50 Mbit/s, 20 ms, 10 % loss both ways",
       .make = short_10,
       .round_trip = 20ms,
       .size = 300'000},
      {.name = "outage",
       .about = "50 Mbit/s, 40 ms, nothing passes from 3 s to 8 s",
       .make = outage,
       .round_trip = 40ms,
       .time = 30s,
       .outage_end = 8s,
       .short_time = 16s},
      {.name = "outage-touched",
       .about = "the same; the receiver's next packet is the first to pass",
       .make = outage,
       .round_trip = 40ms,
       .time = 30s,
       .outage_end = 8s,
       .touched = true,
       .short_time = 16s},
      {.name = "shared",
       .about = "50 Mbit/s, 40 ms, 1 BDP queue",
       .make = shared,
       .round_trip = 40ms},
      {.name = "lan",
       .about = "1 Gbit/s, 1 ms",
       .make = lan,
       .round_trip = 1ms,
       .time = 5s,
       .from = 1s,
       .short_time = 1s},
      {.name = "lte",
       .about = "1 to 50 Mbit/s by a trace, 60 ms, 1 MiB queue",
       .make = lte,
       .round_trip = 60ms},
      {.name = "datacenter",
       .about = "1 Gbit/s, 0.5 ms, CE above 30 kB of queue",
       .make = datacenter,
       .round_trip = 500us,
       .time = 5s,
       .from = 1s,
       .short_time = 1s},
      {.name = "policer",
       .about = "policed to 20 Mbit/s with a bucket of 100 kB, 40 ms",
       .make = policer,
       .round_trip = 40ms,
       .time = 30s},
      {.name = "bursts",
       .about = "20 Mbit/s, 40 ms, 2 % lost in bursts of 4",
       .make = bursts,
       .round_trip = 40ms},
      {.name = "bursts-25",
       .about = "20 Mbit/s, 40 ms, 25 % lost in bursts of 4, which only packets end",
       .make = bursts_25,
       .round_trip = 40ms},
      {.name = "fades-25",
       .about = "20 Mbit/s, 40 ms, 25 % lost in fades of 2.4 ms",
       .make = fades_25,
       .round_trip = 40ms},
      {.name = "duplicates",
       .about = "50 Mbit/s, 40 ms, 5 % twice, both ways",
       .make = duplicates,
       .round_trip = 40ms,
       .time = 30s},
      {.name = "corruption",
       .about = "50 Mbit/s, 40 ms, 0.2 % corrupted, both ways",
       .make = corruption,
       .round_trip = 40ms,
       .time = 30s,
       .fits_meter = false},
      {.name = "asymmetric",
       .about = "100 Mbit/s, back 1 Mbit/s, 40 ms",
       .make = asymmetric,
       .round_trip = 40ms,
       .time = 30s},
      {.name = "long-outage",
       .about = "10 Mbit/s, 40 ms, nothing passes for 5 minutes",
       .make = long_outage,
       .round_trip = 40ms,
       .time = 420s,
       .from = 303s,
       .outage_end = 302s,
       .short_time = 420s},
      {.name = "mtu-shrinks",
       .about = "50 Mbit/s, 40 ms, from 3 s on only 1,300 bytes pass",
       .make = mtu_shrinks,
       .round_trip = 40ms,
       .time = 30s,
       .short_time = 8s},
      {.name = "ack-loss",
       .about = "50 Mbit/s, 40 ms, 30 % of ACKs lost",
       .make = ack_loss,
       .round_trip = 40ms,
       .time = 30s},
      {.name = "codel", .about = "20 Mbit/s, 40 ms, CoDel", .make = codel, .round_trip = 40ms},
      {.name = "two-bottlenecks",
       .about = "40 Mbit/s with 60 kB of queue, then 30 Mbit/s; 40 ms",
       .make = two_bottlenecks,
       .round_trip = 40ms,
       .time = 30s},
  };
  return links;
}

}  // namespace

std::span<const ZooLink> zoo() { return all(); }

const ZooLink* find_link(std::string_view name) {
  const auto at = std::ranges::find(zoo(), name, &ZooLink::name);
  return at == zoo().end() ? nullptr : &*at;
}

}  // namespace qpeer::links
