// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Finds out what a NetworkReport says, from one port: asks servers for our address, then one of them to
// answer from elsewhere, then at its other address; writes to our own address outside; and has the gateway
// map a port, which it gives back. RFC 5780 §4.3, §4.4; RFC 4787.
//
//   start --> binding requests to all servers ------------------------------> report
//             | answer --> hairpin request                                ^   |
//             | answer with OTHER-ADDRESS --> answers from elsewhere? ----|   v
//             |                  both known --> bindings at the other address  the mapping is given back
//             '- gateway: PCP, NAT-PMP -----------------------------------'
//
// Its owner may have nodes find out the filtering meanwhile (see FilteringProbe); servers that must not be
// written to before are given with what was found.
//
// What the report says of filtering holds only while we have not written to the other address: so nothing
// is sent there before, and a server whose other host is asked as well is not asked to answer from there.
//
// Invariant: every open query has its step; the report is given once, when nothing is open or at the limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/p2p/nat/port_mapper.hpp"
#include "qpeer/p2p/nat/stun_client.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

struct NetworkProbeConfig {
  Duration time_limit = 2'500ms;  ///< When the report is given with what is known.
  StunClientConfig bindings = StunClientConfig::for_report();
  /// For what may never be answered: it is given up 1.1 seconds after it began.
  StunClientConfig tests = {
      .retransmission_timeout = 100ms, .max_requests = 4, .last_wait = 4, .timeout = 3s};
};

/// What nodes found out.
struct FoundFiltering {
  NatFiltering ipv4 = NatFiltering::unknown;
  NatFiltering ipv6 = NatFiltering::unknown;
};

/// A Machine.
class NetworkProbe {
 public:
  using Config = NetworkProbeConfig;
  /// More servers than these are not asked.
  static constexpr std::size_t kMaxServers = 8;

  /// `random` must outlive it.
  explicit NetworkProbe(Random& random, Config config = {})
      : config_(config),
        bindings_(random, config.bindings),
        tests_(random, config.tests),
        mapper_(random) {}

  /// Begins, once. `gateway.remote` is the router, and `gateway.local` our private address with a port that
  /// is mapped for a moment: not the port that all is sent from, as the servers would see the mapping then.
  /// Without a valid() remote no gateway is asked. `more_follows`: the report waits for add() or the limit.
  void start(Instant now, std::span<const SocketAddress> servers, const Path& gateway = {},
             bool more_follows = false);
  /// Asks these servers too, once, after a start() with `more_follows`. `found` holds where no server shows
  /// the filtering.
  void add(Instant now, std::span<const SocketAddress> servers, const FoundFiltering& found);

  void on_datagram(Instant now, ReceivedDatagram datagram);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  /// The report, once.
  std::optional<NetworkReport> poll_event() { return std::exchange(report_, std::nullopt); }

  /// Whether nothing is left to be done: the report was given, and the mapping was given back.
  [[nodiscard]] bool is_finished() const {
    return step_ == Step::reported && !report_ && mapper_.is_idle();
  }
  /// Whether what is open agrees with what is awaited. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  enum class Step : u8 { idle, probing, reported };
  /// Our address as a server sees it.
  struct Sighting {
    SocketAddress server;
    SocketAddress own;
    SocketAddress seen;
  };
  /// Asked to answer from elsewhere: what came of it.
  struct Detours {
    SocketAddress server{};  ///< valid() when one was asked.
    SocketAddress other{};
    StunQuery host_and_port = 0;
    StunQuery port = 0;
    std::optional<StunResult::Outcome> from_host_and_port{};
    std::optional<StunResult::Outcome> from_port{};
  };
  struct Family {
    std::vector<Sighting> sightings{};
    Detours detours{};
    StunQuery hairpin = 0;
    std::optional<bool> has_hairpin{};
    NatFiltering found = NatFiltering::unknown;  ///< By nodes.
  };

  [[nodiscard]] Family& family_of(const SocketAddress& address) {
    return address.is_ipv4() ? ipv4_ : ipv6_;
  }
  void ask(Instant now, std::span<const SocketAddress> servers);
  void take_results(Instant now);
  void on_binding(Instant now, const StunResult& result);
  void on_test(Instant now, const StunResult& result);
  void on_other_address(Instant now, Family& family, const StunResult& result);
  void on_detours_known(Instant now, Family& family);
  StunQuery test(Instant now, const SocketAddress& server, const StunDetour& detour);
  [[nodiscard]] bool is_waiting() const {
    return bindings_.open() + tests_.open() > 0 || mapper_open_ || more_follows_;
  }
  void report_if_done(Instant now);
  void give_report(Instant now);

  [[nodiscard]] static FamilyReport report_of(const Family& family);
  [[nodiscard]] static NatMapping mapping_of(std::span<const Sighting> sightings);
  [[nodiscard]] static NatFiltering filtering_of(const Detours& detours);

  Config config_;
  StunClient bindings_;
  StunClient tests_;
  PortMapper mapper_;
  Step step_ = Step::idle;
  Instant limit_ = kNever;
  SocketAddress received_at_{};  ///< Where the datagram at hand arrived.
  std::vector<std::pair<StunQuery, ServerReport>> servers_;  ///< As they were given.
  Family ipv4_;
  Family ipv6_;
  GatewayReport gateway_;
  bool more_follows_ = false;
  bool mapper_open_ = false;  ///< Neither granted nor refused yet.
  std::optional<NetworkReport> report_;
};

static_assert(Machine<NetworkProbe>);

}  // namespace qpeer::p2p
