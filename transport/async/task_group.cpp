// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/task_group.hpp"

#include <memory>
#include <utility>

#include "qpeer/transport/io/finally.hpp"

namespace qpeer::async {

namespace detail {

using RootPromise = RootTask::promise_type;

RootPromise::promise_type(Task<void>& /*task*/, TaskGroup* owner) : group(owner) {
  if (group == nullptr) return;
  ++group->size_;
  enter_before(group->tasks_);
}

RootPromise::~promise_type() {
  if (group == nullptr) return;  // Also when what the task owned was the end of the group.
  --group->size_;
  if (left != nullptr) *left = group;
}

void RootPromise::destroy() {
  TaskGroup* owner = nullptr;
  left = &owner;
  std::coroutine_handle<promise_type>::from_promise(*this).destroy();
  if (owner != nullptr) owner->on_ended();
}

void RootPromise::Final::await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
  ended.promise().destroy();
}

// The task's own frame, with its parameters, goes before the group is told.
RootTask make_root(Task<void> task, TaskGroup* /*group*/) {
  Task<void> running = std::move(task);
  co_await std::move(running);
}

}  // namespace detail

void TaskGroup::spawn(Task<void> task) {
  if (task) Trampoline::resume(detail::make_root(std::move(task), this).coroutine);
}

void TaskGroup::release_all() {
  if (gone_ != nullptr) *gone_ = true;
  for (ListNode* ring : {&tasks_, &cancelled_}) {
    while (!ring->alone()) {
      auto& task = static_cast<detail::RootPromise&>(ring->next());
      task.group = nullptr;
      task.unlink();
      if (ring == &tasks_) task.cancel();
    }
  }
}

// A task that is destroyed may destroy the group with it.
void TaskGroup::cancel() {
  if (tasks_.alone()) return;
  const auto is_gone = std::make_unique<bool>(false);  // Not on the stack: g++ 14 warns of that.
  const bool& gone = *is_gone;
  bool* const outer = std::exchange(gone_, is_gone.get());
  const io::Finally finally([&] {  // One that joined may throw.
    if (!gone) {
      gone_ = outer;
    } else if (outer != nullptr) {
      *outer = true;
    }
  });
  while (!gone && !tasks_.alone()) {
    auto& task = static_cast<detail::RootPromise&>(tasks_.next());
    task.enter_before(cancelled_);
    task.cancel();
  }
}

void TaskGroup::on_ended() {
  if (size_ == 0 && !joining_.empty()) Trampoline::schedule(joining_);
}

void spawn(io::EventLoop& loop, Task<void> task) {
  loop.post([task = std::move(task)]() mutable {
    if (task) Trampoline::resume(detail::make_root(std::move(task), nullptr).coroutine);
  });
}

}  // namespace qpeer::async
