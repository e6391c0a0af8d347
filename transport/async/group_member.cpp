// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/group_member.hpp"

#include <utility>

#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/async/state.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/io/thread.hpp"

namespace qpeer::async::detail {
namespace {

Task<void> wait_for_limit(io::EventLoop& loop, Event& stopping, const Duration& limit) {
  co_await stopping.wait();
  co_await sleep_for(loop, limit);
}

/// What `function` throws; null for nothing.
template <class F>
std::exception_ptr caught(F&& function) {
  try {
    function();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

std::expected<GroupMember::Addresses, std::error_code> GroupMember::start(
    const AsyncEndpointOptions& options) {
  Opened opened;
  auto addresses = opened.get_future();
  auto thread = io::start_thread(
      [this, options, opened = std::move(opened)]() mutable { run(options, std::move(opened)); });
  if (!thread) return std::unexpected(thread.error());
  thread_ = std::move(*thread);
  return addresses.get();
}

GroupMember::~GroupMember() {
  if (thread_.joinable() && !has_gone_) go_.set_value({});
  join();
}

void GroupMember::go(std::move_only_function<void()> on_served, OnEnd on_end) {
  has_gone_ = true;
  go_.set_value({std::move(on_served), std::move(on_end)});
}

// The thread. What it made is gone when on_end() is called.
void GroupMember::run(const AsyncEndpointOptions& options, Opened opened) {
  std::exception_ptr error;
  Go go;
  try {
    io::EventLoop loop;
    auto endpoint = AsyncEndpoint::open(loop, options);
    if (!endpoint) return opened.set_value(std::unexpected(endpoint.error()));
    opened.set_value(endpoint->local_addresses());
    go = go_.get_future().get();
    if (!go.on_end) return;
    serve_in(loop, *endpoint, go);
  } catch (const std::system_error& failed) {
    // Of the loop, when no descriptors are left, unless `serve` threw it.
    if (!go.on_end) return opened.set_value(std::unexpected(failed.code()));
    error = std::current_exception();
  } catch (...) {
    if (!go.on_end) return opened.set_exception(std::current_exception());
    error = std::current_exception();
  }
  go.on_served();
  go.on_end(error);
}

void GroupMember::serve_in(io::EventLoop& loop, AsyncEndpoint& endpoint, Go& go) {
  if (port_) {
    EndpointState& state = *endpoint.state_;
    port_->queue(index_).attach(loop, [&state](Instant now, const ReceivedDatagram& datagram) {
      state.machine.on_handed_over(now, datagram);
      state.wake();
    });
  }
  Running running{.loop = loop, .endpoint = endpoint, .stopping = Event(loop)};
  publish(&running);
  std::exception_ptr error = caught([&] { async::run(loop, serve_until_stopped(running, go)); });
  if (port_) port_->queue(index_).detach();
  publish(nullptr);
  // Nothing is posted any more. What was posted before is still to be answered.
  for (bool more = true; more;) {
    const std::exception_ptr another = caught([&] { loop.poll(); });
    more = another != nullptr;
    if (!error) error = another;
  }
  if (error) std::rethrow_exception(error);
}

Task<void> GroupMember::serve_until_stopped(Running& running, Go& go) {
  co_await when_any(serve_(running.endpoint),
                    wait_for_limit(running.loop, running.stopping, running.limit));
  go.on_served();
  co_await running.stopping.wait();
  co_await running.endpoint.shut_down(0, {}, running.limit);
}

void GroupMember::publish(Running* running) {
  const std::scoped_lock lock(mutex_);
  if (running_ != nullptr) last_stats_ = running_->endpoint.stats();
  running_ = running;
  if (running_ != nullptr && end_) close_all(*running_, *end_);  // shut_down() was called before.
}

void GroupMember::close_all(Running& running, const GroupEnd& end) {
  running.limit = end.limit;
  const auto closing = running.endpoint.shut_down(end.error_code, end.reason, end.limit);
  running.stopping.set();
}

void GroupMember::shut_down(const GroupEnd& end) {
  const std::scoped_lock lock(mutex_);
  if (end_) return;
  end_ = end;
  if (running_ != nullptr) {
    running_->loop.post([running = running_, end] { close_all(*running, end); });
  }
}

transport::EndpointStats GroupMember::stats() {
  QPEER_ASSERT(std::this_thread::get_id() != thread_.get_id());
  std::promise<transport::EndpointStats> promise;
  auto stats = promise.get_future();
  {
    const std::scoped_lock lock(mutex_);
    if (running_ == nullptr) return last_stats_;
    running_->loop.post([running = running_, promise = std::move(promise)]() mutable {
      promise.set_value(running->endpoint.stats());
    });
  }
  return stats.get();
}

}  // namespace qpeer::async::detail
