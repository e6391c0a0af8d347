// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/bootstrap_plan.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>
#include <utility>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

/// How far behind its schedule a plan may be and make up for it: timers are seldom on time.
constexpr Duration kCatchUp = 10ms;

std::string in_words(Duration duration) {
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (whole % 1000 != 0) return std::to_string(whole) + " ms";
  return std::to_string(whole / 1000) + " s";
}

}  // namespace

BootstrapPlan::BootstrapPlan(std::vector<Candidate> candidates, BootstrapConfig config)
    : config_(config), gap_(config.first_stagger) {
  config_.max_in_flight = std::max<std::size_t>(config_.max_in_flight, 1);
  std::unordered_set<SocketAddress> seen;
  for (Candidate& candidate : candidates) {
    if (candidates_.size() == kMaxCandidates) break;
    if (seen.insert(candidate.address).second) candidates_.push_back(std::move(candidate));
  }
  attempts_.resize(candidates_.size());
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (is_dialable(candidates_[i].address)) continue;
    attempts_[i] = {.state = State::failed, .why = "it is no address that can be dialled"};
  }
  skip_settled();
}

void BootstrapPlan::start(Instant now) {
  deadline_ = now + config_.total_timeout;
  next_launch_ = now;
}

std::optional<std::size_t> BootstrapPlan::next(Instant now) {
  if (winner_ || now < next_launch_ || now >= deadline_) return std::nullopt;
  if (next_ == attempts_.size() || in_flight_ >= config_.max_in_flight) return std::nullopt;
  const std::size_t index = next_;
  attempts_[index].state = State::silent;
  attempts_[index].since = now;
  ++in_flight_;
  next_launch_ = std::max(next_launch_, now - kCatchUp) + gap_;
  gap_ = next_gap(gap_);
  skip_settled();
  return index;
}

std::optional<std::size_t> BootstrapPlan::give_up(Instant now) {
  if (now >= deadline_ && !winner_) end_waiting();
  if (in_flight_ == 0) return std::nullopt;
  if (winner_) return end(oldest_, State::abandoned, {});
  if (now >= deadline_) {
    return end(oldest_, State::failed, "the time for all was up before it took us in");
  }
  if (now - attempts_[oldest_].since >= config_.attempt_timeout) {
    return end(oldest_, State::failed,
               "it did not take us in within " + in_words(config_.attempt_timeout));
  }
  if (now >= silent_until() && lacks_slots(now)) {
    return end(oldest_silent_, State::failed,
               "it was silent for " + in_words(config_.patience) + " while others waited");
  }
  return std::nullopt;
}

void BootstrapPlan::on_answer(std::size_t index) {
  if (index >= attempts_.size() || attempts_[index].state != State::silent) return;
  attempts_[index].state = State::answered;
  skip_settled();
}

void BootstrapPlan::on_failed(Instant now, std::size_t index, std::string why) {
  if (!in_flight(index)) return;
  end(index, State::failed, std::move(why));
  if (next_launch_ != kNever) next_launch_ = std::min(next_launch_, now);
}

bool BootstrapPlan::on_won(std::size_t index) {
  if (winner_ || !in_flight(index)) return false;
  winner_ = end(index, State::won, {});
  return true;
}

// When the oldest silent attempt may be given up for room.
Instant BootstrapPlan::silent_until() const {
  return oldest_silent_ < next_ ? attempts_[oldest_silent_].since + config_.patience : kNever;
}

// Whether fewer slots are free than attempts are due by now: after a late timer it may be several.
bool BootstrapPlan::lacks_slots(Instant now) const {
  std::size_t left = attempts_.size() - next_;
  std::size_t free = config_.max_in_flight - in_flight_;
  Instant due = std::max(next_launch_, now - kCatchUp);
  for (Duration gap = gap_; left > 0 && free > 0 && due <= now; --left, --free) {
    due += gap;
    gap = next_gap(gap);
  }
  return left > 0 && free == 0 && due <= now;
}

Duration BootstrapPlan::next_gap(Duration gap) const {
  return std::max(gap * 3 / 4, config_.least_stagger);
}

Instant BootstrapPlan::next_deadline() const {
  if (winner_) return in_flight_ == 0 ? kNever : Instant::min();
  if (exhausted() || deadline_ == kNever) return kNever;
  Instant out = deadline_;
  if (next_ < attempts_.size()) {
    const bool has_slot = in_flight_ < config_.max_in_flight;
    out = std::min(out, has_slot ? next_launch_ : std::max(next_launch_, silent_until()));
  }
  if (in_flight_ > 0) out = std::min(out, attempts_[oldest_].since + config_.attempt_timeout);
  return out;
}

std::vector<FailedCandidate> BootstrapPlan::failures() const {
  std::vector<FailedCandidate> out;
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (attempts_[i].state != State::failed) continue;
    out.push_back({.candidate = candidates_[i], .why = attempts_[i].why});
  }
  return out;
}

bool BootstrapPlan::in_flight(std::size_t index) const {
  if (index >= attempts_.size()) return false;
  const State state = attempts_[index].state;
  return state == State::silent || state == State::answered;
}

std::size_t BootstrapPlan::end(std::size_t index, State state, std::string why) {
  attempts_[index].state = state;
  attempts_[index].why = std::move(why);
  --in_flight_;
  skip_settled();
  return index;
}

void BootstrapPlan::end_waiting() {
  for (; next_ < attempts_.size(); ++next_) {
    Attempt& attempt = attempts_[next_];
    if (attempt.state != State::waiting) continue;
    attempt = {.state = State::failed, .why = "the time for all was up before its turn"};
  }
}

// Attempts begin in the order of the candidates, so each cursor only ever moves forward.
void BootstrapPlan::skip_settled() {
  while (next_ < attempts_.size() && attempts_[next_].state != State::waiting) ++next_;
  while (oldest_ < next_ && !in_flight(oldest_)) ++oldest_;
  while (oldest_silent_ < next_ && attempts_[oldest_silent_].state != State::silent) {
    ++oldest_silent_;
  }
}

}  // namespace qpeer::p2p
