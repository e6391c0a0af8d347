// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/handover_queue.hpp"

#include <utility>

#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {

HandoverQueue::HandoverQueue() {
  for (Batch* const batch : {&filling_, &emptying_}) {
    batch->items.reserve(kMaxDatagrams);
    batch->bytes = std::make_unique_for_overwrite<u8[]>(kMaxBytes);
  }
}

void HandoverQueue::Batch::clear() {
  items.clear();
  used = 0;
}

void HandoverQueue::attach(EventLoop& loop, Receiver receiver) {
  receiver_ = std::move(receiver);
  const std::scoped_lock lock(mutex_);
  loop_ = &loop;
}

void HandoverQueue::detach() {
  {
    const std::scoped_lock lock(mutex_);
    loop_ = nullptr;
    filling_.clear();
  }
  receiver_ = nullptr;
}

bool HandoverQueue::add(const ReceivedDatagram& datagram) {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr || filling_.items.size() == kMaxDatagrams ||
      datagram.payload.size() > kMaxBytes - filling_.used) {
    return false;
  }
  copy(datagram.payload, {filling_.bytes.get() + filling_.used, datagram.payload.size()});
  filling_.items.push_back({.path = datagram.path,
                            .ecn = datagram.ecn,
                            .offset = filling_.used,
                            .size = datagram.payload.size()});
  filling_.used += datagram.payload.size();
  // Under the lock, so that the loop is still there: detach() comes before its end.
  if (!std::exchange(is_posted_, true)) loop_->post([this] { deliver(); });
  return true;
}

void HandoverQueue::deliver() {
  {
    const std::scoped_lock lock(mutex_);
    std::swap(filling_, emptying_);
    is_posted_ = false;
  }
  const Instant now = io::now();
  for (const Item& item : emptying_.items) {
    if (!receiver_) break;  // It was detached before this call came.
    receiver_(now, {.path = item.path,
                    .ecn = item.ecn,
                    .payload = {emptying_.bytes.get() + item.offset, item.size}});
  }
  emptying_.clear();
}

}  // namespace qpeer::io
