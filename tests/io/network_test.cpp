// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What is known of the network of this machine, and what changes in it, in a network namespace.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "qpeer/tests/io/network_namespace.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/interface_addresses.hpp"
#include "qpeer/transport/io/internet_path.hpp"
#include "qpeer/transport/io/network_monitor.hpp"
#include "qpeer/transport/io/network_reports.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io::test {
namespace {

TEST(InternetPath, LeadsOverTheRouterOfTheDefaultRoute) {
  run_in_namespace([] {
    LoopbackInterface interface;
    EXPECT_EQ(read_internet_path(4477), Path{});
    interface.add(2);
    EXPECT_EQ(read_internet_path(4477), Path{}) << "no route";
    interface.add_default_route();
    const Path path = read_internet_path(4477);
    EXPECT_EQ(path.remote, SocketAddress::ipv4({10, 99, 1, 77}, 0));
    EXPECT_EQ(path.local, LoopbackInterface::address(2, 4477));
  });
}

TEST(InterfaceAddresses, AreThoseOfInterfacesThatWork) {
  run_in_namespace([] {
    EXPECT_TRUE(read_interface_addresses().empty()) << "all are down";
    LoopbackInterface interface;
    const auto has = [](const SocketAddress& address) {
      const auto all = read_interface_addresses();
      return std::ranges::find(all, address) != all.end();
    };
    EXPECT_TRUE(has(SocketAddress::loopback4(0)));
    EXPECT_FALSE(has(LoopbackInterface::address(2)));
    interface.add(2);
    EXPECT_TRUE(has(LoopbackInterface::address(2)));
    interface.go_down();
    EXPECT_FALSE(has(LoopbackInterface::address(2)));
  });
}

TEST(PacedNetworkChanges, TheFirstIsHandedOutAtOnceAndTheNextTogether) {
  using std::chrono_literals::operator""ms;
  const auto at = [](Duration since) { return Instant{} + since; };
  PacedNetworkChanges changes;
  EXPECT_EQ(changes.next(), kNever);
  EXPECT_FALSE(changes.take(at(0ms)));
  changes.add({.gone = {LoopbackInterface::address(2)}});
  EXPECT_LE(changes.next(), at(0ms));
  ASSERT_TRUE(changes.take(at(0ms)));
  for (int i = 1; i < 100; ++i) {
    changes.add({.gone = {LoopbackInterface::address(2)}, .gained = i == 50});
    EXPECT_FALSE(changes.take(at(i * 1ms)));
  }
  EXPECT_EQ(changes.next(), at(100ms));
  const auto together = changes.take(at(100ms));
  ASSERT_TRUE(together);
  EXPECT_EQ(together->gone.size(), 1U);
  EXPECT_TRUE(together->gained);
  EXPECT_EQ(changes.next(), kNever);
  for (unsigned i = 0; i < 1'000; ++i) {
    changes.add(
        {.gone = {SocketAddress::ipv4({10, 0, static_cast<u8>(i / 256), static_cast<u8>(i)}, 0)}});
  }
  EXPECT_EQ(changes.take(at(1'000ms))->gone.size(), NetworkChanges::kMaxGone);
}

// Both changes may be there when the first one is read.
TEST(NetworkReports, TellThatThePathToTheInternetWasAway) {
  struct Machine {
    std::vector<Path> told;
    void on_network(Instant, const Path& ipv4, const Path&) { told.push_back(ipv4); }
  };
  struct Owner {
    NetworkReports<Machine, Owner>* reports = nullptr;
    void on_network_due() const { reports->report(now()); }
  };
  run_in_namespace([] {
    LoopbackInterface interface;
    interface.add(2);
    interface.add(3);
    interface.add_default_route();
    EventLoop loop;
    Machine machine;
    Owner owner;
    NetworkReports<Machine, Owner> reports(loop, machine, owner);
    owner.reports = &reports;
    reports.start(SocketAddress::ipv4({}, 4477));
    ASSERT_EQ(machine.told.size(), 1U);
    const Path path = machine.told[0];
    ASSERT_EQ(path.local, LoopbackInterface::address(2, 4477));
    interface.remove(3);
    loop.run_once(Duration(100'000'000));
    EXPECT_EQ(machine.told, (std::vector{path, path})) << "another address";
    interface.remove(2);
    interface.add(2);
    for (int i = 0; i < 5 && machine.told.size() < 4; ++i) loop.run_once(Duration(200'000'000));
    EXPECT_EQ(machine.told, (std::vector{path, path, Path{}, path}));
  });
}

TEST(NetworkMonitor, TellsWhatIsLostAndThatSomethingIsGained) {
  run_in_namespace([] {
    LoopbackInterface interface;
    auto monitor = NetworkMonitor::open();
    ASSERT_TRUE(monitor);
    std::ignore = monitor->take_changes();
    interface.add(2);
    NetworkChanges changes = monitor->take_changes();
    EXPECT_TRUE(changes.gained) << "an address";
    interface.add_default_route();
    changes = monitor->take_changes();
    EXPECT_TRUE(changes.gained) << "a default route";
    EXPECT_TRUE(changes.gone.empty());
    interface.go_down();
    changes = monitor->take_changes();
    EXPECT_FALSE(changes.gained);
    interface.come_up();
    EXPECT_TRUE(monitor->take_changes().gained) << "a link";
    interface.remove(2);
    changes = monitor->take_changes();
    EXPECT_FALSE(changes.gained);
    EXPECT_EQ(changes.gone, std::vector{LoopbackInterface::address(2)});
    changes = monitor->take_changes();
    EXPECT_TRUE(changes.gone.empty() && !changes.gained) << "each is reported once";
  });
}

}  // namespace
}  // namespace qpeer::io::test
