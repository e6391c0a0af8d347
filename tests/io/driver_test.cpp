// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The driver, with toy machines on real sockets.
#include "qpeer/transport/io/driver.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "qpeer/tests/io/toy_machine.hpp"
#include "qpeer/tests/io/udp_fixture.hpp"

namespace qpeer::io {
namespace {

using namespace testing_support;

TEST(Driver, CarriesAQuestionAndItsEcho) {
  EventLoop loop;
  Toy asking;
  Toy echoing;
  echoing.echo = true;
  std::string answer;
  SocketAddress client_address;
  const auto server = drive(loop, echoing, nullptr);
  const auto client = drive(loop, asking, [&](Message&& in) {
    answer = in.text;
    EXPECT_EQ(in.path.remote, server->socket().local_address());
    EXPECT_EQ(in.path.local, client_address);
    loop.stop();
  });
  client_address = client->socket().local_address();
  asking.say(server->socket().local_address(), "hello");
  client->wake();
  loop.run();
  EXPECT_EQ(answer, "hello");
}

TEST(Driver, CarriesManyTrainsUnharmed) {
  EventLoop loop;
  Toy sending;
  Toy receiving;
  std::size_t count = 0;
  const auto server = drive(loop, receiving, [&](Message&& in) {
    EXPECT_EQ(in.text.substr(0, 6), std::to_string(100'000 + count));
    ++count;
  });
  // Few at a time, for loopback drops what the buffer cannot hold.
  const auto client = drive(loop, sending, nullptr, {.transmit_trains = 3});
  std::size_t said = 0;
  while (said < 20'000) {
    for (int i = 0; i < 200; ++i, ++said) {
      sending.say(server->socket().local_address(),
                  std::to_string(100'000 + said) + std::string(1200, 'x'));
    }
    client->wake();
    ASSERT_TRUE(loop.run_until([&] { return count == said; }, now() + kLong)) << count;
  }
}

TEST(Driver, PumpsOncePerTurnHoweverOftenItIsWoken) {
  EventLoop loop;
  Toy toy;
  const auto driver = drive(loop, toy, nullptr);
  loop.run_once(0ms);
  const int before = toy.polls;
  for (int i = 0; i < 100; ++i) driver->wake();
  EXPECT_EQ(toy.polls, before);
  loop.run_once(0ms);
  EXPECT_EQ(toy.polls, before + 1);
  loop.run_once(0ms);
  EXPECT_EQ(toy.polls, before + 1) << "an idle machine is left alone";
}

TEST(Driver, FlushSendsBeforeItReturns) {
  EventLoop loop;
  Toy toy;
  UdpSocket receiver = bind_to("127.0.0.1:0");
  const auto driver = drive(loop, toy, nullptr);
  toy.say(receiver.local_address(), "last words");
  driver->flush();
  EXPECT_EQ(driver->socket().stats().datagrams_sent, 1U);
  EXPECT_EQ(receive(receiver, 1)[0].ecn, Ecn::ect0);
}

TEST(Driver, SendsWhatAnEventHandlerSaysWithoutAWake) {
  EventLoop loop;
  Toy first;
  Toy second;
  int turns = 0;
  std::unique_ptr<Driver<Toy>> a;
  std::unique_ptr<Driver<Toy>> b;
  const auto answer = [&](Toy& toy) {
    return [&](Message&& in) {
      if (++turns == 10) loop.stop();
      toy.say(in.path.remote, in.text + "!");
    };
  };
  a = drive(loop, first, answer(first));
  b = drive(loop, second, answer(second));
  first.say(b->socket().local_address(), "hello");
  a->wake();
  loop.run();
  EXPECT_EQ(turns, 10);
}

TEST(Driver, CallsOnDeadlineWhenItIsDue) {
  EventLoop loop;
  Toy toy;
  Instant ticked{};
  const auto driver = drive(loop, toy, [&](Message&& in) {
    EXPECT_EQ(in.text, "tick");
    ticked = now();
    loop.stop();
  });
  const Instant due = now() + 5ms;
  toy.deadline = due;
  driver->wake();
  loop.run();
  EXPECT_GE(ticked, due);
}

TEST(Driver, ContinuesInTheNextTurnAfterItsShareOfTrains) {
  EventLoop loop;
  Toy toy;
  UdpSocket receiver = bind_to("127.0.0.1:0");
  const auto driver = drive(loop, toy, nullptr, {.transmit_trains = 2});
  loop.run_once(0ms);
  // Different sizes do not share a train.
  for (std::size_t i = 1; i <= 7; ++i) toy.say(receiver.local_address(), std::string(i, 'x'));
  driver->wake();
  for (const unsigned expected : {2U, 4U, 6U, 7U}) {
    loop.run_once(0ms);
    EXPECT_EQ(driver->socket().stats().datagrams_sent, expected);
  }
}

TEST(Driver, ReceivesOnlyItsShareInATurn) {
  EventLoop loop;
  Toy toy;
  int heard = 0;
  const auto driver =
      drive(loop, toy, [&](Message&&) { ++heard; }, {.receive_batches = 2, .receive_regions = 2});
  loop.run_once(0ms);
  UdpSocket sender = bind_to("127.0.0.1:0");
  for (std::size_t i = 0; i < 10; ++i) {
    send(sender, driver->socket().local_address(), pattern(100 + i), 100 + i);
  }
  for (const int expected : {4, 8, 10}) {
    loop.run_once(0ms);
    EXPECT_EQ(heard, expected);
  }
}

TEST(Driver, MayBeDestroyedByItsEventHandler) {
  EventLoop loop;
  Toy toy;
  const auto guard = std::make_shared<int>(1);
  std::unique_ptr<Driver<Toy>> driver;
  UdpSocket sender = bind_to("127.0.0.1:0");
  int heard = 0;
  driver = drive(loop, toy, [&, guard](Message&&) {
    ++heard;
    driver.reset();
    EXPECT_EQ(guard.use_count(), 2) << "what was captured outlives the call";
  });
  send(sender, driver->socket().local_address(), pattern(3 * 100), 100);
  EXPECT_TRUE(loop.run_until([&] { return heard > 0; }, now() + kLong));
  loop.run_once(0ms);
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(guard.use_count(), 1);
}

TEST(Driver, GoesOnBehindAnEventWhoseHandlerThrew) {
  EventLoop loop;
  Toy asking;
  Toy receiving;
  std::vector<std::string> heard;
  const auto server = drive(loop, receiving, [&](Message&& in) {
    heard.push_back(in.text);
    if (in.text == "one") throw std::runtime_error("mine");
  });
  std::string answer;
  const auto client = drive(loop, asking, [&](Message&& in) { answer = in.text; });
  for (const char* text : {"one", "two", "six"}) {
    asking.say(server->socket().local_address(), text);
  }
  client->wake();
  int thrown = 0;
  const auto turn = [&] {
    try {
      loop.run_once(10ms);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  };
  for (const Instant end = now() + kLong; heard.size() < 3 && now() < end;) turn();
  EXPECT_EQ(heard, (std::vector<std::string>{"one", "two", "six"}));
  EXPECT_EQ(thrown, 1);
  receiving.say(client->socket().local_address(), "back");
  server->wake();
  EXPECT_TRUE(loop.run_until([&] { return answer == "back"; }, now() + kLong));
}

TEST(Driver, ManyShareOneLoop) {
  EventLoop loop;
  std::deque<Toy> toys(20);
  std::vector<std::unique_ptr<Driver<Toy>>> drivers;
  int hops = 0;
  for (Toy& toy : toys) {
    drivers.push_back(drive(loop, toy, [&, self = drivers.size()](Message&& in) {
      if (++hops == 200) return loop.stop();
      toys[self].say(drivers[(self + 1) % 20]->socket().local_address(), in.text);
    }));
  }
  toys[0].say(drivers[1]->socket().local_address(), "round");
  drivers[0]->wake();
  loop.run();
  EXPECT_EQ(hops, 200);
}

// --- several sockets -----------------------------------------------------------------------------

struct TwoSockets {
  explicit TwoSockets(EventLoop& loop, Toy& toy, Driver<Toy>::OnEvent on_event,
                      std::string_view host = "127.0.0.1:0") {
    std::vector<UdpSocket> sockets;
    for (int i = 0; i < 2; ++i) sockets.push_back(bind_to(host));
    driver = *Driver<Toy>::start(loop, std::move(sockets), toy, std::move(on_event));
  }
  [[nodiscard]] SocketAddress address(std::size_t index) const {
    return driver->socket(index).local_address();
  }
  std::unique_ptr<Driver<Toy>> driver;
};

TEST(Driver, TellsByTheLocalPortWhichSocketADatagramCameInOn) {
  EventLoop loop;
  Toy toy;
  std::vector<Message> heard;
  const TwoSockets two(loop, toy, [&](Message&& in) { heard.push_back(std::move(in)); });
  UdpSocket sender = bind_to("127.0.0.1:0");
  send(sender, two.address(1), as_bytes("second"), 6);
  send(sender, two.address(0), as_bytes("first"), 5);
  ASSERT_TRUE(loop.run_until([&] { return heard.size() == 2; }, now() + kLong));
  for (const Message& in : heard) {
    EXPECT_EQ(in.path.local, two.address(in.text == "second" ? 1 : 0));
  }
}

TEST(Driver, SendsFromTheSocketWhosePortIsNamed) {
  EventLoop loop;
  Toy toy;
  UdpSocket receiver = bind_to("127.0.0.1:0");
  const TwoSockets two(loop, toy, nullptr);
  const SocketAddress to = receiver.local_address();
  toy.say({.local = {}, .remote = to}, "nothing named");
  toy.say({.local = two.address(1), .remote = to}, "the second");
  toy.say({.local = two.address(0), .remote = to}, "the first");
  toy.say({.local = SocketAddress::ipv4({}, two.address(1).port()), .remote = to}, "a port alone");
  toy.say({.local = SocketAddress::loopback4(1), .remote = to}, "a port of nobody");
  two.driver->wake();
  loop.run_once(0ms);
  const auto received = receive(receiver, 5);
  const std::size_t senders[] = {0, 1, 0, 1, 0};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(received[i].path.remote, two.address(senders[i])) << as_text(received[i].payload);
  }
}

TEST(Driver, AnswersOnAWildcardPortFromTheAddressThatWasAsked) {
  EventLoop loop;
  Toy toy;
  toy.echo = true;
  const TwoSockets two(loop, toy, nullptr, "0.0.0.0:0");
  UdpSocket asking = bind_to("127.0.0.1:0");
  const SocketAddress asked = address("127.0.0.2:0").with_port(two.address(1).port());
  send(asking, asked, as_bytes("who?"), 4);
  loop.run_until([&] { return two.driver->socket(1).stats().datagrams_sent > 0; }, now() + kLong);
  EXPECT_EQ(receive(asking, 1)[0].path.remote, asked);
}

TEST(Driver, NeedsASocket) {
  EventLoop loop;
  Toy toy;
  const auto out = Driver<Toy>::start(loop, std::vector<UdpSocket>{}, toy, nullptr);
  EXPECT_EQ(out.error(), std::errc::invalid_argument);
}

}  // namespace
}  // namespace qpeer::io
