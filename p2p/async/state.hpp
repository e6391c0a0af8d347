// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the handles share, internal to p2p/async: the machine with its driver and its cache file, and
// the lists of the operations that wait for it.
//
//   AsyncNode, AsyncClient --own--> NodeState <--keep-- NodePeer, PeerStream, what is awaited
//
// All calls of callback users are tasks of the runtime, which also says when coroutines go on.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/p2p/async/async_node.hpp"
#include "qpeer/p2p/async/cache_saver.hpp"
#include "qpeer/p2p/async/contact_names.hpp"
#include "qpeer/p2p/async/node_options.hpp"
#include "qpeer/p2p/async/peers.hpp"
#include "qpeer/p2p/async/upnp_mapper.hpp"
#include "qpeer/p2p/nat/network_probe.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/transport/async/runtime.hpp"
#include "qpeer/transport/async/stream_core.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/config_error.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::p2p::detail {

struct PeerStreamState final : async::detail::StreamCore {
  PeerStreamState(NodeState& owner, OperationId stream, const PeerId& whose, bool sends,
                  bool receives)
      : StreamCore(sends, receives), node(owner), id(stream), peer(whose) {}
  void on_event(const StreamActivity& event);

  std::expected<transport::ReadView, transport::StreamError> peek_below() override;
  void consume_below(std::size_t size) override;
  std::expected<std::size_t, transport::StreamError> write_below(Bytes data) override;
  std::expected<void, transport::StreamError> finish_below() override;
  std::expected<void, transport::StreamError> reset_below(std::uint64_t error_code) override;
  std::expected<void, transport::StreamError> stop_sending_below(std::uint64_t error_code) override;
  [[nodiscard]] std::uint64_t reset_code_below() const override { return code_of_reset; }
  [[nodiscard]] bool is_over() const override { return lost; }
  void schedule(async::WaitList& waiting) override;
  void wake() override;
  [[nodiscard]] async::detail::Runtime& runtime() override;
  void forget() noexcept override;

  NodeState& node;
  OperationId id;
  PeerId peer;
  bool lost = false;  ///< Whether the link has ended.
  std::uint64_t code_of_reset = 0;
};

/// The wait of bootstrap() or connect() for a link.
class LinkWait final : private SingleWaiter, public async::Operation {
 public:
  /// With a candidate: for a connect(); without: for the bootstrap.
  LinkWait(NodeState& node, const Candidate* candidate);
  LinkWait(const LinkWait&) = delete;
  LinkWait& operator=(const LinkWait&) = delete;
  ~LinkWait();
  std::expected<PeerId, BootstrapError> await_resume() { return std::move(*result_); }

 private:
  friend NodeState;
  bool attempt() override { return result_.has_value(); }
  NodeState& node_;
  const Candidate* candidate_;
  std::optional<std::expected<PeerId, BootstrapError>> result_;
};

/// The wait of probe_filtering() for its event.
class FilteringWait final : private SingleWaiter, public async::Operation {
 public:
  explicit FilteringWait(NodeState& node);
  FilteringWait(const FilteringWait&) = delete;
  FilteringWait& operator=(const FilteringWait&) = delete;
  ~FilteringWait();
  std::expected<FilteringFound, PeerError> await_resume() { return *result_; }

 private:
  friend NodeState;
  bool attempt() override { return result_.has_value(); }
  NodeState& node_;
  std::optional<std::expected<FilteringFound, PeerError>> result_;
};

/// Waits for space in the queue of a peer, after open_stream() gave PeerError::queue_full.
class WaitForQueueSpace final : private PendingResult, public async::Operation {
 public:
  WaitForQueueSpace(NodeState& node, const PeerId& peer);
  WaitForQueueSpace(const WaitForQueueSpace&) = delete;
  WaitForQueueSpace& operator=(const WaitForQueueSpace&) = delete;
  ~WaitForQueueSpace();
  void await_resume() const {}

 private:
  bool attempt() override { return !waits_for_room; }
  NodeState& node_;
  PeerId peer_;
};

struct NodeState final : async::detail::MachineRuntime<Node> {
  NodeState(io::EventLoop& event_loop, NodeConfig config, PeerTls tls,
            std::unique_ptr<CacheSaver> cache_saver);
  [[nodiscard]] static std::expected<std::shared_ptr<NodeState>, ConfigError> open(
      io::EventLoop& loop, NodeOptions options, Role role);

  [[nodiscard]] std::shared_ptr<NodeState> shared() {
    return std::static_pointer_cast<NodeState>(shared_from_this());
  }

  // state.cpp: events, and what ends with them
  void fail_all(PeerError error);

  // linking.cpp: links, and the end
  static async::Task<std::expected<PeerId, BootstrapError>> bootstrap(
      std::shared_ptr<NodeState> self, std::vector<PeerAddress> contacts);
  static async::Task<std::expected<PeerId, BootstrapError>> connect(std::shared_ptr<NodeState> self,
                                                                    PeerAddress contact);
  [[nodiscard]] static async::Task<std::expected<PeerStream, PeerError>> open_stream(
      std::shared_ptr<NodeState> self, PeerId peer);
  [[nodiscard]] static async::Task<std::expected<FilteringFound, PeerError>> probe_filtering(
      std::shared_ptr<NodeState> self, PeerId peer);
  [[nodiscard]] static async::Task<std::expected<NetworkReport, std::error_code>> network_report(
      std::shared_ptr<NodeState> self, std::vector<SocketAddress> servers);
  void begin_shut_down(Duration drain);
  static async::Task<void> finish_shut_down(std::shared_ptr<NodeState> self, Duration limit);
  /// The AsyncNode is gone.
  void abandon();

  /// What we do with a stream.
  struct StreamSides {
    bool writes = false;
    bool reads = false;
  };
  /// One that we opened, or that the peer did.
  [[nodiscard]] PeerStream make_stream(OperationId id, const PeerId& peer, StreamSides sides);
  template <class Peer>
  [[nodiscard]] Peer make_peer(const PeerId& id) {
    return Peer{shared(), id};
  }
  template <class Peer>
  [[nodiscard]] std::vector<Peer> linked_nodes() {
    std::vector<Peer> out;
    for (const LinkInfo& link : machine.links()) {
      if (link.up && link.role == Role::node) out.push_back(make_peer<Peer>(link.peer));
    }
    return out;
  }

  void take(std::optional<Message>& out);
  void take(std::optional<IncomingRequest>& out);
  void take(std::optional<PeerStream>& out);
  void take(std::optional<Datagram>& out);
  void take(std::optional<Arrival>& out);

  std::expected<void, PeerError> send_datagram(const PeerId& peer, Bytes data);
  void disconnect(const PeerId& peer);

  /// `answer` goes on when there is room towards `peer`, in its turn.
  void wait_for_room(const PeerId& peer, PendingResult& answer);
  void forget_room(const PeerId& peer, PendingResult& answer);
  [[nodiscard]] bool others_wait_for_room(const PeerId& peer) const { return room.contains(peer); }

  std::unique_ptr<CacheSaver> saver;
  SocketAddress local_address;
  std::vector<SocketAddress> advertised;  ///< As configured.
  bool ending = false;                    ///< shut_down() was called, or the socket failed.

  std::shared_ptr<std::move_only_function<void(const NodeEvent&)>> observer;
  /// By kind, as Arrival has them, and of those who take any kind. Nobody waits behind those who want
  /// something else.
  std::array<async::WaitList, std::variant_size_v<Arrival> + 1> arriving;
  void schedule_all_arriving();
  unsigned turn_of_kind = 0;  ///< Of next(): which kind is looked for first.
  std::unordered_map<std::uint64_t, PendingResult*> answers;  ///< By OperationId.
  std::unordered_map<PeerId, std::deque<PendingResult*>> room;
  std::unordered_map<PeerId, std::deque<PingOperation*>> pings;  ///< Null where cancelled.
  std::unordered_map<std::uint64_t, PeerStreamState> streams;    ///< By OperationId.
  std::list<LinkWait*> linking;
  FilteringWait* filtering = nullptr;    ///< The machine has one question at a time.
  FoundFiltering filtering_of_verdicts;  ///< Of nodes that dialled us back.
  bool maps_port = false;                ///< NodeConfig::port_mapping of a node.
  bool bootstrapping = false;
  ContactNames names;
  UpnpMapper upnp;

 private:
  void handle(NodeEvent&& event) override;
  void on_sockets_gone() override;
  void before_end() override { saver->save_now(); }
  void cancel_calls();

  void on(const Bootstrapped& event);
  void on(const BootstrapFailed& event);
  void on(const LinkUp& event);
  void on(const LinkDown& event);
  void on(const LinkFailed& event);
  void on(const Incoming& event);
  void on(const Sent& event);
  void on(Response& event);
  void on(const Failed& event);
  void on(const Writable& event);
  void on(const StreamActivity& event);
  void on(const Pong& event);
  void on(const CacheChanged& event);
  void on(const Drained&) { on_drained(); }
  static void on(const PeerVerdict&) {}
  void on(const ReachabilityVerdict& event);
  static void on(const KeyInUse&) {}
  static void on(const DialRefused&) {}
  static void on(const IncomingInterrupted&) {}
  static void on(const OwnAddressChanged&) {}
  static void on(const PortMapped&) {}
  static void on(const PortMapFailed&) {}
  void on(const MappingWanted&) { upnp.want(machine.wanted_mapping()); }
  void on(const FilteringFound& event);
  void on(const NetworkChanged&) { filtering_of_verdicts = {}; }

  void answer(OperationId id, std::expected<std::vector<u8>, PeerError> result);
  void answer_links(const Candidate* candidate, const PeerId* peer,
                    const std::expected<PeerId, BootstrapError>& result);
  void end_pings(const PeerId& peer, PeerError why);
  void release_room(const PeerId& peer);
};

/// One readable line for a candidate: "PEERID@address".
std::string describe(const Candidate& candidate);
/// The error of a bootstrap or connect that its candidates ended.
BootstrapError to_error(std::span<const FailedCandidate> failures);

}  // namespace qpeer::p2p::detail
