// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tasks that run beside the one that started them: TaskGroup owns them, spawn() lets one go, run()
// drives the loop until one is done.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

class TaskGroup;

namespace detail {

/// The coroutine around a task that nobody awaits: it frees itself, and leaves its group.
struct RootTask {
  struct promise_type : Link {
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
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }

    TaskGroup* group;
  };
  std::coroutine_handle<promise_type> coroutine;
};

RootTask make_root(Task<void> task, TaskGroup* group);

}  // namespace detail

/// Tasks that live no longer than the group. Destroying it cancels those that still wait, so it
/// belongs after what they use. Not from within one of them.
///
///   TaskGroup group;
///   while (auto connection = co_await endpoint.accept()) group.spawn(serve(std::move(*connection)));
///   co_await group.join();
class TaskGroup {
 public:
  TaskGroup() = default;
  ~TaskGroup() { destroy_tasks(); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task`, which runs until it first waits before this returns. When it ends, its frame
  /// is freed at once.
  void spawn(Task<void> task);
  /// Tasks that have not ended.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Destroys all tasks, the oldest first. Whoever waits in join() goes on before this returns.
  void cancel();

  /// Awaitable: waits until no task is left.
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
  void destroy_tasks();
  void on_ended();

  Link tasks_;
  std::size_t size_ = 0;
  WaitList joining_;
};

/// Lets `task` run by itself: it starts in the loop's next turn. Who wants to be able to cancel it
/// uses a TaskGroup; one that still waits when the loop is destroyed is never freed.
void spawn(io::EventLoop& loop, Task<void> task);

namespace detail {

template <class T>
struct RunResult {
  std::optional<T> value;
  static Task<void> into(RunResult& out, Task<T> task) {
    T value = co_await std::move(task);
    out.value.emplace(std::move(value));
  }
};

}  // namespace detail

/// Drives the loop until `task` is done and gives its value. Does not heed EventLoop::stop(). Turns
/// the loop once more at the end, so that what the task left behind can be put away.
template <class T>
T run(io::EventLoop& loop, Task<T> task) {
  TaskGroup group;
  if constexpr (std::is_void_v<T>) {
    group.spawn(std::move(task));
    while (group.size() != 0) loop.run_once(1h);
    loop.run_once({});
  } else {
    detail::RunResult<T> result;
    group.spawn(detail::RunResult<T>::into(result, std::move(task)));
    while (group.size() != 0) loop.run_once(1h);
    loop.run_once({});
    return std::move(*result.value);
  }
}

}  // namespace qpeer::async
