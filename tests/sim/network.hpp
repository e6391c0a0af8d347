// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A network in one process: machines, links between them, virtual time, one seed.
//
// Nothing here knows QUIC: whatever is a Machine can be attached. Events lie in a heap by time and
// then by the order in which they were made, so equal seeds give equal runs, byte for byte. In
// steady state a datagram costs no allocation. QPEER_TRACE=1 prints every datagram.
//
// All hosts are on one internet, but those that were put behind a router. Then a datagram takes several
// hops, each over a link: to the router, to the other router, to the host. A router translates or drops a
// datagram when the datagram reaches it.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/link.hpp"
#include "qpeer/tests/sim/router.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/transport/base/datagram.hpp"

namespace qpeer::sim {

/// A machine behind one type.
class Node {
 public:
  virtual ~Node() = default;
  virtual void on_datagram(Instant now, ReceivedDatagram datagram) = 0;
  virtual std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out) = 0;
  [[nodiscard]] virtual Instant next_deadline() const = 0;
  virtual void on_deadline(Instant now) = 0;
  /// Handles one event; false when there was none.
  virtual bool poll_event() = 0;
  /// The host's system refused to send the latest train.
  virtual void on_refused(Instant /*now*/, const Transmit& /*transmit*/,
                          std::error_code /*error*/) {}
  /// The host has lost an address.
  virtual void on_local_address_gone(Instant /*now*/, const SocketAddress& /*local*/) {}
  /// Whether the machine's invariants hold.
  [[nodiscard]] virtual bool consistent() const { return true; }
  /// How many connections consistent() looks at: with more of them, it is called less often.
  [[nodiscard]] virtual std::size_t weight() const { return 1; }
};

/// Puts any Machine behind Node: the machine stays its owner's, `on_event` gets each event.
template <Machine M, class OnEvent>
class MachineNode final : public Node {
 public:
  MachineNode(M& machine, OnEvent on_event) : machine_(machine), on_event_(std::move(on_event)) {}
  void on_datagram(Instant now, ReceivedDatagram in) override { machine_.on_datagram(now, in); }
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out) override {
    return machine_.poll_transmit(now, out);
  }
  [[nodiscard]] Instant next_deadline() const override { return machine_.next_deadline(); }
  void on_deadline(Instant now) override { machine_.on_deadline(now); }
  bool poll_event() override {
    auto event = machine_.poll_event();
    if (event) on_event_(*event);
    return static_cast<bool>(event);
  }
  void on_refused(Instant now, const Transmit& transmit, std::error_code error) override {
    if constexpr (requires { machine_.on_refused(now, transmit, error); }) {
      machine_.on_refused(now, transmit, error);
    }
  }
  void on_local_address_gone(Instant now, const SocketAddress& local) override {
    if constexpr (requires { machine_.on_local_address_gone(now, local); }) {
      machine_.on_local_address_gone(now, local);
    }
  }
  [[nodiscard]] bool consistent() const override {
    if constexpr (requires(const M& machine) { machine.consistent(); }) {
      return machine_.consistent();
    } else {
      return true;
    }
  }
  [[nodiscard]] std::size_t weight() const override {
    if constexpr (requires(const M& machine) { machine.stats().connections; }) {
      return machine_.stats().connections;
    } else if constexpr (requires(const M& machine) { machine.stats().links; }) {
      return machine_.stats().links;
    } else {
      return 1;
    }
  }

 private:
  M& machine_;
  OnEvent on_event_;
};

/// Where a machine lives. Made by Network, lives as long.
class Host {
 public:
  /// The first address it has.
  [[nodiscard]] const SocketAddress& address() const { return addresses_.front(); }
  [[nodiscard]] const std::vector<SocketAddress>& addresses() const { return addresses_; }
  std::size_t max_segments = kMaxTransmitSegments;  ///< 1: a socket that cannot segment.
  /// Refuses to send from an address that it does not have, and without any, as Linux does.
  bool checks_source = false;
  bool reports_gone_addresses = false;  ///< To its machine.

 private:
  friend class Network;
  std::unique_ptr<Node> node_;
  std::vector<SocketAddress> addresses_;
  Realm* realm_ = nullptr;    ///< Where its addresses count.
  Router* router_ = nullptr;  ///< Set when this is the place of a router, which has no machine.
  std::uint32_t index_ = 0;
  bool woken_ = false;       ///< A wake event is in the heap.
  Instant armed_ = kNever;   ///< Of the timer event that counts; others in the heap are stale.
  Instant last_deadline_{};  ///< For telling a machine that does not move on.
  std::uint32_t spins_ = 0;
  std::uint32_t checks_ = 0;  ///< Calls after which the machine could have been checked.
};

struct NetworkStats {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t unroutable = 0;  ///< To or from an address that nobody has.
  std::uint64_t filtered = 0;    ///< Dropped by a router.
};

class Network {
 public:
  explicit Network(std::uint64_t seed);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // --- machines --------------------------------------------------------------------------------

  /// A machine with an address: the one given, else the next free one.
  Host& add_host(std::unique_ptr<Node> node, SocketAddress address = {});
  /// `machine` must stay until it is detached or the network gone.
  template <Machine M, class OnEvent>
  Host& attach(M& machine, OnEvent on_event, SocketAddress address = {}) {
    return add_host(std::make_unique<MachineNode<M, OnEvent>>(machine, std::move(on_event)),
                    address);
  }
  /// The machine is gone without a word: what comes for it vanishes. A later replace() puts another
  /// in its place. Neither may be called from within that machine's own events.
  void detach(Host& host);
  void replace(Host& host, std::unique_ptr<Node> node);
  void add_address(Host& host, const SocketAddress& address);
  /// Moves a host: from now on it sends from, and is reached at, `to` instead of `from`.
  void change_address(Host& host, const SocketAddress& from, const SocketAddress& to);
  /// The host has this address no more.
  void remove_address(Host& host, const SocketAddress& address);
  /// A NAT stands before a host: what the host sends from `inside`, one of its addresses, others see
  /// coming from `outside`, and reach it there only. Called again it is a rebinding.
  void rebind(Host& host, const SocketAddress& inside, const SocketAddress& outside);
  SocketAddress new_address();   ///< 10.x.y.z:4433, never the same twice.
  SocketAddress new_address6();  ///< [2001:db8::n]:4433.
  /// Somebody wrote to the machine from outside: polls it at the present instant.
  void wake(Host& host);

  // --- routers ---------------------------------------------------------------------------------

  /// A router on the internet: with this external address, else the next free one.
  Router& add_router(const NatBoxConfig& config, SocketAddress outside = {});
  /// Puts a host behind a router, with the addresses that it has.
  void behind(Router& router, Host& host);
  /// Puts a router, before it has hosts, behind that of a carrier. Where the carrier translates, the router
  /// gets an address in 100.64/10.
  void behind(Router& carrier, Router& router);
  /// The router has another external address; what was mapped is forgotten.
  void change_address(Router& router, const SocketAddress& to);
  /// The router speaks NAT-PMP and PCP from now on.
  void add_gateway(Router& router, const NatGatewayConfig& config = {});
  /// The router forgets everything. If it has a gateway, that says so, ten times in two minutes, to all
  /// hosts behind the router: at kAnnouncements4 or kAnnouncements6.
  void reboot(Router& router);

  // --- links -----------------------------------------------------------------------------------

  /// Between a router and what is behind it, and between hosts behind it: only a short delay.
  static constexpr Link kLocalLink{.delay = 250us};
  /// Hosts without a link of their own have this one between them.
  void set_default_link(const Link& link) { default_link_ = link; }
  void connect(const Host& a, const Host& b, const Link& both) { connect(a, b, both, both); }
  void connect(const Host& a, const Host& b, const Link& forward, const Link& back);
  /// The direction from one host to another: to change the link, set a filter, read figures. Between hosts
  /// behind different routers, what lies between the outermost routers, which others behind them share.
  Pipe& pipe(const Host& from, const Host& to);
  /// A datagram out of nowhere that arrives now: forged addresses, replays, garbage.
  void inject(const SocketAddress& from, const SocketAddress& to, Bytes payload,
              Ecn ecn = Ecn::not_ect);
  /// Room for as many datagrams on their way at once; more is made when it is needed.
  void reserve_packets(std::size_t count);
  /// Sees each datagram that a machine sends, before the link does ...
  using Tap = std::function<void(const Passing&)>;
  void on_send(Tap tap) { taps_.push_back(std::move(tap)); }
  /// ... or each that a machine is about to get.
  void on_delivery(Tap tap) { delivery_taps_.push_back(std::move(tap)); }

  // --- time ------------------------------------------------------------------------------------

  [[nodiscard]] Instant now() const { return now_; }
  using Action = std::move_only_function<void()>;
  void at(Instant time, Action action);
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }
  /// One event; false when none is left.
  bool step();
  /// Runs until it holds, which is looked at after each event; false when it does not in time.
  bool run_until(const std::function<bool()>& predicate, Duration timeout);
  void run_for(Duration time);

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] SeededRandom& random() { return random_; }
  [[nodiscard]] const NetworkStats& stats() const { return stats_; }

 private:
  enum class EventKind : u8 { deliver, timer, wake, action };
  struct Event {
    Instant at;
    std::uint64_t order = 0;
    std::uint32_t index = 0;  ///< Packet, host or action.
    EventKind kind = EventKind::deliver;
  };
  struct Packet {
    SocketAddress from;
    SocketAddress to;
    Ecn ecn = Ecn::not_ect;
    const Realm* realm = nullptr;  ///< Where it is on its way.
    /// Whom it gets to, where that is not the host of `to`: a router, or a member of a multicast group.
    Host* next = nullptr;
    std::size_t size = 0;
    std::vector<u8> storage;
  };
  struct Later;

  Host& new_host();
  /// Others find the host at this address from now on, or no more: in its own realm, and in those outside
  /// which see the address untranslated.
  void publish(Host& host, const SocketAddress& address);
  void withdraw(Host& host, const SocketAddress& address);
  void publish_outside(const Host& host, const SocketAddress& address);
  void withdraw_outside(const Host& host, const SocketAddress& address);
  void on_address_gone(Host& host, const SocketAddress& address);
  void push(Instant at, EventKind kind, std::uint32_t index);
  void deliver(std::uint32_t index);
  void on_timer(Host& host, Instant armed);
  void pump(Host& host);
  void arm(Host& host);
  bool poll_event(Host& host);
  bool transmit(Host& host);
  /// Where the train leaves from; an error where the system refuses to send it.
  std::expected<SocketAddress, std::error_code> source_of(const Host& host, const Path& path) const;
  void send(Host& host, const SocketAddress& from, const SocketAddress& to, Ecn ecn,
            MutableBytes payload);
  /// One hop within a realm, from a host or router: to the host of that address, else to the gateway.
  void hop(Host& sender, const Realm& realm, Passing& datagram);
  /// A datagram has come to a router.
  void route(Router& router, Packet& packet);
  Pipe& pipe_between(const Host& from, const Host& to);
  /// The two ends of the link that lies between two hosts, in a realm that both or their routers are in.
  [[nodiscard]] static std::pair<const Host*, const Host*> ends_between(const Host& a,
                                                                        const Host& b);
  /// A host behind the router wrote to the gateway.
  void answer(Router& router, Packet& packet);
  void announce(Router& router, int times, Duration interval);
  void announce_to(Router& router, Host& host, const SocketAddress& from,
                   const SocketAddress& group);
  void deliver_at(Instant at, const Realm& realm, Host* next, const Passing& datagram);
  std::uint32_t take_packet(std::size_t size);
  void free_packet(std::uint32_t index);
  void trace(const Passing& datagram, std::string_view fate) const;
  /// In builds with assertions, after each call of a machine: its invariants must hold.
  void check(Host& host) const;
  [[noreturn]] void die(const Host& host, const char* what) const;
  /// Where a datagram that is on its way gets to.
  [[nodiscard]] static Host* destination(const Packet& packet);

  std::uint64_t seed_;
  SeededRandom random_;
  SeededRandom link_random_;
  Instant now_{1s};  ///< Not zero, so that nobody takes zero for "unset" unnoticed.
  bool trace_ = false;
  std::uint64_t order_ = 0;
  std::uint32_t addresses_made_ = 0;
  std::vector<Event> heap_;
  std::vector<std::unique_ptr<Host>> hosts_;
  Realm internet_;
  std::vector<std::unique_ptr<Router>> routers_;
  std::unordered_map<SocketAddress, SocketAddress> outside_;  ///< Of NATs: by the inside ...
  std::unordered_map<SocketAddress, SocketAddress> inside_;   ///< ... and back.
  std::unordered_map<std::uint64_t, std::unique_ptr<Pipe>> pipes_;
  std::vector<std::unique_ptr<Packet>> packets_;
  std::vector<std::uint32_t> free_packets_;
  std::vector<Action> actions_;
  std::vector<std::uint32_t> free_actions_;
  std::vector<u8> transmit_storage_;
  std::vector<Tap> taps_;
  std::vector<Tap> delivery_taps_;
  Link default_link_;
  NetworkStats stats_;
};

}  // namespace qpeer::sim
