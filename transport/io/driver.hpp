// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Joins one machine, its UDP sockets (mostly one) and one event loop. All that happens to the
// machine happens here, in the loop's thread:
//
//   readable --> receive a batch --> on_datagram for each --+
//   timer    --> on_deadline when due ----------------------+--> pump --> re-arm the timer
//   wake()   --> (once a turn, however often called) -------+
//
//   pump:  poll_event until empty, poll_transmit until nullopt or would-block; again while the
//          owner's event handler may have given the machine something to send.
//
// Of several sockets a train leaves from the one whose port is Transmit::path.local's, else from
// the first. A datagram's path.local has the port of the socket that it came in on. One train is on
// its way at a time: while a socket is full, the others send nothing either.
//
// A machine that has on_refused(Instant, const Transmit&, std::error_code) learns of each train of
// which the operating system refused datagrams: they are gone, but not lost on their way. One that has
// on_local_address_gone(Instant, const SocketAddress&) learns of IP addresses that this machine loses, one
// that has on_network_changed(Instant) that it gained an address, a default route or a link, one that has
// on_routes_changed(Instant, SourceOf) which address the system now sends from, one that has
// on_network(Instant, const Path&, const Path&) of the ways to the internet, by IPv4 and by IPv6, at first
// and whenever one of these changes, and one that has on_port_closed(Instant, const SocketAddress&, Bytes) of
// ICMP messages about closed ports.
//
// Work per turn is bounded; what is left continues in the next. No allocation in steady state.
// An event handler may throw: the exception leaves the loop's turn, and the driver continues in the
// next turn with the events behind that one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/network_reports.hpp"
#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io {

/// The bounds of one turn.
struct DriverOptions {
  std::size_t receive_batches = 4;  ///< System calls that receive.
  std::size_t receive_regions = 8;  ///< Trains of each such call, at most UdpSocket::kMaxRegions.
  std::size_t transmit_trains = 32;
  std::size_t rounds = 4;  ///< Of events and answers to them.
};

/// Single-threaded, of the loop's thread. The machine and the loop must outlive it.
template <Machine M>
class Driver {
 public:
  using Options = DriverOptions;
  using Event = std::remove_cvref_t<decltype(*std::declval<M&>().poll_event())>;
  /// May call anything of the machine and the driver, and may destroy the driver. What it made the
  /// machine want to send is sent when it returns, without a wake().
  using OnEvent = std::move_only_function<void(Event&&)>;
  using OnError = std::move_only_function<void(std::error_code)>;

  /// Begins to drive `machine`; what it wants to send at once leaves in the loop's next turn.
  /// Fails when the loop cannot watch the socket.
  [[nodiscard]] static std::expected<std::unique_ptr<Driver>, std::error_code> start(
      EventLoop& loop, UdpSocket socket, M& machine, OnEvent on_event,
      const Options& options = {}) {
    std::vector<UdpSocket> sockets;
    sockets.push_back(std::move(socket));
    return start(loop, std::move(sockets), machine, std::move(on_event), options);
  }
  /// The same with several sockets, at least one, of different ports. An error of any ends all.
  [[nodiscard]] static std::expected<std::unique_ptr<Driver>, std::error_code> start(
      EventLoop& loop, std::vector<UdpSocket> sockets, M& machine, OnEvent on_event,
      const Options& options = {}) {
    if (sockets.empty()) return std::unexpected(make_error_code(std::errc::invalid_argument));
    std::unique_ptr<Driver> driver{
        new Driver(loop, sockets, machine, std::move(on_event), options)};
    for (Port& port : driver->ports_) {
      auto watch = loop.watch(
          port.socket.fd(), Interest::read,
          [self = driver.get(), &port](Ready ready, Instant) { self->on_ready(port, ready); });
      if (!watch) return std::unexpected(watch.error());
      port.watch = std::move(*watch);
    }
    driver->network_.start(driver->socket().local_address());
    driver->wake();
    return driver;
  }
  ~Driver() {
    if (turn_ == nullptr) return;
    turn_->driver = nullptr;
    turn_->running = std::move(on_event_);
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// The machine may have something to send, or another deadline: to be called after every write or
  /// other call on it that did not come from on_event. Cheap: many calls are one pump, at the
  /// latest in the loop's next turn.
  void wake() {
    if (error_) return;
    if (turn_ != nullptr) {
      woken_ = true;
    } else {
      timer_.fire_soon();
    }
  }
  /// As wake(), but pumps before it returns: for what must be sent before an end. Calls on_event.
  /// From within on_event it is the same as wake().
  void flush() {
    if (turn_ != nullptr || error_) return wake();
    Turn turn{*this};
    begin_turn();
    pump(turn, io::now());
    end_turn(turn);
  }

  /// Called once if a socket fails for good; the driver does nothing any more then.
  void on_error(OnError callback) { on_error_ = std::move(callback); }
  /// The error that ended it, if any.
  [[nodiscard]] std::error_code error() const { return error_; }

  /// How many sockets there are; `index` of one is its place in the list given to start().
  [[nodiscard]] std::size_t sockets() const { return ports_.size(); }
  [[nodiscard]] const UdpSocket& socket(std::size_t index = 0) const {
    return ports_[index].socket;
  }
  /// As given to start().
  [[nodiscard]] EventLoop& loop() const { return loop_; }
  [[nodiscard]] M& machine() const { return machine_; }
  /// Whether a train waits for its socket to become writable. For tests alone: nothing else shows it.
  [[nodiscard]] bool is_blocked() const { return unsent_.has_value(); }

 private:
  friend class NetworkReports<M, Driver>;

  struct Port {
    UdpSocket socket;
    Watch watch{};
    bool watches_write = false;
  };

  // A turn that is on the stack. The driver's destructor clears `driver`.
  struct Turn {
    explicit Turn(Driver& owner) : driver(&owner) { owner.turn_ = this; }
    ~Turn() {
      if (driver == nullptr) return;
      driver->turn_ = nullptr;
      if (!ended) driver->timer_.fire_soon();  // An event handler threw.
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    [[nodiscard]] bool alive() const { return driver != nullptr && !driver->error_; }
    Driver* driver;
    bool ended = false;
    std::unique_ptr<OnEvent> running;  // Survives a driver that it destroyed.
  };

  // Takes the sockets.
  Driver(EventLoop& loop, std::span<UdpSocket> sockets, M& machine, OnEvent on_event,
         const Options& options)
      : loop_(loop),
        machine_(machine),
        on_event_(std::make_unique<OnEvent>(std::move(on_event))),
        options_(options),
        slab_size_(std::clamp<std::size_t>(options.receive_regions, 1, UdpSocket::kMaxRegions) *
                   UdpSocket::kRegionSize),
        slab_(std::make_unique_for_overwrite<u8[]>(slab_size_)),
        storage_(std::make_unique_for_overwrite<u8[]>(kMaxTransmitSize)),
        timer_(loop, [this](Instant) { on_timer(); }),
        network_(loop, machine, *this) {
    ports_.reserve(sockets.size());
    for (UdpSocket& socket : sockets) ports_.push_back({.socket = std::move(socket)});
    sender_ = ports_.data();
  }

  void on_ready(Port& port, Ready ready) {
    Turn turn{*this};
    begin_turn();
    if (ready.writable && sender_ == &port) can_send_ = true;
    bool more = ready.readable;
    for (std::size_t i = 0; more && i < options_.receive_batches && turn.alive(); ++i) {
      const Instant now = receive_batch(turn, port.socket, more);
      report_closed_ports(now, port.socket);
      if (turn.alive()) pump(turn, now);
    }
    if (!ready.readable) pump(turn, io::now());
    end_turn(turn);
  }

  // A deadline or a wake(): the machine knows which.
  void on_timer() {
    Turn turn{*this};
    begin_turn();
    const Instant now = io::now();
    if (machine_.next_deadline() <= now) machine_.on_deadline(now);
    if (turn.alive()) pump(turn, now);
    end_turn(turn);
  }

  // What changed in the network, of which `network_` tells the machine.
  void on_network_due() {
    Turn turn{*this};
    begin_turn();
    const Instant now = io::now();
    network_.report(now);
    pump(turn, now);
    end_turn(turn);
  }

  void begin_turn() {
    trains_left_ = options_.transmit_trains;
    has_more_ = false;
  }

  void end_turn(Turn& turn) {
    turn.ended = true;
    if (turn.driver == nullptr) return;
    if (!error_) return arm();
    timer_.cancel();
    for (Port& port : ports_) port.watch.reset();
    network_.stop();
    if (on_error_) std::exchange(on_error_, nullptr)(error_);
  }

  // One receive. The clock is read once for all that it brought. Clears `more` when drained.
  Instant receive_batch(const Turn& turn, UdpSocket& socket, bool& more) {
    std::array<ReceivedTrain, UdpSocket::kMaxRegions> trains;
    const auto received = socket.receive_trains({slab_.get(), slab_size_}, trains);
    const Instant now = io::now();
    if (!received) {
      error_ = received.error();
      return now;
    }
    more = *received * UdpSocket::kRegionSize == slab_size_;
    for (const ReceivedTrain& train : std::span(trains).first(*received)) {
      train.for_each([&](const ReceivedDatagram& datagram) {
        if (turn.alive()) machine_.on_datagram(now, datagram);
      });
    }
    return now;
  }

  void pump(const Turn& turn, Instant now) {
    for (std::size_t round = 0; round < options_.rounds; ++round) {
      const bool had_events = drain_events(turn);
      if (!turn.alive() || (round > 0 && !had_events && !woken_)) return;
      woken_ = false;
      transmit(now);
      if (error_) return;
    }
    has_more_ = true;
  }

  // Whether there were any events. Afterwards the driver may be destroyed.
  bool drain_events(const Turn& turn) {
    bool any = false;
    while (turn.alive()) {
      auto event = machine_.poll_event();
      if (!event) break;
      any = true;
      if (*on_event_) (*on_event_)(std::move(*event));
    }
    return any;
  }

  // Sends what the machine has until it has no more, the socket is full, or the turn's bound. The
  // clock is read again after each train: 32 of them take long enough to spoil a round-trip time.
  void transmit(Instant now) {
    if (!can_send_ || (unsent_ && !send_unsent(now))) return;
    while (trains_left_ > 0) {
      TransmitBuffer out{{storage_.get(), kMaxTransmitSize}};
      unsent_ = machine_.poll_transmit(now, out);
      if (!unsent_) return;
      unsent_offset_ = 0;
      if (ports_.size() > 1) choose_sender();
      --trains_left_;
      if (!send_unsent(now)) return;
      now = io::now();
    }
    has_more_ = true;
  }

  void choose_sender() {
    const auto at = std::ranges::find(ports_, unsent_->path.local.port(), [](const Port& port) {
      return port.socket.local_address().port();
    });
    sender_ = at == ports_.end() ? ports_.data() : &*at;
  }

  // Whether the train was sent; else it waits for the socket.
  bool send_unsent(Instant now) {
    UdpSocket& socket = sender_->socket;
    const std::uint64_t lost_before = socket.stats().datagrams_lost;
    const auto sent = socket.send(*unsent_, {storage_.get(), unsent_->size}, unsent_offset_);
    if (!sent) error_ = sent.error();
    if (socket.stats().datagrams_lost != lost_before) report_refused(now, socket);
    report_closed_ports(now, socket);
    can_send_ = sent && *sent;
    if (can_send_) unsent_.reset();
    return can_send_;
  }

  void report_refused(Instant now, const UdpSocket& socket) {
    if constexpr (requires { machine_.on_refused(now, *unsent_, std::error_code{}); }) {
      machine_.on_refused(now, *unsent_, socket.stats().last_send_error);
      woken_ = true;  // It may go on elsewhere, without an event.
    }
  }

  void report_closed_ports(Instant now, UdpSocket& socket) {
    if constexpr (requires { machine_.on_port_closed(now, SocketAddress{}, Bytes{}); }) {
      if (!socket.has_closed_ports()) return;
      for (const ClosedPort& each : socket.take_closed_ports()) {
        machine_.on_port_closed(now, each.remote, each.quoted());
      }
      woken_ = true;
    }
  }

  void arm() {
    const bool blocked = !can_send_;
    for (Port& port : ports_) {
      const bool wants_write = blocked && sender_ == &port;
      if (wants_write == port.watches_write) continue;
      port.watches_write = wants_write;
      port.watch.set_interest(wants_write ? Interest::read_write : Interest::read);
    }
    if (has_more_) return timer_.fire_soon();
    // A machine whose datagram waits for a socket may name a time that has passed.
    const Instant deadline = machine_.next_deadline();
    timer_.set(blocked ? std::max(deadline, loop_.turn_time() + 1ms) : deadline);
  }

  EventLoop& loop_;
  M& machine_;
  std::unique_ptr<OnEvent> on_event_;
  OnError on_error_;
  Options options_;
  std::size_t slab_size_;
  std::unique_ptr<u8[]> slab_;
  std::unique_ptr<u8[]> storage_;   // Of the train being built, or of the unsent one.
  std::optional<Transmit> unsent_;  // Waits for `sender_`; `can_send_` is false then.
  std::size_t unsent_offset_ = 0;
  std::size_t trains_left_ = 0;
  std::error_code error_;
  Turn* turn_ = nullptr;
  bool can_send_ = true;
  bool woken_ = false;     // Within this turn, since the last transmit.
  bool has_more_ = false;  // A bound ended the turn.
  Timer timer_;
  NetworkReports<M, Driver> network_;
  std::vector<Port> ports_;  // Never grows: watches and `sender_` point into it.
  Port* sender_ = nullptr;   // Of the latest train.
};

}  // namespace qpeer::io
