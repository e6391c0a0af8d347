// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Half of the links fail in one direction: it is told, and no message is lost in silence.
//
// QPEER_FULL=1 runs 100 nodes instead of 24.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

using p2p::Verdict;

constexpr Duration kRecheck = 20s;

/// Nodes that send each of their linked peers a message of its own every second.
class Talkers {
 public:
  Talkers(PeerWorld& world, std::size_t count) : world_(world) {
    SimPeerConfig config;
    config.node.recheck_interval = kRecheck;
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(&world.node(config));
      nodes_.back()->keeps_events = false;
      if (i > 0) nodes_.back()->bootstraps({*nodes_[world.random().uniform(i)]});
      world.run_for(200ms);
    }
    world.run_for(10s);
  }

  void talk(Duration time) {
    for (Duration at{}; at < time; at += 1s) {
      world_.after(at, [this] {
        for (SimPeer* from : nodes_) {
          for (SimPeer* to : nodes_) {
            if (from->is_linked_to(*to)) sends(*from, *to);
          }
        }
      });
    }
    world_.run_for(time);
  }

  /// Pairs (who, to whom) that are linked, each once.
  [[nodiscard]] std::vector<std::pair<SimPeer*, SimPeer*>> links() const {
    std::vector<std::pair<SimPeer*, SimPeer*>> out;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (std::size_t k = i + 1; k < nodes_.size(); ++k) {
        if (nodes_[i]->is_linked_to(*nodes_[k])) out.emplace_back(nodes_[i], nodes_[k]);
      }
    }
    return out;
  }

  /// Each message has one end, what was sent was delivered, and nothing came twice. How many failed.
  std::size_t expect_no_silent_loss() const {
    std::map<std::string, int> delivered;
    std::size_t sent = 0;
    std::size_t failed = 0;
    for (const SimPeer* node : nodes_) {
      for (const auto& message : node->messages)
        ++delivered[{as_text(message.data).begin(), as_text(message.data).end()}];
    }
    for (const auto& [text, times] : delivered) EXPECT_EQ(times, 1) << text;
    for (const SimPeer* node : nodes_) {
      std::set<p2p::OperationId> ended;
      for (const auto& id : node->sent) {
        ++sent;
        EXPECT_TRUE(ended.insert(id).second) << "two ends";
        EXPECT_TRUE(delivered.contains(texts_.at({node, id}))) << "sent and not delivered";
      }
      for (const auto& failure : node->failed) {
        if (failure.id.value == 0) continue;  // Refused at once.
        ++failed;
        EXPECT_TRUE(ended.insert(failure.id).second) << "two ends";
      }
    }
    EXPECT_EQ(sent + failed, texts_.size()) << "some have no end";
    EXPECT_GT(sent, texts_.size() / 2);
    return failed;
  }

 private:
  void sends(SimPeer& from, SimPeer& to) {
    const std::string text = std::to_string(texts_.size()) + std::string(2'000, '.');
    if (const auto id = from.sends(to, text); id.value != 0) texts_[{&from, id}] = text;
  }

  PeerWorld& world_;
  std::vector<SimPeer*> nodes_;
  std::map<std::pair<const SimPeer*, p2p::OperationId>, std::string> texts_;
};

std::size_t count() { return full_size() ? 100 : 24; }

SIMULATE_PEERS(Failures, OneDirectionOfHalfTheLinksLosesNothingInSilence) {
  Talkers talkers(network, count());
  talkers.talk(5s);
  std::vector<std::pair<SimPeer*, SimPeer*>> broken;
  for (const auto& link : talkers.links()) {
    if (network.random().chance(0.5)) continue;
    broken.push_back(link);
    network.cuts_direction(link.first->host(), link.second->host());
  }
  ASSERT_GT(broken.size(), count() / 2);
  talkers.talk(100s);  // Whoever still hears the other finds out last.
  for (const auto& [from, to] : broken) {
    EXPECT_FALSE(from->is_linked_to(*to)) << from->address().to_string();
    EXPECT_FALSE(to->is_linked_to(*from)) << to->address().to_string();
  }
  run_for(150s);  // For the last ones to time out.
  EXPECT_GT(talkers.expect_no_silent_loss(), 0U) << "nothing was put to the test";
}

// What a firewall does: who dials gets out and answers come back, but nobody gets in.
SIMULATE_PEERS(Failures, VerdictsSayWhoCannotBeReachedAnyMore) {
  Talkers talkers(network, count());
  talkers.talk(5s);
  std::vector<std::pair<SimPeer*, SimPeer*>> closed;
  for (const auto& [by, to] : talkers.links()) {
    if (network.random().chance(0.5)) continue;
    closed.emplace_back(by, to);
    network.shuts_out(*by, *to);
  }
  ASSERT_GT(closed.size(), count() / 2);
  talkers.talk(60s);
  for (const auto& [by, to] : closed) {
    const bool judged = std::ranges::any_of(by->verdicts, [&, to = to](const auto& each) {
      return each.peer == to->id() && each.verdict == Verdict::timed_out;
    });
    EXPECT_TRUE(judged) << by->address().to_string() << " of " << to->address().to_string();
    const bool told = std::ranges::any_of(to->verdicts_on_us, [&, by = by](const auto& each) {
      return each.by == by->id() && each.verdict == Verdict::timed_out;
    });
    EXPECT_TRUE(told) << to->address().to_string() << " by " << by->address().to_string();
    EXPECT_FALSE(by->is_linked_to(*to));
  }
  run_for(150s);
  talkers.expect_no_silent_loss();
}

}  // namespace
}  // namespace qpeer::sim
