// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A bounded queue between tasks: a sender waits while it is full, a receiver while it is empty.
//
//   Channel<std::string> lines(loop, 16);
//   co_await lines.send("hello");                              // false once closed
//   while (auto line = co_await lines.receive()) ...           // nullopt once closed and empty
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "qpeer/transport/async/scheduler.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

/// Any number of tasks may send, and any number receive: each value goes to one. The values of one
/// task stay in their order. Of the loop's thread; from another one, post a call of try_send() to the
/// loop. Must outlive the tasks that wait for it.
template <class T>
class Channel {
 public:
  /// Holds `capacity` values; at least one. The loop must outlive it.
  Channel(io::EventLoop& loop, std::size_t capacity)
      : capacity_(std::max<std::size_t>(capacity, 1)), scheduler_(loop) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// What send() gives to co_await.
  class [[nodiscard]] Send final : public Operation {
   public:
    /// Made by send().
    Send(Channel& channel, T value)
        : Operation(channel.sending_), channel_(channel), value_(std::move(value)) {}
    /// Whether the channel took the value; false once it is closed.
    bool await_resume() const { return sent_; }

   private:
    bool attempt() override {
      sent_ = channel_.try_send(value_);
      return sent_ || channel_.closed_;
    }
    Channel& channel_;
    T value_;
    bool sent_ = false;
  };

  /// What receive() gives to co_await.
  class [[nodiscard]] Receive final : public Operation {
   public:
    /// Made by receive().
    explicit Receive(Channel& channel) : Operation(channel.receiving_), channel_(channel) {}
    /// The value; nullopt once the channel is closed and empty. Call once.
    std::optional<T> await_resume() { return std::move(value_); }

   private:
    bool attempt() override {
      value_ = channel_.try_receive();
      return value_ || channel_.closed_;
    }
    Channel& channel_;
    std::optional<T> value_;
  };

  /// co_await: puts `value` at the end; waits while the channel is full. False once it is closed.
  [[nodiscard]] Send send(T value) { return Send(*this, std::move(value)); }
  /// The same at once: false, and `value` is as it was, when the channel is full or closed.
  [[nodiscard]] bool try_send(T& value) {
    if (closed_ || values_.size() >= capacity_) return false;
    values_.push_back(std::move(value));
    scheduler_.schedule(receiving_);
    return true;
  }
  /// The same for a temporary, and for what std::move() gives.
  [[nodiscard]] bool try_send(T&& value) { return try_send(value); }

  /// co_await: takes the first value; waits while there is none. nullopt once the channel is closed and
  /// what it held has been taken.
  [[nodiscard]] Receive receive() { return Receive(*this); }
  /// The same at once: nullopt when there is none.
  [[nodiscard]] std::optional<T> try_receive() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> out(std::move(values_.front()));
    values_.pop_front();
    scheduler_.schedule(sending_);
    return out;
  }

  /// Takes no more values. What it holds can still be received; senders that wait get false.
  void close() {
    closed_ = true;
    scheduler_.schedule(sending_);
    scheduler_.schedule(receiving_);
  }
  /// Whether close() was called.
  [[nodiscard]] bool is_closed() const { return closed_; }
  /// Values that nobody has received.
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  /// How many values it holds at most.
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  std::size_t capacity_;
  std::deque<T> values_;
  bool closed_ = false;
  WaitList sending_;
  WaitList receiving_;
  Scheduler scheduler_;
};

}  // namespace qpeer::async
