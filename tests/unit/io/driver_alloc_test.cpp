// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The driver, the socket and the loop allocate nothing once they run.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/counting_new_operators.hpp"
#include "qpeer/transport/io/driver.hpp"

namespace qpeer::io {
namespace {

// Answers each datagram with a train of eight, and re-arms its timer.
struct Chatterer {
  void on_datagram(Instant now, const ReceivedDatagram& in) {
    ++heard;
    if (heard % 8 == 1) answer = in.path;
    deadline = now + 1ms;
  }
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer&) {
    if (!answer) return std::nullopt;
    const Transmit out{.path = *answer, .ecn = Ecn::ect0, .size = 8 * 1200, .segment_size = 1200};
    answer.reset();
    return out;
  }
  [[nodiscard]] Instant next_deadline() const { return deadline; }
  void on_deadline(Instant) { deadline = kNever; }
  std::optional<int> poll_event() {
    if (heard == told) return std::nullopt;
    return ++told;
  }

  std::optional<Path> answer;
  Instant deadline = kNever;
  int heard = 0;
  int told = 0;
};

TEST(Driver, AllocatesNothingInSteadyState) {
  EventLoop loop;
  Chatterer a;
  Chatterer b;
  int events = 0;
  const auto start = [&](Chatterer& machine) {
    auto socket = UdpSocket::bind(SocketAddress::loopback4(0));
    if (!socket) throw std::system_error(socket.error());
    return std::move(
        *Driver<Chatterer>::start(loop, std::move(*socket), machine, [&](int&&) { ++events; }));
  };
  const auto first = start(a);
  const auto second = start(b);
  a.answer = Path{.local = {}, .remote = second->socket().local_address()};
  first->wake();
  ASSERT_TRUE(loop.run_until([&] { return a.heard > 100; }, now() + 10s));
  const std::uint64_t before = sim::allocation_counts().allocations;
  const bool arrived = loop.run_until([&] { return a.heard > 5000; }, now() + 10s);
  const std::uint64_t made = sim::allocation_counts().allocations - before;
  EXPECT_TRUE(arrived);
  EXPECT_EQ(made, 0U);
  EXPECT_GT(events, 10'000);
}

TEST(ReceivedTrain, HandsOverEachSegmentAndTheShortLast) {
  std::array<u8, 25> bytes{};
  const ReceivedTrain train{.path = {}, .ecn = Ecn::ce, .bytes = bytes, .segment_size = 10};
  std::vector<std::size_t> sizes;
  EXPECT_EQ(train.for_each([&](const ReceivedDatagram& in) {
    EXPECT_EQ(in.ecn, Ecn::ce);
    sizes.push_back(in.payload.size());
  }),
            3U);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{10, 10, 5}));
}

TEST(ReceivedTrain, OfNothingIsOneEmptyDatagram) {
  std::size_t calls = 0;
  const auto count = [&](const ReceivedDatagram& in) { calls += in.payload.empty() ? 1 : 100; };
  EXPECT_EQ(ReceivedTrain{}.for_each(count), 1U);
  EXPECT_EQ(calls, 1U);
}

}  // namespace
}  // namespace qpeer::io
