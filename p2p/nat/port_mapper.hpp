// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Has the gateway of our network map a UDP port of ours to the outside, and keeps the mapping: by PCP, or
// else by NAT-PMP. RFC 6887 §8, §11, §14.1.3, §15; RFC 6886 §3.1 to §3.7.
//
//   idle --start--> probing --answer--> mapped --half of the lifetime--> mapped
//                   probing --both refuse--> probing again when the error is over
//                                         mapped --expired, refused--> probing
//                                         mapped --remove--> removing --answer, 3 requests--> idle
//
// While probing, PCP is asked first. NAT-PMP is asked 250 ms later, or at once when PCP is refused. The one
// that answers first counts. Requests go on, each protocol at its own pace; silence is reported
// after 500 ms, once.
//
// What a gateway says is a claim: whether strangers get through must be proved by one of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "qpeer/p2p/nat/gateway_epoch.hpp"
#include "qpeer/p2p/nat/nat_pmp.hpp"
#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/p2p/nat/pcp.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// Whether packets of strangers can be sent there at all: what a gateway may say that it maps.
[[nodiscard]] bool may_be_outside(const SocketAddress& address);
/// Whether a gateway with this address outside is behind another NAT.
[[nodiscard]] bool is_behind_nat(const SocketAddress& external);

/// There is no mapping, or none any more. The mapper goes on trying.
struct NoPortMapping {
  MappingFailure why = MappingFailure::no_answer;
  friend bool operator==(const NoPortMapping&, const NoPortMapping&) = default;
};

using PortMapperEvent = std::variant<PortMapping, NoPortMapping>;

struct PortMapperConfig {
  Duration lifetime = 2h;      ///< What we ask for. RFC 6886 §3.3 [rfc6886-3.3-2].
  Duration pcp_interval = 3s;  ///< Of requests without an answer; doubles. RFC 6887 §8.1.1.
  Duration max_pcp_interval = 1024s;
  Duration nat_pmp_interval = 250ms;  ///< The same of NAT-PMP. RFC 6886 §3.1.
  unsigned max_nat_pmp_requests = 9;
};

/// Figures of a PortMapper.
struct PortMapperStats {
  std::uint64_t requests = 0;   ///< Sent, of both protocols.
  std::uint64_t responses = 0;  ///< Taken.
  std::uint64_t ignored = 0;    ///< Came from the gateway's port, and were none that is awaited.
};

/// A Machine. One mapping at one gateway.
class PortMapper {
 public:
  using Config = PortMapperConfig;
  static constexpr Duration kMaxLifetime = 24h;  ///< RFC 6887 §15 [rfc6887-15-5] [rfc6887-8.3-3].
  static constexpr Duration kMinInterval =
      4s;  ///< Of renewals. RFC 6887 §11.2.1 [rfc6887-11.2.1-5].
  static constexpr Duration kMinErrorTime = 30s;
  static constexpr Duration kMaxErrorTime = 30min;
  static constexpr unsigned kMaxRemovals = 3;

  /// `random` must outlive it.
  explicit PortMapper(Random& random, Config config = {}) : random_(random), config_(config) {}

  /// Maps the port of `internal`, our own address, at this gateway. Forgets what it had elsewhere.
  void start(Instant now, const SocketAddress& gateway, const SocketAddress& internal);
  /// The mapping does not do what it should: has it removed, and begins anew.
  void restart(Instant now);
  /// The mapping is not needed any more: has it removed, also where the answer that grants it has not come
  /// yet. No event follows.
  void remove(Instant now);
  /// Whether nothing is to be done until start().
  [[nodiscard]] bool is_idle() const { return state_ == State::idle; }
  /// What the gateway has mapped.
  [[nodiscard]] const std::optional<PortMapping>& mapping() const { return mapping_; }

  void on_datagram(Instant now, ReceivedDatagram datagram) {
    on_response(now, datagram.path.remote, datagram.payload);
  }
  /// False for what is not from the gateway, or is no answer that is awaited, nor an announcement.
  bool on_response(Instant now, const SocketAddress& from, Bytes datagram);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  /// Of two events that were not taken the newer one replaces the older one.
  std::optional<PortMapperEvent> poll_event() { return std::exchange(event_, std::nullopt); }

  [[nodiscard]] const PortMapperStats& stats() const { return stats_; }
  /// Whether state, timers and mapping agree. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  enum class State : u8 { idle, probing, mapped, removing };
  enum class NatPmpStep : u8 { none, external_address, map };
  /// The requests of one protocol.
  struct Requests {
    bool due = false;     ///< To be sent by poll_transmit().
    Instant at = kNever;  ///< When the next one is due, or when no answer is waited for any more.
    unsigned sent = 0;
    Duration interval{};

    [[nodiscard]] bool under_way() const { return due || at != kNever; }
    void stop() {
      due = false;
      at = kNever;
    }
  };
  struct Pcp {
    Requests requests;
    PcpNonce nonce{};
    GatewayEpoch epoch;
  };
  struct NatPmp {
    Requests requests;
    NatPmpStep step = NatPmpStep::none;  ///< What is asked for.
    SocketAddress external{};            ///< The newest that the gateway said.
    GatewayEpoch epoch;
  };

  void probe(Instant now);
  void begin_nat_pmp();
  [[nodiscard]] std::optional<MappingProtocol> requested(Instant now) const;
  void begin_removal(MappingProtocol protocol, bool probes_afterwards);
  void end_removal(Instant now);
  void stop_all();

  bool on_pcp(Instant now, const PcpResponse& response);
  bool on_pcp_map(Instant now, const PcpResponse& response);
  bool on_unsupported_version(Instant now, const PcpResponse& response);
  bool on_nat_pmp(Instant now, const NatPmpResponse& response);
  void on_external_address(Instant now, const SocketAddress& external);
  bool on_announced_address(Instant now, const NatPmpResponse& response);

  void adopt(Instant now, MappingProtocol protocol, const SocketAddress& external,
             std::chrono::seconds lifetime);
  void fail(Instant now, MappingProtocol protocol, MappingFailure why, Duration error_time);
  void report_failure();
  void renew(Instant now);
  void renew_later(Instant now);
  void recreate_soon(Instant now);

  void on_pcp_deadline(Instant now);
  void on_nat_pmp_deadline(Instant now);
  void write_pcp(Instant now, Writer& out);
  void write_nat_pmp(Instant now, Writer& out);
  [[nodiscard]] unsigned max_removals() const { return probes_after_removal_ ? 1 : kMaxRemovals; }
  [[nodiscard]] bool may_use_nat_pmp() const;
  [[nodiscard]] Duration up_to(Duration bound);
  [[nodiscard]] Duration jittered(Duration about);

  Random& random_;
  Config config_;
  SocketAddress gateway_{};
  SocketAddress internal_{};
  State state_ = State::idle;
  bool probes_after_removal_ = false;
  std::optional<PortMapping> mapping_;
  std::optional<MappingFailure> failure_;   ///< Why an answer of this probe refused.
  std::optional<MappingFailure> reported_;  ///< The newest event, unless there is a mapping.
  Instant report_at_ = kNever;              ///< When the lack of a mapping is reported.
  Instant retry_at_ = kNever;               ///< When an error is over.
  Instant renew_at_ = kNever;
  Instant expires_at_ = kNever;
  Instant sent_at_{};  ///< The newest request.
  Pcp pcp_;
  NatPmp nat_pmp_;
  std::optional<PortMapperEvent> event_;
  PortMapperStats stats_;
};

static_assert(Machine<PortMapper>);

}  // namespace qpeer::p2p
