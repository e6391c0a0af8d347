// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/send_buffer.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

void SendBuffer::append(Bytes data) {
  store_.copy_in(end_, data);
  end_ += data.size();
}

void SendBuffer::on_sent(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  // What was never written cannot be sent: the peer would wait for bytes that do not exist.
  QPEER_INVARIANT(offset >= front_ && offset <= next_ && end <= end_, return);
  if (offset < next_) std::ignore = lost_.erase(offset, end);
  next_ = std::max(next_, end);
}

void SendBuffer::on_acked(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min(offset + length, next_);
  if (end <= front_) return;
  // RFC 9000 §13.3 [rfc9000-13.3-6]: an acknowledgement may come after the loss; then the bytes
  // need not go out again.
  if (!lost_.empty()) std::ignore = lost_.erase(offset, end);
  if (offset > front_) {
    std::ignore = acked_.insert(offset, end);
    return;
  }
  front_ = end;
  while (!acked_.empty() && acked_.front().begin <= front_) {
    const IntervalSet::Range range = acked_.front();
    front_ = std::max(front_, range.end);
    std::ignore = acked_.erase(range.begin, range.end);
  }
  store_.release_until(front_);
  if (front_ == end_) store_.clear();
}

void SendBuffer::on_lost(std::uint64_t offset, std::uint64_t length) {
  std::uint64_t begin = std::max(offset, front_);
  const std::uint64_t end = std::min(offset + length, next_);
  if (begin >= end) return;
  if (acked_.empty()) {
    std::ignore = lost_.insert(begin, end);
    return;
  }
  for (const IntervalSet::Range& range : acked_) {
    if (range.end <= begin) continue;
    if (range.begin >= end) break;
    std::ignore = lost_.insert(begin, range.begin);
    begin = range.end;
  }
  std::ignore = lost_.insert(begin, end);
}

void SendBuffer::rewind() {
  next_ = front_;
  acked_.clear();
  lost_.clear();
}

void SendBuffer::clear() {
  front_ = end_ = next_;
  acked_.clear();
  lost_.clear();
  store_.release_until(front_);
  store_.clear();
}

bool SendBuffer::consistent() const {
  const auto within = [this](const IntervalSet& set) {
    return set.consistent() &&
           (set.empty() || (set.front().begin >= front_ && set.back().end <= next_));
  };
  if (front_ > next_ || next_ > end_ || !within(acked_) || !within(lost_)) return false;
  if (!acked_.empty() && acked_.front().begin == front_) return false;
  // Both ascend, so one walk shows whether they overlap.
  const auto* lost = lost_.begin();
  for (const IntervalSet::Range& acked : acked_) {
    while (lost != lost_.end() && lost->end <= acked.begin) ++lost;
    if (lost != lost_.end() && lost->begin < acked.end) return false;
  }
  return store_.consistent();
}

}  // namespace qpeer::transport
