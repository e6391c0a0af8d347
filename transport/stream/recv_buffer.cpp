// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/recv_buffer.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::transport {

bool RecvBuffer::receive(std::uint64_t offset, Bytes data) {
  const std::uint64_t end = offset + data.size();
  highest_ = std::max(highest_, end);
  if (end <= contiguous_) return true;
  if (offset > contiguous_) {
    if (!beyond_.insert(offset, end)) return false;
    keep(offset, data);
    return true;
  }
  keep(contiguous_, data.subspan(static_cast<std::size_t>(contiguous_ - offset)));
  contiguous_ = end;
  while (!beyond_.empty() && beyond_.front().begin <= contiguous_) {
    const IntervalSet::Range range = beyond_.front();
    contiguous_ = std::max(contiguous_, range.end);
    std::ignore = beyond_.erase(range.begin, range.end);
  }
  if (discarding_) front_ = contiguous_;
  return true;
}

void RecvBuffer::consume(std::uint64_t size) {
  front_ = std::min(front_ + size, contiguous_);
  store_.release_until(front_);
  if (front_ == highest_) store_.clear();
}

void RecvBuffer::discard() {
  discarding_ = true;
  front_ = contiguous_;
  store_.clear();
}

bool RecvBuffer::consistent() const {
  if (front_ > contiguous_ || contiguous_ > highest_ || !beyond_.consistent()) return false;
  if (!beyond_.empty() && beyond_.front().begin <= contiguous_) return false;
  if (!beyond_.empty() && beyond_.back().end > highest_) return false;
  return store_.consistent() && (!discarding_ || store_.memory() == 0);
}

}  // namespace qpeer::transport
