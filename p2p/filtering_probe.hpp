// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Finds out whom the NAT or firewall before us lets in: a node that we are linked to as a client sends us a
// datagram from its other port, and has other nodes, to which we must not have written, do the same. See Knocks.
//
//   begin --> asked --KnockSent of its own--> --KnockSent of others--> FilteringFound
//
// Invariant: one question at a time, which ends by kAskTime and kSilence. A knock counts when its token is one
// that the node named, and when it came from where it must: the node's host, or another one.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

class FilteringProbe {
 public:
  /// From the question to what the node says that others sent.
  static constexpr Duration kAskTime = 1s;
  /// From the first knock of another node: its second one, a second later, has time to arrive.
  static constexpr Duration kSilence = 1'200ms;
  static constexpr std::size_t kMaxKnocks = 8;

  [[nodiscard]] bool is_open() const { return deadline_ != kNever; }
  /// `address` is where we wrote to the node.
  void begin(Instant now, const PeerId& node, const SocketAddress& address);
  void on_knock_sent(Instant now, const PeerId& node, const KnockSent& message);
  /// Whether it may be one that we asked for: then the node is to be told.
  [[nodiscard]] bool on_knock(const SocketAddress& source, const KnockToken& token);
  /// Whom to tell of it.
  [[nodiscard]] const PeerId& node() const { return node_; }

  [[nodiscard]] Instant next_deadline() const { return deadline_; }
  /// What was found, once that is sure or nothing more is waited for.
  std::optional<FilteringFound> take_result(Instant now);
  [[nodiscard]] bool consistent() const;

 private:
  struct Arrived {
    KnockToken token{};
    bool is_of_node = false;  ///< Of its host.
  };

  [[nodiscard]] bool has_arrived(const KnockToken& token, bool is_of_node) const;
  [[nodiscard]] std::optional<bool> other_port() const;
  [[nodiscard]] std::optional<bool> strangers() const;

  PeerId node_{};
  SocketAddress address_{};
  Instant deadline_ = kNever;
  std::vector<KnockSent> told_;  ///< The first is of the node's own knock.
  std::vector<Arrived> arrived_;
};

}  // namespace qpeer::p2p
