// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A p2p::Node behind a NAT box whose gateway speaks NAT-PMP and PCP, with an honest node that checks it, another one
// that knocks, and a peer that says whatever it likes. Both the box and the gateway change as the input says;
// datagrams come from strangers and, with forged answers of the gateway, from the local network.
//
// Claims: invariants hold after each event; STUN answers, knocks and requests to the gateway stay within their bounds;
// an honest node never vouches for a node whose box keeps strangers out; the gateway has no mapping at the end.
//
// The input is two bytes of options, then steps:
//   box:     3 filtering (endpoint-independent, address-dependent, address and port-dependent, or a firewall)
//            4 mapping and ports are those of a symmetric box, 8 rising by 2 instead of random
//            16 forgets after 20 s, 32 remembers what is unsolicited, 64 punishes it, 128 no hairpin
//   gateway: 1 NAT-PMP, 2 PCP, 4 refuses, 8 ignores suggestions, 16 grants 8 s at most
//            32 there is no stranger to knock, 64 linked with the malicious peer, 128 without a way to the internet
//   0 0 t t t t t t     8 t milliseconds (from 32 on: t - 31 seconds) go by
//   0 1 a a a x x x     the network or the target does a with x: see act()
//   1 0 a a a x x x     a datagram arrives: see inject()
//   1 1 l l a a a a     the malicious peer does a on its connection l: see MaliciousSteps; with l = 3 instead, about
//                       knocks: see lie()
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/fuzz/nat_node_fuzzing.hpp"
#include "qpeer/fuzz/node_fuzzing.hpp"

namespace {

using namespace qpeer;
using fuzz::box_config;
using fuzz::check;
using fuzz::encoded;
using fuzz::gateway_config;
using fuzz::take_bytes;
using namespace qpeer::sim;
using p2p::Role;
using p2p::StunClass;
using p2p::StunMessage;

constexpr std::uint64_t kSeed = 1;
constexpr auto kInside = SocketAddress::ipv4({192, 168, 1, 2}, 4433);
constexpr auto kStranger = SocketAddress::ipv4({8, 8, 4, 4}, 4433);

SimPeerConfig target_config(bool translated, PeerWorld& world) {
  SimPeerConfig out = fuzz::small_config(Role::node);
  out.address = translated ? kInside : world.spread_address();
  out.node.max_stun_answers = fuzz::kStunAnswers;
  out.node.max_stun_answers_network = fuzz::kStunAnswersOfSite;
  out.node.max_knocks = fuzz::kKnocks;
  return out;
}
/// One that names no nodes to others, so that the target does not write to who knocks.
SimPeerConfig honest_config(PeerWorld& world) {
  SimPeerConfig out = fuzz::small_config(Role::node);
  out.address = world.spread_address();
  out.node.exchange_peers = false;
  return out;
}
MaliciousPeerConfig malicious_config(PeerWorld& world) {
  MaliciousPeerConfig out;
  out.address = world.spread_address();
  return out;
}

class Fixture {
 public:
  Fixture(u8 box, u8 options)
      : world_(kSeed),
        gateway_(gateway_config(options)),
        target_(world_.peer(target_config(box_config(box).translates, world_))),
        verifier_(world_.peer(honest_config(world_))),
        knocker_(world_.peer(honest_config(world_))),
        malicious_(world_, malicious_config(world_)),
        router_(world_.behind(box_config(box), target_)) {
    const bool maps = (gateway_.nat_pmp || gateway_.pcp) && !gateway_.refuses;
    keeps_strangers_out_ = (box & 3) != 0 && !maps;
    world_.set_default_link({.delay = 5ms});
    world_.on_send([this](const Passing& datagram) { on_sent(datagram); });
    world_.add_gateway(router_, gateway_);
    if ((options & 32) == 0) world_.links(knocker_, verifier_);
    if ((options & 128) == 0) on_network(way());
    std::vector contacts{verifier_.candidate()};
    if ((options & 64) != 0) contacts.push_back(malicious_.candidate());
    target_.bootstraps(contacts);
    if ((options & 64) != 0) node().connect(now(), malicious_.candidate());
    world_.run_for(100ms);
  }

  void step(Reader& in) {
    const u8 kind = in.byte();
    const unsigned what = kind >> 3 & 7;
    const unsigned x = kind & 7;
    if (kind >> 6 == 0) {
      world_.run_for(kind < 32 ? Duration(kind * 8ms) : Duration((kind - 31) * 1s));
    } else if (kind >> 6 == 1) {
      act(what, x, in);
    } else if (kind >> 6 == 2) {
      inject(what, x, in);
    } else if ((kind >> 4 & 3) == 3) {
      lie(kind & 15, in);
    } else {
      malicious_steps_.act(external(), kind >> 4 & 3, kind & 15, in);
    }
    target_.wake();
    world_.wake(malicious_.host());
    world_.run_for(Duration{});
    check_claims();
  }

  void finish() {
    for (const Host* host : {&verifier_.host(), &malicious_.host()}) {
      world_.mends(target_.host(), *host);
    }
    target_.shuts_down();
    world_.run_for(60s);
    check_claims();
    check(node().is_idle() && node().links().empty() && !node().mapped_address());
    check(node().stats().links == 0 && node().stats().connections == 0);
    // Who meets the gateway only now and then, or is lied to in its name, need not know what it has mapped.
    if (gateway_is_true_) check(!router_.box.forwarded(now(), target_.address()));
  }

 private:
  [[nodiscard]] Instant now() const { return world_.now(); }
  [[nodiscard]] p2p::Node& node() const { return target_.node(); }
  /// Where the internet may find the target.
  [[nodiscard]] SocketAddress external() {
    const auto forwarded = router_.box.forwarded(now(), target_.address());
    if (forwarded) return *forwarded;
    if (!router_.box.config().translates) return target_.address();
    return router_.outside(target_.address().port());
  }
  [[nodiscard]] Path way() const {
    return {.local = target_.address(), .remote = kGateway4.with_port(0)};
  }
  void on_network(const Path& internet) {
    gateway_is_true_ = gateway_is_true_ && (internet == way() || !internet.remote.valid());
    if (internet == way()) ++starts_;
    node().on_network(now(), internet, {});
    target_.wake();
  }

  void on_sent(const Passing& datagram) {
    if (std::ranges::find(target_.host().addresses(), datagram.from) !=
        target_.host().addresses().end()) {
      bounds_.on_sent(datagram);
      wrote_to_knocker_ = wrote_to_knocker_ || datagram.to.same_host(knocker_.address());
    } else if (const auto message = StunMessage::decode(datagram.payload);
               message && message->knock_token) {
      tokens_.emplace_back(datagram.now, *message->knock_token);
    }
  }

  void check_claims() {
    check(node().consistent() && router_.box.consistent());
    const auto seconds = static_cast<std::uint64_t>((now() - Instant{}) / 1s);
    check(bounds_.requests <= 24 * (1 + starts_) + 3 * seconds + gateway_datagrams_);
    if (!keeps_strangers_out_ || wrote_to_knocker_) return;
    for (const auto& each : verifier_.verdicts) {
      check(each.peer != target_.id() || !each.by_strangers);
    }
    for (const auto& each : target_.verdicts_on_us) {
      check(each.by != verifier_.id() || !each.by_strangers);
    }
  }

  // --- the network and the target ----------------------------------------------------------------

  void act(unsigned what, unsigned x, Reader& in) {
    switch (what) {
      case 0:
        return change_box(x, in);
      case 1:
        gateway_is_true_ = false;
        if (router_.gateway) {
          router_.gateway.reset();
        } else {
          world_.add_gateway(router_, gateway_);
        }
        return;
      case 2:
        if (x == 0) return on_network({});
        if (x == 1) return on_network({.local = way().local, .remote = kStranger.with_port(0)});
        if (x == 2) return node().on_network_changed(now());
        if (x == 3) return node().on_local_address_gone(now(), target_.address());
        return on_network(way());
      case 3:
        if (x < 4) {
          keeps_strangers_out_ = gateway_is_true_ = false;
          (void)router_.box.forward(now(), target_.address(),
                                    static_cast<std::uint16_t>(4'433 + x));
        } else {
          router_.box.remove_forward(target_.address());
        }
        return;
      case 4:
        return link(x);
      case 5: {
        const Host& other = x < 4 ? verifier_.host() : malicious_.host();
        return (x & 1) != 0 ? world_.cuts(target_.host(), other)
                            : world_.mends(target_.host(), other);
      }
      case 6:
        gateway_is_true_ = false;
        return fuzz::refuse_next(node(), now(), (x & 1) != 0);
      default:
        verifier_.node().connect(now(), {.address = external(), .id = target_.id()});
        return verifier_.wake();
    }
  }

  void change_box(unsigned x, Reader& in) {
    if (x < 3) return world_.reboot(router_);
    if (x < 6) return router_.box.rebind();
    if (!router_.box.config().translates) return;
    world_.change_address(router_, SocketAddress::ipv4({151, in.byte(), 0, 1}, 0));
  }

  void link(unsigned x) {
    switch (x) {
      case 0:
        return target_.bootstraps({verifier_.candidate()});
      case 1:
        return target_.bootstraps(std::vector{malicious_.candidate()});
      case 2:
        return node().connect(now(), verifier_.candidate());
      case 3:
        return node().connect(now(), malicious_.candidate());
      case 4:
        return node().disconnect(now(), verifier_.id());
      case 5:
        return node().disconnect(now(), malicious_.id());
      case 6:
        knocker_.bootstraps({verifier_});
        return;
      default:
        return target_.shuts_down();
    }
  }

  // --- datagrams ---------------------------------------------------------------------------------

  /// From a stranger, who must get past the box, or past it already.
  void inject(unsigned what, unsigned x, Reader& in) {
    const SocketAddress source = (x & 1) != 0 ? malicious_.address() : kStranger;
    switch (what) {
      case 0:
        return deliver(source, take_bytes(in), (x & 2) != 0);
      case 1: {
        const auto request = encoded({.change = {.host = (x & 4) != 0, .port = (x & 4) != 0}});
        for (unsigned count = in.byte() % 40; count > 0; --count) {
          deliver(source.with_port(static_cast<std::uint16_t>(2'000 + count)), request,
                  (x & 2) != 0);
        }
        return;
      }
      case 2:
        return deliver(
            source, encoded({.message_class = StunClass::indication, .knock_token = token(x, in)}),
            (x & 2) != 0);
      case 3:
        return deliver(
            source,
            encoded({.message_class = (x & 4) != 0 ? StunClass::error : StunClass::success,
                     .mapped_address = external()}),
            (x & 2) != 0);
      case 4:
        return from_gateway(take_bytes(in));
      case 5:
        return from_gateway(fuzz::pcp_answer(bounds_.newest_request, x, in));
      case 6:
        return from_gateway(fuzz::nat_pmp_answer(target_.address().port(), x, in));
      default:
        return from_gateway(bounds_.newest_request);
    }
  }

  void deliver(const SocketAddress& source, Bytes bytes, bool is_past_the_box) {
    if (StunMessage::decode(bytes)) bounds_.on_asked(bytes.size());
    if (!is_past_the_box) return world_.inject(source, external(), bytes);
    std::vector<u8> copy(bytes.begin(), bytes.end());
    node().on_datagram(now(),
                       {.path = {.local = target_.address(), .remote = source}, .payload = copy});
  }
  void from_gateway(Bytes bytes) {
    gateway_is_true_ = false;
    ++gateway_datagrams_;
    deliver(kGateway4, bytes, true);
  }

  /// Of a check that is over, or one that nobody drew.
  p2p::KnockToken token(unsigned x, Reader& in) {
    const auto old =
        std::ranges::find_if(tokens_, [this](const auto& each) { return each.first + 6s < now(); });
    if ((x & 4) != 0 && old != tokens_.end()) return old->second;
    return {in.byte(), in.byte()};
  }

  // --- what the malicious peer says of knocks ----------------------------------------------------

  void lie(unsigned what, Reader& in) {
    auto* const line = malicious_steps_.open_line();
    if (line == nullptr) return;
    switch (what & 3) {
      case 0: {
        const u8 host = in.byte();
        const SocketAddress to =
            (what & 4) != 0
                ? SocketAddress::ipv4({10, 0, 0, host}, 4'433)
                : SocketAddress::ipv4({8, 8, host, 4}, static_cast<std::uint16_t>(53 + 16 * host));
        for (unsigned i = 0; i <= (what >> 2); ++i) {
          malicious_.send_control(*line, p2p::Knock{.token = {host}, .address = to});
        }
        return;
      }
      case 1:
        return malicious_.send_control(
            *line, p2p::Knocked{.token = token(what, in), .source = knocker_.address()});
      case 2:
        return malicious_.send_control(
            *line, p2p::KnockSent{.token = token(what, in),
                                  .status = static_cast<p2p::KnockStatus>(in.byte() % 3)});
      default:
        return malicious_.send_control(*line, p2p::KnockMe{});
    }
  }

  PeerWorld world_;
  NatGatewayConfig gateway_;
  SimPeer& target_;
  SimPeer& verifier_;
  SimPeer& knocker_;
  MaliciousPeer malicious_;
  Router& router_;
  fuzz::MaliciousSteps malicious_steps_{malicious_};
  fuzz::NatBounds bounds_;
  std::vector<std::pair<Instant, p2p::KnockToken>> tokens_;  ///< Of knocks that others sent.
  std::uint64_t starts_ = 0;
  std::uint64_t gateway_datagrams_ = 0;
  bool keeps_strangers_out_ = false;
  bool wrote_to_knocker_ = false;
  /// What the target believes of the gateway's mappings is what the gateway said.
  bool gateway_is_true_ = true;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);  // The simulator's expectations count here too.
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 2) return 0;
  Fixture fixture(data[0], data[1]);
  Reader in{{data + 2, size - 2}};
  for (std::size_t steps = 0; !in.empty() && steps < fuzz::kMaxSteps; ++steps) fixture.step(in);
  fixture.finish();
  return 0;
}
