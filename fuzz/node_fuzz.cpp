// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A p2p::Node among others: an honest node, an honest client, and a peer that says whatever it likes
// once it has a connection. Null keys and a short handshake lead the input past TLS; datagrams of
// strangers come in between. Invariants hold after each event; each operation ends once; and a node that
// is shut down holds nothing.
//
// The input is a byte of options, then steps:
//   options: 1 the target is a client, 2 the malicious peer says it is one, 4 it does not introduce
//            itself, 8 it does not prove itself, 16 it finds that nobody can be reached,
//            32 linked with the honest node, 64 with the client, 128 with the malicious peer
//   0 0 t t t t t t     8 t milliseconds (from 32 on: t - 31 seconds) go by
//   0 1 a a a x x x     the target does a with x: see act()
//   1 0 a a a x x x     the honest ones, the network or a stranger do a with x: see act_elsewhere()
//   1 1 l l a a a a     the malicious peer does a on its connection l: see MaliciousSteps;
//                       what it or a stranger writes is a size (1 byte) and as many bytes
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/fuzz/node_fuzzing.hpp"

namespace {

using namespace qpeer;
using fuzz::check;
using fuzz::kMaxSteps;
using fuzz::small_config;
using fuzz::take_bytes;
using namespace qpeer::sim;
using p2p::OperationId;
using p2p::Role;

constexpr u8 kTargetIsClient = 1;
constexpr u8 kSaysClient = 2;
constexpr u8 kSilent = 4;
constexpr u8 kNoProof = 8;
constexpr u8 kRefuses = 16;
constexpr u8 kHonestLinked = 32;
constexpr u8 kClientLinked = 64;
constexpr u8 kMaliciousLinked = 128;

constexpr std::uint64_t kSeed = 1;

MaliciousPeerConfig malicious_config(u8 options) {
  MaliciousPeerConfig out;
  out.role = (options & kSaysClient) != 0 ? Role::client : Role::node;
  out.introduces = (options & kSilent) == 0;
  out.proves = (options & kNoProof) == 0;
  if ((options & kRefuses) != 0) out.verdict = p2p::Verdict::refused;
  return out;
}

class Fixture {
 public:
  explicit Fixture(u8 options)
      : world_(kSeed),
        target_(world_.peer(
            small_config((options & kTargetIsClient) != 0 ? Role::client : Role::node))),
        honest_(world_.peer(small_config(Role::node))),
        client_(world_.peer(small_config(Role::client))),
        malicious_(world_, malicious_config(options)) {
    world_.set_default_link({.delay = 5ms});
    if ((options & kHonestLinked) != 0) world_.links(target_, honest_);
    const bool is_client = (options & kTargetIsClient) != 0;
    if ((options & kClientLinked) != 0 && !is_client) world_.links(client_, target_);
    if ((options & kMaliciousLinked) == 0) return;
    if (is_client) {
      target_.bootstraps(std::vector{malicious_.candidate()});
      world_.run_for(100ms);
    } else {
      malicious_.dial(target_);
      world_.run_for(100ms);
    }
  }

  void step(Reader& in) {
    const u8 kind = in.byte();
    const unsigned what = kind >> 3 & 7;
    const unsigned x = kind & 7;
    if (kind >> 6 == 0) {
      world_.run_for(kind < 32 ? Duration(kind * 8ms) : Duration((kind - 31) * 1s));
    } else if (kind >> 6 == 1) {
      act(what, x);
    } else if (kind >> 6 == 2) {
      act_elsewhere(what, x, in);
    } else {
      malicious_steps_.act(target_.address(), kind >> 4 & 3, kind & 15, in);
    }
    target_.wake();
    world_.wake(malicious_.host());
    world_.run_for(Duration{});
  }

  void finish() {
    for (const Host* host : {&honest_.host(), &client_.host(), &malicious_.host()}) {
      world_.mends(target_.host(), *host);
    }
    target_.shuts_down();
    world_.run_for(60s);
    p2p::Node& node = target_.node();
    check(node.is_idle());
    take_all();
    const p2p::NodeStats stats = node.stats();
    check(stats.links == 0 && stats.connections == 0);
    check(stats.outbox_bytes == 0);
    check_operations();
    check(node.links().empty());
  }

 private:
  [[nodiscard]] Instant now() const { return world_.now(); }
  [[nodiscard]] p2p::Node& node() const { return target_.node(); }

  [[nodiscard]] PeerId peer(unsigned x) const {
    switch (x & 3) {
      case 0:
        return honest_.id();
      case 1:
        return malicious_.id();
      case 2:
        return client_.id();
      default:
        return PeerId({9});  // Nobody.
    }
  }

  static std::vector<u8> data(unsigned x) {
    constexpr std::array<std::size_t, 2> kSizes{30, 3'900};
    return std::vector<u8>(kSizes[x >> 2 & 1], static_cast<u8>(x));
  }

  // --- the target --------------------------------------------------------------------------------

  void act(unsigned what, unsigned x) {
    switch (what) {
      case 0:
        return link(x);
      case 1:
        if (const auto id = node().send(now(), peer(x), data(x))) pending_[id->value] = 0;
        return;
      case 2:
        if (const auto id = node().request(now(), peer(x), data(x))) pending_[id->value] = 0;
        return;
      case 3:
        if (const auto id = node().open_stream(now(), peer(x))) streams_.push_back(*id);
        return;
      case 4:
        return use_stream(x);
      case 5:
        if (x < 4) {
          (void)node().send_datagram(now(), peer(x), data(0));
        } else {
          (void)node().ping(now(), peer(x));
        }
        return;
      case 6:
        return take(x);
      default:
        if (x == 7) return target_.shuts_down();
        if (pending_.empty()) return;
        const auto at =
            std::next(pending_.begin(), static_cast<std::ptrdiff_t>(x % pending_.size()));
        node().cancel(now(), OperationId{at->first});
        pending_.erase(at);
    }
  }

  void link(unsigned x) {
    switch (x) {
      case 0:
        return target_.bootstraps({honest_.candidate(), malicious_.candidate()});
      case 1:
        return node().cancel_bootstrap(now());
      case 2:
        return node().connect(now(), honest_.candidate());
      case 3:
        return node().connect(now(), malicious_.candidate());
      case 4:
        return node().connect(now(), {.address = malicious_.address(), .server_name = {}});
      case 5:
        return node().disconnect(now(), malicious_.id());
      case 6:
        return node().disconnect(now(), client_.id());
      default:
        node().cancel_connect(now(), honest_.candidate());
        node().update_contacts(now(), {malicious_.candidate()});
    }
  }

  void use_stream(unsigned x) {
    if (streams_.empty()) return;
    const OperationId id = streams_[(x & 1) != 0 ? 0 : streams_.size() - 1];
    switch (x >> 1) {
      case 0:
        (void)node().write(now(), id, data(4));
        return;
      case 1:
        (void)node().finish(now(), id);
        return;
      case 2:
        if (const auto view = node().peek(id)) node().consume(now(), id, view->data.size());
        return;
      default:
        (void)node().reset(now(), id, 1);
        (void)node().stop_sending(now(), id, 2);
    }
  }

  void take(unsigned x) {
    switch (x) {
      case 0:
        target_.takes_messages = !target_.takes_messages;
        return;
      case 1:
        target_.answers = !target_.answers;
        return;
      case 2:
        (void)node().next_message(now());
        return;
      case 3:
        if (const auto stream = node().next_stream(now())) streams_.push_back(stream->id);
        return;
      case 4:
        (void)node().next_datagram(now());
        return;
      case 5:
        if (const auto request = node().next_request(now())) node().cancel(now(), request->id);
        return;
      case 6:
        if (const auto request = node().next_request(now())) {
          (void)node().reply(now(), request->id, data(4));
        }
        return;
      default:
        (void)node().next_request(now());  // And no answer, ever.
    }
  }

  void take_all() const {
    while (node().next_message(now())) {
    }
    while (node().next_request(now())) {
    }
    while (node().next_stream(now())) {
    }
    while (node().next_datagram(now())) {
    }
  }

  /// Sent or Response, or else Failed, once for each.
  void check_operations() {
    const auto count = [this](OperationId id) {
      const auto at = pending_.find(id.value);
      if (at != pending_.end()) ++at->second;
    };
    std::ranges::for_each(target_.sent, count);
    for (const auto& each : target_.failed) count(each.id);
    for (const auto& each : target_.responses) count(each.id);
    for (const auto& [id, times] : pending_) check(times == 1);
  }

  // --- the others --------------------------------------------------------------------------------

  void act_elsewhere(unsigned what, unsigned x, Reader& in) {
    switch (what) {
      case 0:
        if (honest_.is_running()) {
          (void)honest_.node().send(now(), target_.id(), data(x));
          honest_.wake();
        }
        return;
      case 1:
        (void)client_.node().request(now(), target_.id(), data(x));
        return client_.wake();
      case 2:
        return honest_.is_running() ? honest_.crashes() : honest_.restarts();
      case 3:
        if ((x & 1) != 0) {
          client_.node().disconnect(now(), target_.id());
        } else {
          client_.node().connect(now(), target_.candidate());
        }
        return client_.wake();
      case 4:
      case 5: {
        const Host& other = x < 3 ? honest_.host() : x < 6 ? malicious_.host() : client_.host();
        return what == 4 ? world_.cuts(target_.host(), other) : world_.mends(target_.host(), other);
      }
      case 6:
        if (const auto stream = client_.node().open_stream(now(), target_.id())) {
          (void)client_.node().write(now(), *stream, data(x));
          if ((x & 1) != 0) (void)client_.node().finish(now(), *stream);
        }
        return client_.wake();
      default:
        return act_below(x, in);
    }
  }

  /// Datagrams, and what the operating system reports.
  void act_below(unsigned x, Reader& in) {
    switch (x) {
      case 0:
      case 1: {
        // To the first port or to the second, from an address that a peer has or from another.
        const u8 from = in.byte();
        const SocketAddress& to = target_.host().addresses()[x];
        const SocketAddress source = (from & 1) != 0   ? malicious_.address()
                                     : (from & 2) != 0 ? honest_.address()
                                                       : SocketAddress::ipv4({192, 0, 2, from}, 9);
        return world_.inject(source, to, take_bytes(in));
      }
      case 2:
      case 3: {
        // RFC 1122: an ICMP message quotes what it is about.
        const SocketAddress& closed = x == 2 ? malicious_.address() : honest_.address();
        return node().on_port_closed(now(), closed, take_bytes(in));
      }
      case 4:
        return node().on_local_address_gone(now(), target_.address());
      case 5:
        return node().on_deadline(now());
      case 6:
        return fuzz::refuse_next(node(), now(), (in.byte() & 1) != 0);
      default:
        (void)client_.node().send_datagram(now(), target_.id(), data(0));
        return client_.wake();
    }
  }

  PeerWorld world_;
  SimPeer& target_;
  SimPeer& honest_;
  SimPeer& client_;
  MaliciousPeer malicious_;
  fuzz::MaliciousSteps malicious_steps_{malicious_};
  std::map<std::uint64_t, int> pending_;  ///< By id: how often its end was reported.
  std::vector<OperationId> streams_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);  // The simulator's expectations count here too.
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  Fixture fixture(data[0]);
  Reader in{{data + 1, size - 1}};
  for (std::size_t steps = 0; !in.empty() && steps < kMaxSteps; ++steps) fixture.step(in);
  fixture.finish();
  return 0;
}
