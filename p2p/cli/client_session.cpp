// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/client_session.hpp"

#include <utility>

#include "qpeer/p2p/cli/common/metrics.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/silence.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

constexpr Duration kLook = 20ms;

}  // namespace

ClientSession::ClientSession(EventLoop& loop, Client client, std::vector<PeerAddress> contacts,
                             std::string metrics, const Reporter& reporter)
    : loop_(loop),
      client_(std::move(client)),
      contacts_(std::move(contacts)),
      metrics_(std::move(metrics)),
      reporter_(reporter) {
  client_.on_event([this](const NodeEvent& event) { reporter_.on_event(client_, event); });
}

Task<int> ClientSession::run(std::optional<int> input) {
  if (!metrics_.empty()) {
    tasks_.spawn(keep_metrics(loop_, metrics_, [this] { return open_metrics(client_); }));
  }
  const bool joined = co_await join();
  bool all_answered = joined;
  if (joined && input && !stopping_) {
    lines_.emplace(loop_, *input);
    while (auto line = co_await lines_->next()) {
      if (line->empty()) continue;
      // When the answers are not read from our output, no further requests are sent.
      while (!stopping_ && !output_has_room()) co_await sleep_for(loop_, kLook);
      const bool answered = co_await ask(*line);
      all_answered &= answered;
    }
  } else if (joined) {
    co_await stay();
  }
  co_await client_.shut_down();
  co_return all_answered || stopping_ ? kSuccess : kFailure;
}

void ClientSession::stop() {
  stopping_ = true;
  if (lines_) lines_->close();
  auto closing = client_.shut_down();  // All that is awaited of the client ends.
}

Task<bool> ClientSession::join() {
  async::TaskGroup watching;
  watching.spawn(watch_for_silence(
      loop_, [this] { return client_.udp_stats(); },
      [this](const std::string& sentence) { reporter_.trouble("silence", sentence); }));
  const Instant begin = io::now();
  const auto server = co_await client_.bootstrap(contacts_);
  if (!server && !stopping_) {
    const std::string_view advice = advice_on_silence(client_.udp_stats(), io::now() - begin);
    reporter_.trouble("not_joined", "no link: " + one_line(server.error()) + std::string(advice));
  }
  co_return server.has_value();
}

Task<bool> ClientSession::ask(const std::string& text) {
  if (client_.peers().empty()) {
    const bool joined = co_await join();
    if (!joined) co_return false;
  }
  const auto servers = client_.peers();
  if (servers.empty()) co_return false;
  const ServerPeer& server = servers.front();
  const Instant begin = io::now();
  const auto answer = co_await server.request(as_bytes(text));
  if (!answer) {
    const std::string id = server.id().to_string();
    reporter_.trouble("no_reply", id + ": " + std::string(to_string(answer.error())));
    co_return false;
  }
  reporter_.reply(server.id(), *answer, io::now() - begin);
  co_return true;
}

Task<void> ClientSession::stay() {
  while (!stopping_ && !client_.error()) co_await sleep_for(loop_, kLook);
}

}  // namespace qpeer::cli
