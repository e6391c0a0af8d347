// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the harnesses of p2p::Node share: limits that a short input reaches, and what a malicious peer does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <vector>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::fuzz {

inline constexpr std::size_t kMaxSteps = 100;

/// A size of one byte, and as many bytes, or all that are left.
inline Bytes take_bytes(Reader& in) {
  const std::size_t size = in.byte();
  return in.bytes(std::min(size, in.remaining()));
}

/// Limits that a short input reaches.
inline sim::SimPeerConfig small_config(p2p::Role role) {
  sim::SimPeerConfig out;
  p2p::NodeConfig& node = out.node;
  node.role = role;
  node.max_links = 6;
  node.max_unintroduced = 4;
  node.recheck_interval = 20s;
  node.max_message_size = 4'000;
  node.max_queued_bytes = 10'000;
  node.max_queued_network = 15'000;
  node.max_queued_total = 20'000;
  node.max_queued_messages = 20;
  node.max_inbox_bytes = 8'000;
  node.max_inbox_network = 12'000;
  node.max_inbox_total = 16'000;
  node.message_timeout = 10s;
  node.raw_stream_timeout = 15s;
  node.cache.capacity = 3;
  node.cache.prefix_share = 2;
  return out;
}

/// The system refuses what the node sends next.
inline void refuse_next(p2p::Node& node, Instant now, bool for_good) {
  std::vector<u8> storage(2'000);
  TransmitBuffer out{.storage = storage, .max_segments = 1};
  const auto error =
      std::make_error_code(for_good ? std::errc::invalid_argument : std::errc::message_size);
  if (const auto train = node.poll_transmit(now, out)) node.on_refused(now, *train, error);
}

/// What a malicious peer does to a target, by a number from 0 to 15. It dials a few times at most.
class MaliciousSteps {
 public:
  explicit MaliciousSteps(sim::MaliciousPeer& peer) : peer_(peer) {}

  /// On one of its connections. `address` is where the target is dialled.
  void act(const SocketAddress& address, std::size_t which, unsigned what, Reader& in) {
    if (what < 2) {
      if (peer_.lines.size() < kMaxLines) {
        peer_.dial(address, what == 0 ? p2p::Purpose::link : p2p::Purpose::probe);
      }
      return;
    }
    if (peer_.lines.empty()) return;
    // From the newest on, for those close first that misbehave.
    auto& line = peer_.lines[peer_.lines.size() - 1 - which % peer_.lines.size()];
    if (peer_.connection(line) == nullptr || !line.connected) return;
    what < 12 ? send(line, what, in) : change(line, what, in);
  }

  /// The newest connection that is open, if any.
  [[nodiscard]] sim::MaliciousPeer::Line* open_line() {
    const auto is_open = [this](const auto& line) {
      return line.connected && peer_.connection(line) != nullptr;
    };
    const auto at = std::find_if(peer_.lines.rbegin(), peer_.lines.rend(), is_open);
    return at == peer_.lines.rend() ? nullptr : &*at;
  }

 private:
  static constexpr std::size_t kMaxLines = 12;

  void send(sim::MaliciousPeer::Line& line, unsigned what, Reader& in) {
    switch (what) {
      case 2:
        return peer_.send_control(line, peer_.introduction(line));
      case 3:
        return peer_.send_bytes(line, take_bytes(in));
      case 4:
      case 5:
        if (const auto stream = peer_.opens(line, what == 4)) opened_ = *stream;
        return;
      case 6:
      case 7:
        peer_.writes(line, opened_, take_bytes(in), what == 7);
        return;
      case 8: {
        const std::vector<u8> much(3'000, 1);
        peer_.writes(line, opened_, Bytes(much));
        return;
      }
      case 9:
        (void)peer_.connection(line)->reset(opened_, 3);
        return;
      case 10:
        (void)peer_.connection(line)->stop_sending(opened_, 4);
        return;
      default:
        return peer_.closes(line);
    }
  }

  void change(sim::MaliciousPeer::Line& line, unsigned what, Reader& in) {
    switch (what) {
      case 12: {
        const u8 ways = in.byte();
        peer_.config.proves = (ways & 1) != 0;
        peer_.config.sends_receipts = (ways & 2) != 0;
        peer_.config.introduces = (ways & 4) != 0;
        peer_.config.role = (ways & 8) != 0 ? p2p::Role::client : p2p::Role::node;
        return;
      }
      case 13:
        if (peer_.config.reads) {
          peer_.config.reads = false;
        } else {
          peer_.reads_all(line);
        }
        return;
      case 14:
        return peer_.send_control(
            line, p2p::Proof{.nonce = line.theirs ? line.theirs->nonce : p2p::Nonce{}});
      default: {
        const auto verdict = static_cast<p2p::Verdict>(in.byte() % 6);
        return peer_.send_control(line, p2p::VerdictMessage{.verdict = verdict});
      }
    }
  }

  sim::MaliciousPeer& peer_;
  StreamId opened_{};
};

}  // namespace qpeer::fuzz
