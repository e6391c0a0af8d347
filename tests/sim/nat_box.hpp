// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A NAT box or firewall in the words of RFC 4787: it translates the addresses of a datagram, or drops
// the datagram.
//
//   from X:x to Y:y    --from_inside-->    mapping X:x <-> X':x'      -->  from X':x' to Y:y
//   from Y:y to X:x   <--from_outside--   filter: may Y:y write?     <--  from Y:y to X':x'
//
// The box knows neither the network nor the payload. Time is an argument; what is random follows from
// the seed. IPv4 is translated, unless the box is a firewall; IPv6 is only filtered.
//
// Invariant: one external endpoint belongs to one mapping, and every mapping is found by its internal
// endpoint too.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::sim {

/// How much of the remote endpoint counts. RFC 4787 §4.1 (mapping), §5 (filtering).
enum class NatDependence : u8 {
  endpoint_independent,
  address_dependent,
  address_and_port_dependent
};

/// Which external port a new mapping gets. RFC 4787 §4.2.1.
enum class PortAssignment : u8 {
  preserve,    ///< The internal one; a random one where that is taken.
  sequential,  ///< The port of the mapping before, plus `port_step`.
  random,      ///< Any.
  block,       ///< A random one of the `port_block` ports that belong to the internal host.
};

/// Which source address a datagram has that returns to the inside. RFC 4787 §6.
enum class Hairpin : u8 { off, external_source, internal_source };

/// Datagrams of which direction restart the timers of a mapping. RFC 4787 §4.3.
enum class NatRefresh : u8 { outbound, both };

/// What a datagram does that no filter lets in.
enum class OnUnsolicited : u8 {
  drop,
  /// It occupies the pair of external endpoint and remote endpoint for kRememberTime, as an entry in the
  /// table of Linux does: what the inside sends to that remote endpoint meanwhile leaves by another port.
  remember,
  /// Nothing from its source enters for kPunishTime, whatever the inside sends there.
  punish,
};
inline constexpr Duration kRememberTime = 30s;
inline constexpr Duration kPunishTime = 10s;

/// How a box behaves. The defaults are those that RFC 4787 asks for, with its strictest filter.
struct NatBoxConfig {
  bool translates = true;  ///< Off: a firewall, which keeps every address.
  NatDependence mapping = NatDependence::endpoint_independent;
  NatDependence filtering = NatDependence::address_and_port_dependent;
  PortAssignment ports = PortAssignment::preserve;
  std::uint16_t port_step = 1;
  std::uint16_t port_block = 512;
  Hairpin hairpin = Hairpin::external_source;
  Duration timeout = 5min;  ///< Of mappings, and of the permission of a remote endpoint to write.
  NatRefresh refresh = NatRefresh::outbound;
  OnUnsolicited on_unsolicited = OnUnsolicited::drop;
  std::size_t max_mappings = 65'536;  ///< With more, what would need a new one is dropped.
};

enum class NatFate : u8 {
  forwarded,
  hairpinned,  ///< It came from the inside and returns there.
  unmapped,    ///< No mapping has this external endpoint.
  filtered,
  punished,
  no_hairpin,
  table_full,
};
std::string_view to_string(NatFate fate);

/// What became of a datagram, and its new addresses where it passes.
struct Translation {
  NatFate fate = NatFate::forwarded;
  SocketAddress from{};
  SocketAddress to{};

  [[nodiscard]] bool passes() const {
    return fate == NatFate::forwarded || fate == NatFate::hairpinned;
  }
};

class NatBox {
 public:
  /// `outside` is the external IPv4 address; its port does not count.
  NatBox(const NatBoxConfig& config, const SocketAddress& outside, std::uint64_t seed);

  // --- datagrams -------------------------------------------------------------------------------

  [[nodiscard]] Translation from_inside(Instant now, const SocketAddress& from,
                                        const SocketAddress& to);
  [[nodiscard]] Translation from_outside(Instant now, const SocketAddress& from,
                                         const SocketAddress& to);

  // --- what an owner or a gateway does ---------------------------------------------------------

  /// Everybody may write to `inside` at this external port, until then. A forwarding of `inside` that
  /// there was before ends. False when the port belongs to another internal endpoint, or there is no room.
  bool forward(Instant now, const SocketAddress& inside, std::uint16_t port,
               Instant until = kNever);
  /// Ends the forwarding, and what was mapped by it.
  void remove_forward(const SocketAddress& inside);
  /// The external endpoint that is forwarded to `inside`.
  [[nodiscard]] std::optional<SocketAddress> forwarded(Instant now, const SocketAddress& inside);

  // --- what happens to a box -------------------------------------------------------------------

  /// Forgets its mappings, but not its forwardings. The mappings to come get other ports.
  void rebind();
  /// Forgets everything.
  void reboot();
  /// Has another external address, and forgets its mappings. Its forwardings go on at the new address.
  void set_outside(const SocketAddress& outside);

  [[nodiscard]] bool translates(const SocketAddress& address) const {
    return config_.translates && address.is_ipv4();
  }
  [[nodiscard]] const SocketAddress& outside() const { return outside_; }
  [[nodiscard]] const NatBoxConfig& config() const { return config_; }
  [[nodiscard]] std::size_t mappings(Instant now);
  [[nodiscard]] bool consistent() const;

 private:
  struct Mapping {
    SocketAddress inside;
    SocketAddress remote;  ///< As much of the remote endpoint as the mapping is for.
    Instant until;         ///< When it times out, or the lease of a forwarding ends.
    bool forwarded = false;
    /// The remote endpoints that the inside has written to, and until when each of them may write.
    std::map<SocketAddress, Instant> permitted{};
  };
  using Mappings = std::map<SocketAddress, Mapping>;  ///< By the external endpoint.
  using Pair = std::pair<SocketAddress, SocketAddress>;

  void expire(Instant now);
  void expire_not_after(Instant at) { next_expiry_ = std::min(next_expiry_, at); }
  Mappings::iterator erase(Mappings::iterator at);
  void forget_mappings();
  /// The mapping that a datagram from `inside` to `remote` uses, made when there is none.
  Mappings::iterator outbound(Instant now, const SocketAddress& inside,
                              const SocketAddress& remote);
  Mappings::iterator add(Instant now, const SocketAddress& inside, const SocketAddress& remote,
                         const SocketAddress& remote_part);
  [[nodiscard]] bool permits(const Mapping& mapping, const SocketAddress& remote) const;
  [[nodiscard]] Translation refuse(Instant now, NatFate fate, const SocketAddress& from,
                                   const SocketAddress& to);
  [[nodiscard]] std::optional<SocketAddress> assign(const SocketAddress& inside,
                                                    const SocketAddress& remote);
  [[nodiscard]] bool is_free(std::uint16_t port, const SocketAddress& remote) const;
  [[nodiscard]] std::optional<std::uint16_t> block_of(const SocketAddress& inside);

  NatBoxConfig config_;
  SocketAddress outside_;
  SeededRandom random_;
  Mappings mappings_;
  std::map<Pair, SocketAddress> by_inside_;  ///< Internal endpoint and part of the remote one.
  std::map<SocketAddress, SocketAddress> forwards_;  ///< Internal to external endpoint.
  std::map<SocketAddress, std::uint16_t> blocks_;    ///< Of internal hosts: the first port.
  std::map<Pair, Instant> remembered_;               ///< External and remote endpoint.
  std::map<SocketAddress, Instant> punished_;        ///< Remote endpoints.
  std::set<std::uint16_t> retired_;                  ///< Ports that were given up by rebind().
  std::uint32_t next_port_;                          ///< Of sequential assignment, from the lowest.
  Instant next_expiry_ = kNever;                     ///< Not later than anything here ends.
};

}  // namespace qpeer::sim
