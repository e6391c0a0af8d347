// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/interop/relay/line.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::relay {

bool Line::is_lost(Instant now) {
  if (std::ranges::find(config_.lost, stats_.datagrams) != config_.lost.end()) return true;
  if (config_.off > Duration{} && (now - *begin_) % (config_.on + config_.off) >= config_.on) {
    return true;
  }
  const bool may = config_.burst == 0 || losses_in_a_row_ < config_.burst;
  const bool lost = chance(config_.loss) && may;
  losses_in_a_row_ = lost ? losses_in_a_row_ + 1 : 0;
  return lost;
}

bool Line::enqueue(Instant now, Bytes datagram, Ecn ecn) {
  const auto waiting = std::ranges::count_if(
      travelling_, [&](const Traveller& traveller) { return traveller.departure > now; });
  if (config_.rate != 0 && static_cast<std::size_t>(waiting) > config_.queue) {
    ++stats_.overflowed;
    return false;
  }
  const auto takes =
      config_.rate == 0 ? Duration{} : Duration(datagram.size() * 8 * 1'000'000'000 / config_.rate);
  bottleneck_->free_at = std::max(now, bottleneck_->free_at) + takes;
  Traveller traveller{.departure = bottleneck_->free_at,
                      .arrival = bottleneck_->free_at + config_.delay,
                      .parcel = {.bytes{datagram.begin(), datagram.end()}, .ecn = ecn}};
  const bool may = config_.burst == 0 || corruptions_in_a_row_ < config_.burst;
  const bool corrupted = chance(config_.corruption) && may && !datagram.empty();
  corruptions_in_a_row_ = corrupted ? corruptions_in_a_row_ + 1 : 0;
  if (corrupted) {
    ++stats_.corrupted;
    const std::size_t at =
        std::uniform_int_distribution<std::size_t>(0, datagram.size() - 1)(random_);
    traveller.parcel.bytes[at] ^=
        static_cast<u8>(std::uniform_int_distribution<unsigned>(1, 255)(random_));
  }
  travelling_.push_back(std::move(traveller));
  return true;
}

bool Line::push(Instant now, Bytes datagram, Ecn ecn) {
  if (!begin_) begin_ = now;
  ++stats_.datagrams;
  stats_.bytes += datagram.size();
  if (datagram.size() > config_.mtu) {
    ++stats_.oversized;
    return false;
  }
  if (is_lost(now)) {
    ++stats_.lost;
    return false;
  }
  const bool fits = enqueue(now, datagram, ecn);
  if (chance(config_.duplication)) {
    ++stats_.duplicated;
    enqueue(now, datagram, ecn);
  }
  return fits;
}

std::optional<Parcel> Line::pop(Instant now) {
  if (next_deadline() > now) return std::nullopt;
  Parcel parcel = std::move(travelling_.front().parcel);
  travelling_.pop_front();
  return parcel;
}

}  // namespace qpeer::relay
