// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tasks that run beside the one that started them: TaskGroup owns tasks, spawn() starts one that nobody
// owns, run() drives the loop until one is done.
//
// Nobody awaits such a task. An exception that leaves it reaches the loop: it leaves EventLoop::run(),
// or run() here, when no task runs any more. (Thrown before the task first waits, and spawned outside of all
// tasks, it leaves spawn().)
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "qpeer/transport/async/outcome.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

class TaskGroup;

namespace detail {

/// The coroutine around a task that nobody awaits: it frees itself, and leaves its group.
struct RootTask {
  struct promise_type final : ListNode, TaskRoot {
    promise_type(Task<void>& task, TaskGroup* owner);
    ~promise_type();
    promise_type(const promise_type&) = delete;
    promise_type& operator=(const promise_type&) = delete;

    RootTask get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    struct Final {
      static constexpr bool await_ready() noexcept { return false; }
      static void await_suspend(std::coroutine_handle<promise_type> ended) noexcept;
      static constexpr void await_resume() noexcept {}
    };
    static constexpr std::suspend_always initial_suspend() noexcept { return {}; }
    static constexpr Final final_suspend() noexcept { return {}; }
    static constexpr void return_void() noexcept {}
    static void unhandled_exception() noexcept { Trampoline::keep(std::current_exception()); }
    void destroy() override;

    TaskGroup* group;
    TaskGroup** left = nullptr;  ///< Where the destructor says which group it left.
    TaskRoot* task_root = this;
  };
  std::coroutine_handle<promise_type> coroutine;
};

RootTask make_root(Task<void> task, TaskGroup* group);

}  // namespace detail

/// Tasks that live no longer than the group. Destroying it cancels those that still wait, so it
/// belongs after what they use. Of the loop's thread.
///
/// A task that cancels or destroys its own group runs on until it next waits, and ends there.
///
///   TaskGroup group;
///   while (auto connection = co_await endpoint.accept()) group.spawn(serve(std::move(*connection)));
///   co_await group.join();
class TaskGroup {
 public:
  TaskGroup() = default;
  ~TaskGroup() {
    if (size_ != 0 || gone_ != nullptr) release_all();
  }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task`, which runs until it first waits before this returns. When it ends, its frame
  /// is freed at once.
  void spawn(Task<void> task);
  /// Tasks that have not ended.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Destroys all tasks, the oldest first, before it returns; but for the one that calls it, which
  /// ends when it next waits, and counts until then.
  void cancel();

  /// co_await: waits until no task is left, and goes on when no task runs.
  [[nodiscard]] auto join() {
    struct Join final : Operation {
      explicit Join(TaskGroup& owner) : Operation(owner.joining_), group(owner) {}
      bool attempt() override { return group.size_ == 0; }
      void await_resume() const {}
      TaskGroup& group;
    };
    return Join{*this};
  }

 private:
  friend detail::RootTask;
  void on_ended();
  void release_all();  ///< Destroys those that wait, and leaves those that run.

  ListNode tasks_;
  ListNode cancelled_;  // Those that run, and the one that is being destroyed.
  std::size_t size_ = 0;
  bool* gone_ = nullptr;  // While cancel() is on the stack: set there by the destructor.
  WaitList joining_;
};

/// Starts `task` in the loop's next turn; nobody owns it. To be able to cancel a task, use a TaskGroup. A
/// task that still waits when the loop is destroyed is never freed. Any thread, when the task was not
/// awaited before.
void spawn(io::EventLoop& loop, Task<void> task);

namespace detail {

template <class T>
Task<void> run_into(Outcome<T>& out, Task<T> task) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      out.value.emplace();
    } else {
      T value = co_await std::move(task);
      out.value.emplace(std::move(value));
    }
  } catch (...) {
    out.error = std::current_exception();
  }
}

}  // namespace detail

/// Drives the loop until `task` is done, and gives its value or throws what left it; throws also what
/// leaves a spawned task or a callback of the loop, and `task` is cancelled then. Does not heed
/// EventLoop::stop(). Turns the loop once more at the end, so that what the task has posted or scheduled
/// is done. In the loop's thread, not from within its turn.
template <class T>
T run(io::EventLoop& loop, Task<T> task) {
  detail::Outcome<T> outcome;
  TaskGroup group;
  group.spawn(detail::run_into(outcome, std::move(task)));
  while (group.size() != 0) loop.run_once(1h);
  loop.poll();
  return outcome.take();
}

}  // namespace qpeer::async
