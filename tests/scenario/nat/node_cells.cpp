// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nodes behind NATs and firewalls, in a network that loses packets: a node that checks them, two that knock, and the
// router's mapper, where there is one. 50 ms from any peer to another and back.
#include <algorithm>

#include "qpeer/tests/scenario/nat/nat_cell.hpp"
#include "qpeer/tests/scenario/nat/nat_places.hpp"

namespace qpeer::sim {
namespace {

using p2p::Role;
using p2p::Verdict;

constexpr double kLoss = 0.02;  // Each way.

class NodeRun {
 public:
  NodeRun(std::uint64_t seed, const Place& place, double loss)
      : world_(seed), verifier_(other()), first_(other()), second_(other()), node_(settled(place)) {
    world_.set_default_link({.delay = 25ms, .loss = loss});
    for (SimPeer* helper : {&first_, &second_}) {
      helper->bootstraps({verifier_});
      is_ready_ =
          is_ready_ &&
          world_.run_until(
              [&] { return helper->is_linked_to(verifier_) && verifier_.is_linked_to(*helper); },
              60s);
    }
  }

  /// Behind a router that speaks these, and is asked at once.
  void has_gateway(const NatGatewayConfig& config) {
    world_.add_gateway(*router_, config);
    node_.node().on_network(world_.now(),
                            {.local = node_.address(), .remote = kGateway4.with_port(0)}, {});
    node_.wake();
  }

  /// The first verdict of that kind, or none in 20 seconds. Other verdicts may come before.
  NatRun told(Verdict verdict) {
    NatRun out;
    if (!is_ready_) return out;
    const std::uint64_t before = knocks();
    const Instant begin = world_.now();
    node_.bootstraps({verifier_});
    const auto is_told = [&] {
      return std::ranges::any_of(node_.verdicts_on_us,
                                 [&](const auto& each) { return each.verdict == verdict; });
    };
    out.holds = world_.run_until(is_told, 20s);
    if (out.holds) out.took = world_.now() - begin;
    out.figures.push_back(static_cast<double>(knocks() - before));
    return out;
  }
  /// As told(); and strangers were proved to get through.
  NatRun reachable() {
    NatRun out = told(Verdict::reachable);
    out.holds = out.holds && node_.verdicts_on_us.back().by_strangers;
    return out;
  }
  /// As told(), and from then on it works as a client.
  NatRun unreachable(Verdict verdict) {
    NatRun out = told(verdict);
    out.holds = out.holds && !was_told_reachable() && works_as_client();
    return out;
  }
  /// As reachable(), and what the router mapped it has no more at the end.
  NatRun mapped() {
    NatRun out = reachable();
    out.holds = out.holds && router_->box.forwarded(world_.now(), node_.address()).has_value();
    node_.shuts_down();
    world_.run_for(5s);
    out.holds = out.holds && !router_->box.forwarded(world_.now(), node_.address());
    return out;
  }
  /// From a restart of the router, which forgets all, until a stranger is answered.
  NatRun mapped_again() {
    NatRun out = reachable();
    if (!out.holds) return out;
    world_.run_for(1min);  // Else the gateway is not older than it says that it is.
    const Instant begin = world_.now();
    world_.reboot(*router_);
    const auto external = [&] { return router_->box.forwarded(world_.now(), node_.address()); };
    out.holds = world_.run_until([&] { return external().has_value(); }, 60s);
    if (!out.holds) return out;
    SimPeer& stranger = world_.client(at(world_.spread_address()));
    stranger.bootstraps(std::vector<p2p::Candidate>{{.address = *external(), .id = node_.id()}});
    out.holds = world_.run_until(stranger.linked(node_), 60s);
    out.took = world_.now() - begin;
    return out;
  }

 private:
  SimPeer& other() { return world_.node(at(world_.spread_address())); }
  SimPeer& settled(const Place& place) {
    SimPeer& out = world_.node(at(address_at(world_, place)));
    if (!place.boxes.empty()) router_ = &world_.behind(place.boxes.front(), out);
    return out;
  }
  [[nodiscard]] std::uint64_t knocks() const {
    return first_.node().stats().knocks_sent + second_.node().stats().knocks_sent;
  }
  [[nodiscard]] bool was_told_reachable() const {
    return std::ranges::any_of(node_.verdicts_on_us,
                               [](const auto& each) { return each.verdict == Verdict::reachable; });
  }
  bool works_as_client() {
    node_.config.node.role = Role::client;
    node_.restarts();
    node_.bootstraps({verifier_});
    if (!world_.run_until(node_.linked(verifier_), 20s)) return false;
    node_.requests(verifier_, "?");
    return world_.run_until([&] { return node_.responses.size() == 1; }, 20s);
  }

  PeerWorld world_;
  Router* router_ = nullptr;
  SimPeer& verifier_;
  SimPeer& first_;
  SimPeer& second_;
  SimPeer& node_;
  bool is_ready_ = true;
};

std::function<NatRun(std::uint64_t)> reachable(const Place& place, double loss) {
  return [=](std::uint64_t seed) { return NodeRun(seed, place, loss).reachable(); };
}
std::function<NatRun(std::uint64_t)> unreachable(const Place& place, Verdict verdict) {
  return [=](std::uint64_t seed) { return NodeRun(seed, place, kLoss).unreachable(verdict); };
}
std::function<NatRun(std::uint64_t)> mapped(const Place& place, const NatGatewayConfig& gateway) {
  return [=](std::uint64_t seed) {
    NodeRun run(seed, place, kLoss);
    run.has_gateway(gateway);
    return run.mapped();
  };
}
std::function<NatRun(std::uint64_t)> mapped_again(const NatGatewayConfig& gateway) {
  return [=](std::uint64_t seed) {
    NodeRun run(seed, {"P", {port_restricted()}}, kLoss);
    run.has_gateway(gateway);
    return run.mapped_again();
  };
}

const Place kOpen{"N", {}};
const Place kFullCone{"F", {full_cone()}};
constexpr NatGatewayConfig kPcp{.nat_pmp = false, .pcp = true};
constexpr NatGatewayConfig kNatPmp{.nat_pmp = true, .pcp = false};
constexpr NatGatewayConfig kBoth{.nat_pmp = true, .pcp = true};

constexpr std::string_view kNeedsProof = "proved by strangers in 4 s, 99.5 %; 2 knocks at most";
constexpr std::string_view kNeedsProofAlways =
    "proved by strangers in 4 s, 100 %; 2 knocks at most";
constexpr std::string_view kNeedsTruth =
    "told in 4 s that strangers are cut off, 100 %; a client from then on; 2 knocks at most";
constexpr std::string_view kNeedsRefusal =
    "told not reachable, 100 %; a client from then on; no knock";
constexpr std::string_view kNeedsMapping =
    "proved by strangers in 3 s, 100 %; 1 knock at most; no mapping is left at the end";
constexpr std::string_view kNeedsRepair = "mapped anew and a stranger is answered in 10 s, 100 %";

constexpr std::string_view kLostKnock = "where a knock is lost, there is another one";

const std::vector<NatBound> kTwoKnocks{{"knocks at most", 2}};
const std::vector<NatBound> kOneKnock{{"knocks at most", 1}};
const std::vector<NatBound> kNoKnock{{"knocks at most", 0}};

void add_mapped(std::vector<NatCell>& out) {
  struct Kind {
    std::string_view name;
    std::string_view what;
    NatBoxConfig box;
    NatGatewayConfig gateway;
  };
  for (const Kind& kind : std::initializer_list<Kind>{
           {"P-pcp", "P, the router speaks PCP alone", port_restricted(), kPcp},
           {"P-nat-pmp", "P, the router speaks NAT-PMP alone", port_restricted(), kNatPmp},
           {"P-both", "P, the router speaks both", port_restricted(), kBoth},
           {"S-pcp", "S, the router speaks PCP alone", symmetric(), kPcp},
           {"S-nat-pmp", "S, the router speaks NAT-PMP alone", symmetric(), kNatPmp},
           {"S-both", "S, the router speaks both", symmetric(), kBoth},
           {"W-pcp", "W, the firewall speaks PCP alone", firewall(), kPcp}}) {
    out.push_back({.name = kind.name,
                   .what = kind.what,
                   .needed = kNeedsMapping,
                   .within = 3s,
                   .bounds = kOneKnock,
                   .lacking = kLostKnock,
                   .run = mapped({"", {kind.box}}, kind.gateway)});
  }
}

}  // namespace

std::vector<NatCell> node_cells() {
  std::vector<NatCell> out{
      {"N", "N, a public address", kNeedsProof, 4s, kTwoKnocks, 0.995, 200, "",
       reachable(kOpen, kLoss)},
      {"F", "F, full-cone", kNeedsProof, 4s, kTwoKnocks, 0.995, 200, "",
       reachable(kFullCone, kLoss)},
      {"F-lossless", "F, no loss", kNeedsProofAlways, 4s, kTwoKnocks, 1, 200, "",
       reachable(kFullCone, 0)},
      {"R", "R, address-restricted", kNeedsTruth, 4s, kTwoKnocks, 1, 200, "",
       unreachable({"R", {address_restricted()}}, p2p::Verdict::only_where_it_wrote)},
      {"W", "W, a firewall, no mapper", kNeedsRefusal, std::nullopt, kNoKnock, 1, 200, "",
       unreachable({"W", {firewall()}}, p2p::Verdict::timed_out)},
      {"P", "P, port-restricted, no mapper", kNeedsRefusal, std::nullopt, kNoKnock, 1, 200, "",
       unreachable({"P", {port_restricted()}}, p2p::Verdict::timed_out)},
      {"S", "S, symmetric, no mapper", kNeedsRefusal, std::nullopt, kNoKnock, 1, 200, "",
       unreachable({"S", {symmetric()}}, p2p::Verdict::timed_out)}};
  add_mapped(out);
  out.push_back({"P-reboot-pcp", "P, the router (PCP) restarts and forgets all", kNeedsRepair, 10s,
                 kTwoKnocks, 1, 200, "", mapped_again(kPcp)});
  out.push_back({"P-reboot-nat-pmp", "P, the router (NAT-PMP) restarts and forgets all",
                 kNeedsRepair, 10s, kTwoKnocks, 1, 200, "", mapped_again(kNatPmp)});
  return out;
}

}  // namespace qpeer::sim
