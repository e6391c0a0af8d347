// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A machine for tests of the driver: it sends the texts that it is given, and reports those that arrive.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "qpeer/tests/io/udp_fixture.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/io/driver.hpp"

namespace qpeer::io::testing_support {

struct Message {
  Path path;
  std::string text;
};

// Sends the texts that it is given, reports those that arrive as events, and may echo them. Its timer gives
// the event "tick".
class Toy {
 public:
  void on_datagram(Instant at, const ReceivedDatagram& in) {
    EXPECT_GE(at, last_);
    last_ = at;
    const std::string text{as_text(in.payload)};
    if (echo) out_.push_back({in.path, text});
    events_.push_back({in.path, text});
  }
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer& out) {
    ++polls;
    if (out_.empty()) return std::nullopt;
    const Message message = out_.front();
    out_.pop_front();
    Transmit train{.path = message.path, .ecn = Ecn::ect0, .size = 0, .segment_size = 0};
    train.segment_size = message.text.size();
    copy(as_bytes(message.text), out.storage);
    train.size = message.text.size();
    // A train, while there is more of the same size to the same place.
    while (!out_.empty() && out_.front().path == message.path &&
           out_.front().text.size() == train.segment_size &&
           train.size / train.segment_size < out.max_segments &&
           train.size + train.segment_size <= out.storage.size()) {
      copy(as_bytes(out_.front().text), out.storage.subspan(train.size));
      train.size += train.segment_size;
      out_.pop_front();
    }
    return train;
  }
  [[nodiscard]] Instant next_deadline() const { return deadline; }
  void on_deadline(Instant at) {
    EXPECT_GE(at, deadline);
    deadline = kNever;
    events_.push_back({{}, "tick"});
  }
  std::optional<Message> poll_event() {
    if (events_.empty()) return std::nullopt;
    Message out = std::move(events_.front());
    events_.pop_front();
    return out;
  }

  void say(const SocketAddress& to, std::string text) {
    say(Path{.local = {}, .remote = to}, std::move(text));
  }
  void say(const Path& path, std::string text) { out_.push_back({path, std::move(text)}); }

  bool echo = false;
  Instant deadline = kNever;
  int polls = 0;

 private:
  std::deque<Message> out_;
  std::deque<Message> events_;
  Instant last_{};
};

inline std::unique_ptr<Driver<Toy>> drive(EventLoop& loop, Toy& toy, Driver<Toy>::OnEvent on_event,
                                          const DriverOptions& options = {}) {
  auto out = Driver<Toy>::start(loop, bind_to("127.0.0.1:0"), toy, std::move(on_event), options);
  EXPECT_TRUE(out);
  return std::move(*out);
}

}  // namespace qpeer::io::testing_support
