// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/task_group.hpp"

namespace qpeer::async {

namespace detail {

using RootPromise = RootTask::promise_type;

RootPromise::promise_type(Task<void>& /*task*/, TaskGroup* owner) : group(owner) {
  if (group == nullptr) return;
  ++group->size_;
  enter_before(group->tasks_);
}

RootPromise::~promise_type() {
  if (group != nullptr) --group->size_;
}

void RootPromise::Final::await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
  TaskGroup* const group = ended.promise().group;
  ended.destroy();
  if (group != nullptr) group->on_ended();
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

void TaskGroup::cancel() {
  destroy_tasks();
  on_ended();
}

void TaskGroup::destroy_tasks() {
  using Promise = detail::RootTask::promise_type;
  while (!tasks_.alone()) {
    auto& promise = static_cast<Promise&>(tasks_.next());
    std::coroutine_handle<Promise>::from_promise(promise).destroy();
  }
}

void TaskGroup::on_ended() {
  if (size_ != 0 || joining_.empty()) return;
  ReadyList ready;
  ready.schedule(joining_);
  ready.drain();
}

void spawn(io::EventLoop& loop, Task<void> task) {
  loop.post([task = std::move(task)]() mutable {
    if (task) Trampoline::resume(detail::make_root(std::move(task), nullptr).coroutine);
  });
}

}  // namespace qpeer::async
