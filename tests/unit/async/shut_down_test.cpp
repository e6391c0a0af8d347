// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The end of an endpoint, and who waits for it.
#include <gtest/gtest.h>

#include <optional>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

class ShutDown : public Loopback {
 protected:
  /// Turns of the loop until the task is done.
  int turns_of(Task<void> task) {
    TaskGroup group;
    group.spawn(std::move(task));
    int turns = 0;
    for (const Instant give_up = io::now() + 10s; group.size() != 0 && io::now() < give_up;) {
      loop.run_once(1s);
      ++turns;
    }
    EXPECT_EQ(group.size(), 0U) << "the task still waits";
    return turns;
  }
};

TEST_F(ShutDown, WaitsUntilItsLastConnectionHasDrainedAndDoesNotPollMeanwhile) {
  // The peer's acknowledgements may be late, so that the three PTOs of RFC 9000 §10.2 are long.
  AsyncEndpointOptions patient;
  patient.endpoint.connection.max_ack_delay = 200ms;
  open(patient);
  std::optional<Both> both;
  auto begin = [&]() -> Task<void> { both.emplace(co_await connect()); };
  run(loop, begin());
  turn_for(50ms);  // The handshake is confirmed, and nothing is on its way.
  const Instant begin_of_end = io::now();
  const int turns = turns_of(client->shut_down(0, {}, 5s));
  EXPECT_EQ(client->stats().connections, 0U);
  EXPECT_GE(io::now() - begin_of_end, 600ms);
  EXPECT_LT(turns, 60) << "one each two milliseconds would be 300";
}

TEST_F(ShutDown, OfAnEndpointWithoutConnectionsIsDoneAtOnceAndMoreThanOnce) {
  EXPECT_LT(turns_of(server->shut_down(0, {}, 5s)), 5);
  EXPECT_LT(turns_of(server->shut_down(0, {}, 5s)), 5);
}

TEST_F(ShutDown, IsOverAtItsLimit) {
  std::optional<Both> both;
  auto begin = [&]() -> Task<void> { both.emplace(co_await connect()); };
  run(loop, begin());
  EXPECT_EQ(turns_of(client->shut_down(0, {}, Duration{})), 0);
  EXPECT_EQ(client->stats().connections, 1U) << "still draining";
}

TEST_F(ShutDown, IsOverWhenTheEndpointIsDestroyedMeanwhile) {
  std::optional<Both> both;
  auto begin = [&]() -> Task<void> { both.emplace(co_await connect()); };
  run(loop, begin());
  TaskGroup group;
  group.spawn(client->shut_down(0, {}, 5s));
  loop.poll();
  client.reset();
  EXPECT_TRUE(loop.run_until([&] { return group.size() == 0; }, io::now() + 1s));
}

}  // namespace
}  // namespace qpeer::async
