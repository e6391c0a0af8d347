// The driver, with toy machines on real sockets.
#include "transport/io/driver.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/io/udp_fixture.hpp"

namespace qpeer::io {
namespace {

using namespace testing_support;

struct Message {
  Path path;
  std::string text;
};

// Sends what it is told, tells what it hears, and may echo. Its timer says "tick".
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
    out_.push_back({{.local = {}, .remote = to}, std::move(text)});
  }

  bool echo = false;
  Instant deadline = kNever;
  int polls = 0;

 private:
  std::deque<Message> out_;
  std::deque<Message> events_;
  Instant last_{};
};

std::unique_ptr<Driver<Toy>> drive(EventLoop& loop, Toy& toy, Driver<Toy>::OnEvent on_event,
                                   const DriverOptions& options = {}) {
  auto out = Driver<Toy>::start(loop, bind_to("127.0.0.1:0"), toy, std::move(on_event), options);
  EXPECT_TRUE(out);
  return std::move(*out);
}

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

}  // namespace
}  // namespace qpeer::io
