// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/timer_queue.hpp"

#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/io/finally.hpp"

namespace qpeer::io {

// --- Timer ---

Timer::Timer(EventLoop& loop, Callback callback)
    : node_(new Node{.queue = loop.timers_.get(), .callback = std::move(callback)}) {}

void Timer::Free::operator()(Node* node) const { node->queue->free(node); }

void Timer::set(Instant deadline) { node_->queue->arm(*node_, deadline); }

Instant Timer::deadline() const { return node_->deadline; }

// --- TimerQueue ---

void TimerQueue::free(Timer::Node* node) {
  disarm(*node);
  if (firing_ == node) {
    node->orphaned = true;  // Deleted when the callback has returned.
  } else {
    delete node;
  }
}

void TimerQueue::fire(Instant now) {
  std::size_t next = 0;
  const Finally finally([&] {
    for (; next < due_.size(); ++next) {
      if (Timer::Node* const node = due_[next]) {
        node->place = Timer::Node::Place::nowhere;
        arm(*node, Instant::min());
      }
    }
    due_.clear();
  });
  while (!heap_.empty() && heap_.front()->deadline <= now) {
    Timer::Node* const node = heap_.front();
    disarm(*node);
    node->place = Timer::Node::Place::due;
    node->index = due_.size();
    due_.push_back(node);
  }
  while (next < due_.size()) {
    Timer::Node* const node = due_[next++];
    if (node != nullptr) fire(*node, now);
  }
  // A long heap is checked now and then.
  QPEER_ASSERT((heap_.size() > 64 && next_order_ % 64 != 0) || consistent());
}

bool TimerQueue::consistent() const {
  for (std::size_t index = 0; index < heap_.size(); ++index) {
    const Timer::Node& node = *heap_[index];
    if (node.queue != this || node.index != index || node.place != Timer::Node::Place::heap) {
      return false;
    }
    if (node.deadline == kNever) return false;
    if (index != 0 && node.before(*heap_[(index - 1) / 2])) return false;
  }
  return true;
}

void TimerQueue::fire(Timer::Node& node, Instant now) {
  node.place = Timer::Node::Place::nowhere;
  firing_ = &node;
  const Finally finally([&] {
    firing_ = nullptr;
    if (node.orphaned) delete &node;
  });
  node.callback(now);
}

void TimerQueue::arm(Timer::Node& node, Instant deadline) {
  using Place = Timer::Node::Place;
  if (node.place == Place::heap && node.deadline == deadline) return;
  disarm(node);
  if (deadline == kNever) return;
  node.deadline = deadline;
  node.order = next_order_++;
  node.place = Place::heap;
  heap_.push_back(nullptr);
  place(heap_.size() - 1, &node);
  sift_up(node.index);
}

void TimerQueue::disarm(Timer::Node& node) {
  using Place = Timer::Node::Place;
  if (node.place == Place::due) due_[node.index] = nullptr;
  if (node.place == Place::heap) {
    const std::size_t hole = node.index;
    Timer::Node* const last = heap_.back();
    heap_.pop_back();
    if (last != &node) {
      place(hole, last);
      sift_up(hole);
      sift_down(last->index);
    }
  }
  node.place = Place::nowhere;
  node.deadline = kNever;
}

void TimerQueue::place(std::size_t index, Timer::Node* node) {
  heap_[index] = node;
  node->index = index;
}

void TimerQueue::sift_up(std::size_t index) {
  Timer::Node* const node = heap_[index];
  while (index > 0 && node->before(*heap_[(index - 1) / 2])) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  place(index, node);
}

void TimerQueue::sift_down(std::size_t index) {
  Timer::Node* const node = heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->before(*heap_[child])) ++child;
    if (!heap_[child]->before(*node)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, node);
}

}  // namespace qpeer::io
