// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What joins one machine to the coroutines that wait for it: its driver, its events, the coroutines
// that go on after each event, the tasks of callback users, and the end. Internal to the async layers.
//
//   Driver --event--> MachineRuntime --handle()--> the state that derives from it --schedule()--+
//                                    <-- drain(): coroutines that waited for the event go on <--+
//
// The end: shut_down() of the machine --> its Drained event --> coroutines in DrainedWait go on.
// Or all at once: end() cancels the tasks, sends the last datagrams, and closes the sockets.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "qpeer/transport/async/scheduler.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/io/driver.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::async::detail {

/// Binds to `address`; one that is not valid() means any: of both families where there is IPv6, else
/// of IPv4 alone.
[[nodiscard]] std::expected<io::UdpSocket, std::error_code> bind_socket(
    const SocketAddress& address, const io::UdpOptions& options);

/// The part that does not depend on the machine. Of the loop's thread. Its handles own it together, by
/// shared pointers.
class Runtime : public std::enable_shared_from_this<Runtime> {
 public:
  explicit Runtime(io::EventLoop& event_loop) : loop(event_loop), scheduler_(event_loop) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Coroutines that wait there go on: after this event, or in the loop's next turn.
  void schedule(WaitList& waiting) { scheduler_.schedule(waiting); }
  /// Starts a task of a callback user, in the loop's next turn. The end cancels it.
  void run(Task<void> task);
  /// Calls the callback of such a task with what came of it; not after the end.
  template <class Callback, class... Values>
  void call(Callback& callback, Values&&... values) {
    if (!has_ended_ && callback) callback(std::forward<Values>(values)...);
  }
  /// Whether end() was called: nobody owns the machine any more.
  [[nodiscard]] bool has_ended() const { return has_ended_; }
  /// Whether no datagram comes or goes any more: after end(), or since the sockets failed.
  [[nodiscard]] bool has_stopped() const { return has_ended_ || error_; }
  /// Why the sockets failed, if they did: all connections have ended then.
  [[nodiscard]] std::error_code error() const { return error_; }

  /// co_await: waits until the machine that was shut down has drained, or the sockets are gone.
  class [[nodiscard]] DrainedWait final : public Operation {
   public:
    explicit DrainedWait(Runtime& runtime) : Operation(runtime.draining_), runtime_(runtime) {}
    void await_resume() const {}

   private:
    bool attempt() override { return runtime_.has_drained_; }
    Runtime& runtime_;
  };

  io::EventLoop& loop;

 protected:
  ~Runtime() = default;
  /// No datagram will come or go any more, or none is needed.
  void on_drained();
  void on_socket_error(std::error_code code);

  Scheduler scheduler_;
  TaskGroup tasks_;
  WaitList draining_;
  std::error_code error_;
  bool has_drained_ = false;
  bool has_ended_ = false;
  bool in_event_ = false;  ///< The driver called us: it sends what we write when we return.
  bool flushing_ = false;  ///< We called the driver: no coroutine is resumed within that call.
};

template <Machine M>
class MachineRuntime : public Runtime {
 public:
  using Driver = io::Driver<M>;
  using Event = typename Driver::Event;

  /// The machine has something to send, or another deadline.
  void wake() {
    if (driver_) driver_->wake();
  }

  M machine;

  /// The first socket; null before the start and after the end.
  [[nodiscard]] const io::UdpSocket* socket() const {
    return driver_ ? &driver_->socket() : nullptr;
  }
  /// Of all sockets together; after the end, as of then.
  [[nodiscard]] io::UdpStats udp_stats() const {
    io::UdpStats out = last_udp_stats_;
    for (std::size_t i = 0; driver_ && i < driver_->sockets(); ++i) {
      out += driver_->socket(i).stats();
    }
    return out;
  }

 protected:
  template <class... Arguments>
  explicit MachineRuntime(io::EventLoop& event_loop, Arguments&&... arguments)
      : Runtime(event_loop), machine(std::forward<Arguments>(arguments)...) {}
  ~MachineRuntime() = default;

  /// Something happened to the machine. Coroutines that this schedules go on when it has returned.
  virtual void handle(Event&& event) = 0;
  /// The sockets failed or were closed: every wait must end now, with an error.
  virtual void on_sockets_gone() = 0;
  /// Called by end(), before the last datagrams leave.
  virtual void before_end() {}

  /// Begins to drive the machine, in the loop's next turn.
  [[nodiscard]] std::expected<void, std::error_code> start(std::vector<io::UdpSocket> sockets) {
    auto driver = Driver::start(loop, std::move(sockets), machine,
                                [this](Event&& event) { on_event(std::move(event)); });
    if (!driver) return std::unexpected(driver.error());
    driver_ = std::move(*driver);
    driver_->on_error([this](std::error_code code) {
      const auto self = shared_from_this();
      on_socket_error(code);
      on_sockets_gone();
    });
    return {};
  }

  /// Nobody owns the machine any more; it was shut down. Sends the peers their CONNECTION_CLOSE, then
  /// closes the sockets.
  void end() {
    const auto self = shared_from_this();
    has_ended_ = true;
    if (in_event_) {
      loop.post([this, self] { release(); });  // The driver sends nothing before we return.
    } else {
      release();
    }
  }

 private:
  class InEvent {
   public:
    InEvent(bool& flag, bool value) : flag_(flag), outer_(std::exchange(flag, value)) {}
    InEvent(const InEvent&) = delete;
    InEvent& operator=(const InEvent&) = delete;
    ~InEvent() { flag_ = outer_; }

   private:
    bool& flag_;
    bool outer_;
  };

  void on_event(Event&& event) {
    const auto self = shared_from_this();  // A coroutine that goes on may destroy the last handle.
    const Scheduler::Hold hold(scheduler_);
    const InEvent in_event(in_event_, !flushing_);
    handle(std::move(event));
    if (!flushing_) scheduler_.drain();
  }

  void release() {
    tasks_.cancel();
    before_end();
    flushing_ = true;
    driver_->flush();
    flushing_ = false;
    last_udp_stats_ = udp_stats();
    driver_.reset();
    on_drained();
    on_sockets_gone();
  }

  std::unique_ptr<Driver> driver_;
  io::UdpStats last_udp_stats_;  ///< Of the driver that is gone.
};

}  // namespace qpeer::async::detail
