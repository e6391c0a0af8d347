// SPDX-License-Identifier: MIT OR BSD-3-Clause
// bootstrap() and connect(), raw streams, and the end of a node.
#include <algorithm>
#include <iterator>
#include <utility>

#include "qpeer/p2p/async/lookup.hpp"
#include "qpeer/p2p/async/state.hpp"
#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/staggered.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p {

std::string to_string(const BootstrapError& error) {
  std::string out = error.why;
  for (const BootstrapError::Attempt& attempt : error.attempts) {
    if (!out.empty()) out += '\n';
    out += attempt.candidate + ": " + attempt.why;
  }
  return out;
}

namespace detail {
namespace {

/// A name that is not found within this time has failed; there may be other contacts.
constexpr Duration kLookupPatience = 5s;
/// A router that does not answer does not keep a node from its end.
constexpr Duration kRemovalPatience = 3s;

BootstrapError because(std::string_view why) { return {.attempts = {}, .why = std::string(why)}; }

}  // namespace

std::string describe(const Candidate& candidate) {
  const std::string address = candidate.address.to_string();
  return candidate.id ? candidate.id->to_string() + '@' + address : address;
}

BootstrapError to_error(std::span<const FailedCandidate> failures) {
  BootstrapError out;
  for (const FailedCandidate& failure : failures) {
    out.attempts.push_back({.candidate = describe(failure.candidate), .why = failure.why});
  }
  return out;
}

LinkWait::LinkWait(NodeState& node, const Candidate* candidate)
    : async::Operation(waiting_list_), node_(node), candidate_(candidate) {
  node_.linking.push_back(this);
}

LinkWait::~LinkWait() {
  node_.linking.remove(this);
  if (result_) return;
  if (candidate_ == nullptr) {
    node_.machine.cancel_bootstrap(io::now());
  } else {
    node_.machine.cancel_connect(io::now(), *candidate_);
  }
  node_.wake();
}

FilteringWait::FilteringWait(NodeState& node) : async::Operation(waiting_list_), node_(node) {
  node_.filtering = this;
}

FilteringWait::~FilteringWait() {
  if (node_.filtering == this) node_.filtering = nullptr;
}

WaitForQueueSpace::WaitForQueueSpace(NodeState& node, const PeerId& peer)
    : async::Operation(waiting), node_(node), peer_(peer) {
  node_.wait_for_room(peer_, *this);
}

WaitForQueueSpace::~WaitForQueueSpace() {
  if (waits_for_room) node_.forget_room(peer_, *this);
}

// --- links ---------------------------------------------------------------------------------------

async::Task<std::expected<PeerId, BootstrapError>> NodeState::bootstrap(
    std::shared_ptr<NodeState> self, std::vector<PeerAddress> contacts) {
  if (self->bootstrapping) co_return std::unexpected(because("a bootstrap is under way already"));
  struct Guard {
    explicit Guard(NodeState& owner) : node(owner) { node.bootstrapping = true; }
    ~Guard() { node.bootstrapping = false; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    NodeState& node;
  };
  const Guard guard(*self);
  self->names.watch(contacts);
  Lookup lookup(self->loop, std::move(contacts), kLookupPatience);
  Lookup::Found found = co_await lookup;
  if (self->ending) co_return std::unexpected(because(to_string(PeerError::shut_down)));
  self->machine.bootstrap(io::now(), std::move(found.candidates));
  self->wake();
  LinkWait wait(*self, nullptr);
  auto result = co_await wait;
  if (result) co_return *result;
  BootstrapError& error = result.error();
  std::move(found.failures.begin(), found.failures.end(), std::back_inserter(error.attempts));
  if (error.attempts.empty() && error.why.empty()) {
    error.why = self->ending
                    ? to_string(PeerError::shut_down)
                    : "there is nobody to ask: no contact was given, and the cache is empty";
  }
  co_return std::unexpected(std::move(error));
}

namespace {

// One attempt of a connect().
async::Task<std::expected<PeerId, BootstrapError>> link_to(std::shared_ptr<NodeState> self,
                                                           const Candidate& candidate) {
  if (self->ending) co_return std::unexpected(because(to_string(PeerError::shut_down)));
  self->machine.connect(io::now(), candidate);
  self->wake();
  LinkWait wait(*self, &candidate);
  auto result = co_await wait;
  co_return std::move(result);
}

}  // namespace

async::Task<std::expected<PeerId, BootstrapError>> NodeState::connect(
    std::shared_ptr<NodeState> self, PeerAddress contact) {
  std::vector<PeerAddress> contacts;
  contacts.push_back(std::move(contact));
  Lookup lookup(self->loop, std::move(contacts), kLookupPatience);
  Lookup::Found found = co_await lookup;
  const std::vector<Candidate>& candidates = found.candidates;
  const auto begin = [&](std::size_t index) { return link_to(self, candidates[index]); };
  auto linked = co_await async::detail::staggered<PeerId, BootstrapError>(self->loop,
                                                                          candidates.size(), begin);
  if (linked) co_return *linked;
  BootstrapError failed{.attempts = std::move(found.failures), .why = {}};
  for (BootstrapError& error : linked.error()) {
    if (!error.why.empty()) failed.why = std::move(error.why);
    std::move(error.attempts.begin(), error.attempts.end(), std::back_inserter(failed.attempts));
  }
  co_return std::unexpected(std::move(failed));
}

async::Task<std::expected<PeerStream, PeerError>> NodeState::open_stream(
    std::shared_ptr<NodeState> self, PeerId peer) {
  for (;;) {
    if (self->ending) co_return std::unexpected(PeerError::shut_down);
    const auto opened = self->machine.open_stream(io::now(), peer);
    self->wake();
    if (opened) {
      const bool client = self->machine.role() == Role::client;
      co_return self->make_stream(*opened, peer, {.writes = true, .reads = client});
    }
    if (opened.error() != PeerError::queue_full) co_return std::unexpected(opened.error());
    WaitForQueueSpace wait(*self, peer);
    co_await wait;
  }
}

async::Task<std::expected<FilteringFound, PeerError>> NodeState::probe_filtering(
    std::shared_ptr<NodeState> self, PeerId peer) {
  if (self->ending) co_return std::unexpected(PeerError::shut_down);
  const auto asked = self->machine.probe_filtering(io::now(), peer);
  self->wake();
  if (!asked) co_return std::unexpected(asked.error());
  FilteringWait wait(*self);
  co_return co_await wait;
}

PeerStream NodeState::make_stream(OperationId id, const PeerId& peer, StreamSides sides) {
  const auto [at, added] =
      streams.try_emplace(id.value, *this, id, peer, sides.writes, sides.reads);
  return PeerStream{shared(), at->second};
}

// --- the end -------------------------------------------------------------------------------------

void NodeState::begin_shut_down(Duration drain_time) {
  ending = true;
  names.stop();
  schedule_all_arriving();
  const Instant now = io::now();
  machine.shut_down(now, drain_time);
  upnp.want(std::nullopt);
  wake();
}

async::Task<void> NodeState::finish_shut_down(std::shared_ptr<NodeState> self, Duration limit) {
  struct Saved final : async::Operation {
    explicit Saved(CacheSaver& owner) : async::Operation(owner.idle), saver(owner) {}
    bool attempt() override { return saver.is_idle(); }
    void await_resume() const {}
    CacheSaver& saver;
  };
  struct Removed final : async::Operation {
    explicit Removed(UpnpMapper& owner) : async::Operation(owner.idle), upnp(owner) {}
    bool attempt() override { return upnp.is_idle(); }
    void await_resume() const {}
    UpnpMapper& upnp;
  };
  Runtime::DrainedWait drained(*self);
  (void)co_await async::with_timeout(self->loop, limit, drained);
  self->fail_all(PeerError::shut_down);
  self->saver->save_now();
  Saved saved(*self->saver);
  co_await saved;
  Removed removed(self->upnp);
  (void)co_await async::with_timeout(self->loop, kRemovalPatience, removed);
}

void NodeState::abandon() {
  begin_shut_down({});
  observer.reset();
  end();
}

}  // namespace detail

}  // namespace qpeer::p2p
