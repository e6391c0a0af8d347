// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How a coroutine waits: an Operation is the awaiter in its frame, a node of a list, and an attempt
// that is made before it waits and again when it may succeed. So no wake-up is lost, none is
// wrong, and waiting allocates nothing.
//
//   attempt fails --> in the WaitList of what it waits for
//   that changes  --> ReadyList::schedule moves it to the list of those that may go on
//   drain()       --> attempt again: done, the coroutine resumes; else back to its WaitList
//
// Destroying the operation, which is what cancelling the task does, takes it out of either list.
//
// Coroutines hand over to each other on a Trampoline, not on the stack. Trampolines lie on the stack
// one above the other when a running task spawns or resumes another; the thread knows them all, and
// so knows which tasks run.
//
// All of this is of one thread: that of the loop whose events resume the coroutines.
#pragma once

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include "qpeer/transport/base/precondition.hpp"

namespace qpeer::async {

class Operation;
class Trampoline;

/// A node of a doubly linked ring, alone at first. Leaves its ring when destroyed. Of one thread, with
/// its ring.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  /// Whether the ring has no other node.
  [[nodiscard]] bool alone() const { return next_ == this; }
  /// The node behind this one; itself when alone.
  [[nodiscard]] ListNode& next() const { return *next_; }
  /// Leaves the ring, and is alone.
  void unlink() {
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = this;
  }
  /// Enters the ring of `other`, right before it: at the end, when `other` heads the ring.
  void enter_before(ListNode& other) {
    unlink();
    next_ = &other;
    previous_ = other.previous_;
    previous_->next_ = this;
    other.previous_ = this;
  }

 private:
  ListNode* next_ = this;
  ListNode* previous_ = this;
};

/// The operations that wait for one thing, first come, first served. Must outlive them. Of the loop's
/// thread.
class WaitList {
 public:
  /// Whether nobody waits.
  [[nodiscard]] bool empty() const { return ring_.alone(); }

 private:
  friend Operation;
  friend class ReadyList;
  ListNode ring_;
};

/// The operations that may go on. Of the loop's thread.
class ReadyList {
 public:
  /// Whether nobody may go on.
  [[nodiscard]] bool empty() const { return ring_.alone(); }
  /// All that wait there may go on, in their order.
  void schedule(WaitList& waiting) {
    while (!waiting.empty()) waiting.ring_.next().enter_before(ring_);
  }
  /// Each operation makes another attempt; the coroutines of those that succeed are resumed. What they
  /// make ready goes on too. Reentrant: a coroutine that resumes here may cancel any other. An exception
  /// that leaves a spawned task leaves drain(); the operations behind it are still ready.
  inline void drain();
  /// The same for one. False when there was none. The coroutine may destroy this list.
  inline bool resume_next();

 private:
  friend Trampoline;
  /// The next operation whose attempt succeeds; those before it go back to their WaitLists.
  inline Operation* next();
  ListNode ring_;
};

/// A task that is not awaited: the outermost coroutine of a chain of awaits. Base of its promise. Of
/// the loop's thread.
class TaskRoot {
 public:
  TaskRoot(const TaskRoot&) = delete;
  TaskRoot& operator=(const TaskRoot&) = delete;
  /// Whether one of its coroutines is on the stack.
  [[nodiscard]] inline bool is_running() const;
  /// Destroys the task: now when it waits; when it runs, as soon as it waits.
  inline void cancel();

 protected:
  TaskRoot() = default;
  inline ~TaskRoot();
  /// Destroys the coroutine, and this object with it. Nothing of it runs.
  virtual void destroy() = 0;

 private:
  friend Trampoline;
  bool cancelled_ = false;
};

/// A suspended coroutine, and the root of the task that it belongs to where that is known. What
/// await_suspend() takes: every coroutine handle converts. Of the loop's thread.
class Waiter {
 public:
  Waiter() = default;
  /// Of `coroutine`, which is suspended. Owns nothing.
  template <class Promise>
  Waiter(std::coroutine_handle<Promise> coroutine) : coroutine_(coroutine) {
    if constexpr (requires(Promise& promise) { promise.task_root; }) {
      root_ = coroutine.promise().task_root;
    }
  }
  /// Whether there is a coroutine.
  explicit operator bool() const { return static_cast<bool>(coroutine_); }
  /// nullptr where it is not known.
  [[nodiscard]] TaskRoot* root() const { return root_; }

 private:
  friend Trampoline;
  std::coroutine_handle<> coroutine_;
  TaskRoot* root_ = nullptr;
};

/// An awaitable that may have to wait. Awaited where it is made: it neither copies nor moves. Of the
/// loop's thread.
class Operation : private ListNode {
 public:
  /// Makes an attempt at once when no other operation waits there. True: it need not wait.
  bool await_ready() { return waiting_.empty() && attempt(); }
  /// `waiter` waits at the end of the list, and goes on when an attempt is done.
  void await_suspend(Waiter waiter) {
    waiter_ = waiter;
    enter_before(waiting_.ring_);
  }

 protected:
  /// `waiting` is where it waits; it must outlive the operation.
  explicit Operation(WaitList& waiting) : waiting_(waiting) {}
  ~Operation() = default;

  /// Whether the operation is done, with a value or an error; the result is then in place.
  virtual bool attempt() = 0;

 private:
  friend ReadyList;
  friend Trampoline;
  WaitList& waiting_;
  Waiter waiter_;
};

/// Runs one coroutine after another until one waits for the outside world. Each thread has its own. An
/// awaitable that is no Operation resumes its waiter by resume().
class Trampoline {
 public:
  /// Resumes `coroutine`, then what it hands over to, and so on. Returns when somebody waits. What
  /// left a spawned task as an exception leaves the outermost resume(), so it reaches the loop.
  static void resume(Waiter coroutine) {
    if (const std::exception_ptr error = run(coroutine)) std::rethrow_exception(error);
  }

  /// The last act of an await_suspend: `coroutine` goes on as soon as the caller is suspended.
  static void hand_over(Waiter coroutine) {
    if (current_ != nullptr && !current_->next_) {
      current_->next_ = coroutine;
    } else {
      resume(coroutine);  // Whoever resumed the caller did it without a trampoline.
    }
  }

  /// The same where `coroutine` may destroy others of its task. When one of them runs further out on the
  /// stack, `coroutine` goes on as soon as that one waits, and this is true; else nothing happens.
  static bool hand_over_outwards(Waiter coroutine) {
    if (current_ == nullptr || coroutine.root_ == nullptr) return false;
    Trampoline* found = nullptr;
    for (Trampoline* at = current_->outer_; at != nullptr; at = at->outer_) {
      if (at->root_ == coroutine.root_) found = at;
    }
    if (found == nullptr || found->next_) return false;
    found->next_ = coroutine;
    return true;
  }

  /// Operations that wait there go on as soon as no task runs: at once when none does.
  static void schedule(WaitList& waiting) {
    if (current_ != nullptr) return outermost().ready_.schedule(waiting);
    if (const std::exception_ptr error = run_all(waiting)) std::rethrow_exception(error);
  }

  /// An exception left a spawned task, which runs.
  static void keep(std::exception_ptr error) noexcept {
    precondition(current_ != nullptr, "a coroutine is resumed by a Trampoline");
    if (Trampoline& first = outermost(); !first.error_) first.error_ = std::move(error);
  }

 private:
  friend TaskRoot;

  explicit Trampoline(Waiter first) : next_(first), outer_(std::exchange(current_, this)) {}
  Trampoline(const Trampoline&) = delete;
  Trampoline& operator=(const Trampoline&) = delete;
  ~Trampoline() { current_ = outer_; }

  static std::exception_ptr run(Waiter coroutine) {
    Trampoline here{coroutine};
    return here.run_to_end();
  }

  static std::exception_ptr run_all(WaitList& waiting) {
    Trampoline here{Waiter{}};
    here.ready_.schedule(waiting);
    return here.run_to_end();
  }

  std::exception_ptr run_to_end() {
    while (next_ || take_ready()) step();
    return std::move(error_);
  }

  static Trampoline& outermost() {
    Trampoline* at = current_;
    while (at->outer_ != nullptr) at = at->outer_;
    return *at;
  }

  void step() {
    const Waiter now = std::exchange(next_, {});
    root_ = now.root_;
    now.coroutine_.resume();
    TaskRoot* const root = std::exchange(root_, nullptr);  // Null when the task has ended.
    if (root == nullptr || !root->cancelled_ || root->is_running()) return;
    if (next_.root_ == root) next_ = {};
    root->destroy();
  }

  bool take_ready() {
    if (ready_.empty()) return false;
    Operation* const operation = ready_.next();
    if (operation != nullptr) next_ = operation->waiter_;
    return operation != nullptr;
  }

  static inline constinit thread_local Trampoline* current_ = nullptr;
  Waiter next_;
  Trampoline* outer_;
  TaskRoot* root_ = nullptr;  // Of the coroutine that runs.
  ReadyList ready_;           // Of the outermost alone, as is error_.
  std::exception_ptr error_;
};

Operation* ReadyList::next() {
  // What goes back to its WaitList and is scheduled again meanwhile has its turn at the end.
  while (!empty()) {
    auto& operation = static_cast<Operation&>(ring_.next());
    operation.unlink();
    if (operation.attempt()) return &operation;
    operation.enter_before(operation.waiting_.ring_);
  }
  return nullptr;
}

bool ReadyList::resume_next() {
  Operation* const operation = next();
  if (operation != nullptr) Trampoline::resume(operation->waiter_);
  return operation != nullptr;
}

void ReadyList::drain() {
  while (resume_next()) {
  }
}

bool TaskRoot::is_running() const {
  for (const Trampoline* at = Trampoline::current_; at != nullptr; at = at->outer_) {
    if (at->root_ == this) return true;
  }
  return false;
}

void TaskRoot::cancel() {
  cancelled_ = true;
  if (!is_running()) destroy();
}

TaskRoot::~TaskRoot() {
  for (Trampoline* at = Trampoline::current_; at != nullptr; at = at->outer_) {
    if (at->root_ == this) at->root_ = nullptr;
  }
}

}  // namespace qpeer::async
