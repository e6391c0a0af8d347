// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How the parts of a connection tell its observer what happens: with log::emit(), which costs one
// predicted branch where there is none.
//
// A part holds a pointer to the EventLog of its connection, which is null without an observer.
#pragma once

#include <memory>
#include <utility>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::transport::log {

/// An observer, and what it is told with each event.
class EventLog {
 public:
  /// `now` is the connection's time of the latest call; it must outlive this object.
  EventLog(std::shared_ptr<Observer> observer, const Source& source, const Instant& now)
      : observer_(std::move(observer)), source_(source), now_(now) {}

  void emit(const Event& event) const { observer_->on_event(source_, now_, event); }
  [[nodiscard]] Instant now() const { return now_; }

 private:
  std::shared_ptr<Observer> observer_;
  Source source_;
  const Instant& now_;
};

/// The log of a connection; null when its configuration names no observer, or that wants none.
[[nodiscard]] inline std::unique_ptr<EventLog> make_event_log(const ObserverFactory& factory,
                                                              const Source& source,
                                                              const Instant& now) {
  auto observer = factory ? factory(source) : nullptr;
  if (observer == nullptr) return nullptr;
  return std::make_unique<EventLog>(std::move(observer), source, now);
}

/// `make()` gives the event; it is not called without an observer.
template <class Make>
void emit(const EventLog* log, Make&& make) {
  if (log != nullptr) [[unlikely]]
    log->emit(make());
}

}  // namespace qpeer::transport::log
