// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How a coroutine waits: an Operation is the awaiter in its frame, a link in a list, and an attempt
// that is made before it waits and again when it may succeed. So no wake-up is lost, none is
// wrong, and waiting allocates nothing.
//
//   attempt fails --> linked to the WaitList of what it waits for
//   that changes  --> ReadyList::schedule moves it to the list of those that may go on
//   drain()       --> attempt again: done, the coroutine resumes; else back to its WaitList
//
// Destroying the operation, which is what cancelling the task does, unlinks it from either list.
#pragma once

#include <coroutine>

#include "qpeer/transport/async/task.hpp"

namespace qpeer::async {

/// A link of a doubly linked ring, alone at first. Leaves its ring when destroyed.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  [[nodiscard]] bool alone() const { return next_ == this; }
  [[nodiscard]] Link& next() const { return *next_; }
  void unlink() {
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = this;
  }
  /// Enters the ring of `other`, right before it: at the end, when `other` heads the ring.
  void enter_before(Link& other) {
    unlink();
    next_ = &other;
    previous_ = other.previous_;
    previous_->next_ = this;
    other.previous_ = this;
  }

 private:
  Link* next_ = this;
  Link* previous_ = this;
};

class Operation;

/// The operations that wait for one thing, first come, first served.
class WaitList {
 public:
  [[nodiscard]] bool empty() const { return ring_.alone(); }

 private:
  friend Operation;
  friend class ReadyList;
  Link ring_;
};

/// The operations that may go on.
class ReadyList {
 public:
  [[nodiscard]] bool empty() const { return ring_.alone(); }
  /// All that wait there may go on, in their order.
  void schedule(WaitList& waiting) {
    while (!waiting.empty()) waiting.ring_.next().enter_before(ring_);
  }
  /// Lets each attempt once more what it wants, and resumes those that got it. What they make
  /// ready goes on too. Reentrant: a coroutine that resumes here may cancel any other.
  inline void drain();

 private:
  Link ring_;
};

/// An awaitable that may have to wait. Awaited where it is made: it neither copies nor moves.
class Operation : private Link {
 public:
  bool await_ready() { return waiting_.empty() && attempt(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    enter_before(waiting_.ring_);
  }

 protected:
  explicit Operation(WaitList& waiting) : waiting_(waiting) {}
  ~Operation() = default;

  /// Whether it is done, for good or ill; the result is then in place.
  virtual bool attempt() = 0;

 private:
  friend ReadyList;
  WaitList& waiting_;
  std::coroutine_handle<> waiter_;
};

void ReadyList::drain() {
  // What goes back to its WaitList and is scheduled again meanwhile has its turn at the end.
  while (!empty()) {
    auto& operation = static_cast<Operation&>(ring_.next());
    operation.unlink();
    if (operation.attempt()) {
      Trampoline::resume(operation.waiter_);
    } else {
      operation.enter_before(operation.waiting_.ring_);
    }
  }
}

}  // namespace qpeer::async
