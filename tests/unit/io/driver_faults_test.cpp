// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the driver does when the kernel refuses what the machine wants to send.
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/io/syscall_faults.hpp"
#include "qpeer/transport/io/driver.hpp"

namespace qpeer::io {
namespace {

using namespace testing_support;

// Wants to send `left` numbered trains, and names a deadline that has passed while it does.
struct Talker {
  void on_datagram(Instant, const ReceivedDatagram&) {}
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer& out) {
    if (left == 0) return std::nullopt;
    ++polls;
    --left;
    copy(bytes, out.storage);
    return train;
  }
  [[nodiscard]] Instant next_deadline() const { return left == 0 ? kNever : Instant{}; }
  void on_deadline(Instant) { ++deadlines; }
  static std::optional<int> poll_event() { return std::nullopt; }

  Transmit train;
  Bytes bytes;
  int left = 0;
  int polls = 0;
  int deadlines = 0;
};

// The same, which also wants to know what was refused, and makes an event of it.
struct Listener : Talker {
  void on_refused(Instant, const Transmit& transmit, std::error_code error) {
    sizes.push_back(transmit.segment_size);
    errors.push_back(error.value());
    has_event = true;
  }
  std::optional<int> poll_event() {
    return std::exchange(has_event, false) ? std::optional(1) : std::nullopt;
  }

  std::vector<std::size_t> sizes{};
  std::vector<int> errors{};
  bool has_event = false;
};

// One that has something else to send then, and no event: it dials another address.
struct Rerouter : Talker {
  void on_refused(Instant, const Transmit&, std::error_code) { refused = true; }
  std::optional<int> poll_event() {
    if (std::exchange(refused, false)) train.segment_size = train.size = left = 1;
    return std::nullopt;
  }
  [[nodiscard]] static Instant next_deadline() { return kNever; }

  bool refused = false;
};

using DriverFaults = UdpFaults;

TEST_F(DriverFaults, KeepsTheUnsentTrainUntilTheSocketIsWritable) {
  EventLoop loop;
  Talker talker{.train = train, .bytes = bytes, .left = 3};
  auto driver = Driver<Talker>::start(loop, open(), talker, nullptr);
  ASSERT_TRUE(driver);
  faults.send = {{0}, {EAGAIN}, {EAGAIN}};
  loop.run_once(0ms);
  EXPECT_TRUE((*driver)->is_blocked());
  EXPECT_EQ(talker.polls, 2) << "nothing more is built while one waits";
  (*driver)->flush();
  (*driver)->wake();
  EXPECT_EQ(talker.polls, 2);
  EXPECT_TRUE(
      loop.run_until([&] { return talker.left == 0 && !(*driver)->is_blocked(); }, now() + 10s));
  EXPECT_EQ(arrived().size(), 15U);
  EXPECT_EQ((*driver)->socket().stats().send_blocked, 2U);
}

TEST_F(DriverFaults, PassesRefusalsToTheMachine) {
  EventLoop loop;
  Listener listener{{.train = train, .bytes = bytes, .left = 2}};
  int events = 0;
  auto driver = Driver<Listener>::start(loop, open(), listener, [&](int) { ++events; });
  ASSERT_TRUE(driver);
  loop.run_once(0ms);
  EXPECT_TRUE(listener.errors.empty());
  EXPECT_EQ(arrived().size(), 10U);
  faults.largest = 1199;
  listener.left = 1;
  (*driver)->wake();
  loop.run_once(0ms);
  EXPECT_EQ(listener.errors, std::vector{EMSGSIZE});
  EXPECT_EQ(listener.sizes, std::vector<std::size_t>{1200});
  EXPECT_EQ(events, 1) << "in the same turn";
}

TEST_F(DriverFaults, SendsWhatTheMachineHasBecauseOfARefusal) {
  EventLoop loop;
  Rerouter rerouter{{.train = train, .bytes = bytes, .left = 1}};
  auto driver = Driver<Rerouter>::start(loop, open(), rerouter, nullptr);
  ASSERT_TRUE(driver);
  faults.largest = 1199;
  loop.run_once(0ms);
  EXPECT_EQ(rerouter.polls, 2);
  EXPECT_EQ(arrived().size(), 1U);
}

TEST_F(DriverFaults, ReportsABrokenSocketOnce) {
  EventLoop loop;
  Talker talker{.train = train, .bytes = bytes, .left = 3};
  auto driver = Driver<Talker>::start(loop, open(), talker, nullptr);
  ASSERT_TRUE(driver);
  int told = 0;
  (*driver)->on_error([&](std::error_code error) {
    ++told;
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    driver->reset();  // The owner may throw it away at once.
  });
  faults.send = {{EBADF}};
  loop.run_once(0ms);
  loop.run_once(0ms);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace qpeer::io
