// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/handover_queue.hpp"

#include <utility>

#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {

HandoverQueue::HandoverQueue(std::uint64_t seed) : seed_(seed | 1) {
  for (Batch* const batch : {&filling_, &emptying_}) {
    batch->items.reserve(kMaxDatagrams);
    batch->bytes = std::make_unique_for_overwrite<u8[]>(kMaxBytes);
  }
}

void HandoverQueue::Batch::clear() {
  items.clear();
  used = {};
  by_network.fill({});
}

bool HandoverQueue::Usage::has_room(std::size_t size, std::size_t share) const {
  return datagrams < kMaxDatagrams / share && size <= kMaxBytes / share - bytes;
}

void HandoverQueue::Usage::add(std::size_t size) {
  ++datagrams;
  bytes += static_cast<std::uint32_t>(size);
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

bool HandoverQueue::add(const ReceivedDatagram& datagram, std::uint64_t network) {
  const std::size_t size = datagram.payload.size();
  const std::scoped_lock lock(mutex_);
  Usage& of_network = filling_.by_network[network * seed_ >> 56];
  if (loop_ == nullptr || !filling_.used.has_room(size, 1) ||
      !of_network.has_room(size, kNetworkShare)) {
    return false;
  }
  const std::size_t offset = filling_.used.bytes;
  copy(datagram.payload, {filling_.bytes.get() + offset, size});
  filling_.items.push_back(
      {.path = datagram.path, .ecn = datagram.ecn, .offset = offset, .size = size});
  filling_.used.add(size);
  of_network.add(size);
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
    if (!receiver_) break;  // detach() was called after this call was posted.
    receiver_(now, {.path = item.path,
                    .ecn = item.ecn,
                    .payload = {emptying_.bytes.get() + item.offset, item.size}});
  }
  emptying_.clear();
}

}  // namespace qpeer::io
