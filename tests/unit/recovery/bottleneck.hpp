// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A sender with a controller, and a bottleneck before it: packets leave at the pacing rate within the
// window, wait in a queue, and are acknowledged one by one after the round trip.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/recovery/delivery_rate.hpp"

namespace qpeer::transport {

struct Bottleneck {
  static constexpr std::uint64_t kPacket = 1200;

  explicit Bottleneck(CongestionController& controller) : controller(controller) {}

  /// Runs for so long; `each` is called after each ACK.
  void run(Duration time, const std::function<void()>& each = {}) {
    const Instant end = now + time;
    for (;;) {
      const bool fits = sending && flight + kPacket <= controller.window();
      const bool may_send = fits && flight + kPacket <= credit;
      if (fits && !may_send) rate.mark_application_limited(flight);
      const Instant send_at = may_send ? std::max(now, next_send) : kNever;
      const Instant arrival = queue.empty() ? kNever : queue.front().arrival;
      if (std::min(send_at, arrival) > end) break;
      if (arrival <= send_at) {
        now = arrival;
        acknowledge();
        if (each) each();
      } else {
        now = send_at;
        send();
      }
    }
    now = end;
  }

  void send() {
    if (flight == 0 && rate.is_application_limited()) controller.on_restart_from_idle(now);
    flight += kPacket;
    const DeliverySnapshot snapshot = rate.on_packet_sent(now, kPacket, flight);
    controller.on_packet_sent(now, kPacket, flight);
    next_send =
        now + Duration{static_cast<Duration::rep>(static_cast<double>(kPacket) * 1e9 /
                                                  static_cast<double>(*controller.pacing_rate()))};
    ++sent;
    const Duration service{static_cast<Duration::rep>(kPacket * 1'000'000'000 / bytes_per_second)};
    const bool dropped = busy_until > now + buffer || (lose_each != 0 && sent % lose_each == 0);
    if (!dropped) busy_until = std::max(busy_until, now) + service;
    const bool marked = mark_each != 0 && sent % mark_each == 0;
    queue.push_back(
        {now, std::max(busy_until, now + service) + round_trip, snapshot, dropped, marked});
  }

  void acknowledge() {
    const Packet packet = queue.front();
    queue.pop_front();
    flight -= kPacket;
    if (packet.dropped) {  // Known as lost when it would have been acknowledged.
      controller.on_packet_lost(rate.on_packet_lost(now, kPacket, packet.snapshot));
      controller.on_loss(
          {.now = now, .lost_bytes = kPacket, .largest_lost_sent_at = packet.sent_at});
      ++lost;
      return;
    }
    if (packet.marked) rate.on_marked(kPacket);
    rate.on_packet_acked(now, packet.sent_at, kPacket, packet.snapshot);
    min_rtt = std::min(min_rtt, now - packet.sent_at);
    delivered += kPacket;
    controller.on_ack({.now = now,
                       .acked_bytes = kPacket,
                       .largest_acked_sent_at = packet.sent_at,
                       .bytes_in_flight = flight + kPacket,
                       .smoothed_rtt = now - packet.sent_at,
                       .min_rtt = min_rtt,
                       .rate = &rate.take_sample(now, min_rtt, flight)});
  }
  /// The application has no more to send, until `sending` is true again.
  void pause() {
    sending = false;
    rate.mark_application_limited(flight);
  }

  struct Packet {
    Instant sent_at;
    Instant arrival;  ///< Of its ACK.
    DeliverySnapshot snapshot;
    bool dropped = false;
    bool marked = false;
  };

  CongestionController& controller;
  DeliveryRate rate;
  std::uint64_t bytes_per_second = 1'250'000;  ///< 10 Mbit/s.
  Duration round_trip = 40ms;
  std::uint64_t credit = ~std::uint64_t{0};  ///< What the receiver allows to be in flight.
  Duration buffer = 1s;                      ///< The queue, as time.
  std::uint64_t lose_each = 0;
  std::uint64_t mark_each = 0;
  bool sending = true;
  Instant now{1s};
  Instant next_send{};
  Instant busy_until{};
  Duration min_rtt = Duration::max();
  std::uint64_t flight = 0;
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::uint64_t delivered = 0;
  std::deque<Packet> queue;
};

}  // namespace qpeer::transport
