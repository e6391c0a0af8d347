// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/node_service.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/p2p/cli/common/metrics.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/silence.hpp"
#include "qpeer/transport/async/task_group.hpp"

namespace qpeer::cli {
namespace {

using p2p::Verdict;

constexpr Duration kFirstPause = 1s;
constexpr Duration kLongestPause = 30s;

}  // namespace

NodeService::NodeService(EventLoop& loop, Node node, ServiceOptions options, Reporter& reporter)
    : loop_(loop),
      node_(std::move(node)),
      options_(std::move(options)),
      reporter_(reporter),
      receiver_(loop, options_.receiver, [this](const Received& file) { on_received(file); }) {
  node_.on_event([this](const NodeEvent& event) { on_event(event); });
}

Task<int> NodeService::run() {
  reporter_.listening(node_);
  show_ticket();
  if (!options_.metrics.empty()) {
    tasks_.spawn(keep_metrics(loop_, options_.metrics, [this] { return open_metrics(node_); }));
  }
  if (wants_to_join()) tasks_.spawn(join());
  while (auto arrival = co_await node_.next()) take(std::move(*arrival));
  const auto error = node_.error();
  co_await node_.shut_down();
  tasks_.cancel();
  if (error) {
    reporter_.trouble("failed", "the socket failed: " + error.message());
    co_return kFailure;
  }
  if (options_.once) co_return first_stored_.value_or(false) ? kSuccess : kFailure;
  if (!unreachable_ || stopping_) co_return kSuccess;
  if (options_.node_only) co_return kFailure;
  const int status = co_await go_on_as_client();
  co_return status;
}

void NodeService::stop() {
  stopping_ = true;
  if (client_) return client_->stop();
  auto closing = node_.shut_down();  // Ends the loop over next().
}

// --- what happens --------------------------------------------------------------------------------

// Again only when it is another one.
void NodeService::show_ticket() {
  std::string ticket = node_.contact().to_ticket();
  if (ticket == ticket_) return;
  ticket_ = std::move(ticket);
  reporter_.ticket(ticket_);
}

void NodeService::on_event(const NodeEvent& event) {
  reporter_.on_event(node_, event);
  if (std::holds_alternative<p2p::PortMapped>(event) ||
      std::holds_alternative<p2p::PortMapFailed>(event) ||
      std::holds_alternative<p2p::OwnAddressChanged>(event)) {
    show_ticket();
  }
  if (const auto* us = std::get_if<p2p::ReachabilityVerdict>(&event)) {
    refused_ |= us->verdict != Verdict::reachable && us->verdict != Verdict::try_again_later;
  } else if (const auto* up = std::get_if<p2p::LinkUp>(&event)) {
    if (up->role == Role::node && !options_.greeting.empty())
      tasks_.spawn(greet(node_.peer(up->peer)));
  }
}

void NodeService::on_received(const Received& file) {
  reporter_.received(file);
  if (!first_stored_) first_stored_ = file.failure.empty();
  if (options_.once) stop();
}

void NodeService::take(Arrival arrival) {
  if (const auto* message = std::get_if<Message>(&arrival)) {
    reporter_.message(*message);
  } else if (auto* request = std::get_if<IncomingRequest>(&arrival)) {
    reporter_.request(*request);
    tasks_.spawn(answer(std::move(*request)));
  } else if (auto* stream = std::get_if<PeerStream>(&arrival)) {
    const SocketAddress address = address_of(stream->peer());
    tasks_.spawn(receiver_.serve(std::move(*stream), address));
  }
}

// A link that has just ended has no address any more, as its stream will notice.
SocketAddress NodeService::address_of(const PeerId& peer) const {
  const auto links = node_.links();
  const auto found = std::ranges::find(links, peer, &LinkInfo::peer);
  return found == links.end() ? SocketAddress{} : found->address;
}

Task<void> NodeService::greet(NodePeer peer) {
  const auto sent = co_await peer.send(as_bytes(options_.greeting));
  const std::string id = peer.id().to_string();
  if (sent) {
    reporter_.note("said", "said '" + options_.greeting + "' to " + id);
  } else if (!stopping_) {
    reporter_.trouble("not_said", id + ": " + std::string(to_string(sent.error())));
  }
}

// --- requests ------------------------------------------------------------------------------------

Task<void> NodeService::answer(IncomingRequest request) {
  const auto text = answer_to(as_text(request.data()));
  if (!text) {
    request.refuse();
    co_return;
  }
  (void)co_await request.reply(as_bytes(*text));
}

std::optional<std::string> NodeService::answer_to(std::string_view text) const {
  constexpr std::string_view kEcho = "echo ";
  if (text.starts_with(kEcho)) return std::string(text.substr(kEcho.size()));
  if (text == "id") return node_.contact().to_string();
  if (text == "peers") return list_peers();
  if (text == "files") {
    std::string out;
    for (const std::string& name : receiver_.names()) out += (out.empty() ? "" : "\n") + name;
    return out;
  }
  return std::nullopt;
}

std::string NodeService::list_peers() const {
  std::string out;
  for (const LinkInfo& link : node_.links()) {
    if (!link.up) continue;
    out += fmt::format("{}{} {}@{} {}", out.empty() ? "" : "\n", to_string(link.role),
                       link.peer.to_string(), link.address.to_string(), how(link, Role::node));
  }
  return out;
}

// --- joining -------------------------------------------------------------------------------------

bool NodeService::wants_to_join() const {
  return !options_.contacts.empty() || node_.cache().size() > 0;
}

Task<void> NodeService::join() {
  async::TaskGroup watching;
  watching.spawn(watch_for_silence(
      loop_, [this] { return node_.udp_stats(); },
      [this](const std::string& sentence) { reporter_.trouble("silence", sentence); }));
  for (Duration pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    refused_ = false;
    const auto joined = co_await node_.bootstrap(options_.contacts);
    if (joined || stopping_) co_return;
    for (const BootstrapError::Attempt& attempt : joined.error().attempts) {
      reporter_.trouble("not_joined", "no link to " + attempt.candidate + ": " + attempt.why);
    }
    if (!joined.error().why.empty()) reporter_.trouble("not_joined", joined.error().why);
    if (refused_ && node_.peers().empty()) {
      unreachable_ = true;
      auto closing = node_.shut_down();  // run() goes on from there.
      co_return;
    }
    co_await sleep_for(loop_, pause);
  }
}

Task<int> NodeService::go_on_as_client() {
  reporter_.set_role(Role::client);
  reporter_.note("now_client", "nobody can reach us as a node: going on as a client");
  auto client = Client::start(loop_, std::move(options_.as_client));
  if (!client) {
    reporter_.trouble("failed", to_string(client.error()));
    co_return kFailure;
  }
  client_.emplace(loop_, std::move(*client), options_.contacts, options_.metrics, reporter_);
  const int status = co_await client_->run(std::nullopt);
  co_return status;
}

}  // namespace qpeer::cli
