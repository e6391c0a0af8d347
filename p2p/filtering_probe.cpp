// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/filtering_probe.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace qpeer::p2p {

void FilteringProbe::begin(Instant now, const PeerId& node, const SocketAddress& address) {
  node_ = node;
  address_ = address;
  deadline_ = now + kAskTime;
  told_.clear();
  arrived_.clear();
}

void FilteringProbe::on_knock_sent(Instant now, const PeerId& node, const KnockSent& message) {
  if (!is_open() || node != node_ || told_.size() >= kMaxKnocks) return;
  told_.push_back(message);
  if (told_.size() == 2 && message.status == KnockStatus::sent) deadline_ = now + kSilence;
}

bool FilteringProbe::on_knock(const SocketAddress& source, const KnockToken& token) {
  if (!is_open() || arrived_.size() >= kMaxKnocks || source == address_) return false;
  arrived_.push_back({.token = token, .is_of_node = source.same_host(address_)});
  return true;
}

bool FilteringProbe::has_arrived(const KnockToken& token, bool is_of_node) const {
  return std::ranges::any_of(arrived_, [&](const Arrived& one) {
    return one.token == token && one.is_of_node == is_of_node;
  });
}

// Unset where none was sent.
std::optional<bool> FilteringProbe::other_port() const {
  if (told_.empty() || told_.front().status != KnockStatus::sent) return std::nullopt;
  return has_arrived(told_.front().token, true);
}

std::optional<bool> FilteringProbe::strangers() const {
  std::optional<bool> out;
  for (const KnockSent& each : std::span(told_).subspan(std::min<std::size_t>(told_.size(), 1))) {
    if (each.status != KnockStatus::sent) continue;
    out = out.value_or(false) || has_arrived(each.token, false);
  }
  return out;
}

std::optional<FilteringFound> FilteringProbe::take_result(Instant now) {
  if (!is_open()) return std::nullopt;
  FilteringFound out{.by = node_, .other_port = other_port(), .strangers = strangers()};
  const bool none_follows = told_.size() >= 2 && !out.strangers;
  const bool is_sure = out.strangers == true || (none_follows && out.other_port != false);
  if (!is_sure && now < deadline_) return std::nullopt;
  deadline_ = kNever;
  return out;
}

bool FilteringProbe::consistent() const {
  return told_.size() <= kMaxKnocks && arrived_.size() <= kMaxKnocks &&
         (!address_.valid() || node_ != PeerId{}) && (!is_open() || address_.valid());
}

}  // namespace qpeer::p2p
