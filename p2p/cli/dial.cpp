// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/dial.hpp"

#include <utility>

#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/silence.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

using Error = std::unexpected<std::string>;

Task<int> dial_and(EventLoop& loop, std::string_view program, const DialOptions& options,
                   const std::function<Task<int>(Dialled&)>& work) {
  auto dialled = co_await dial(loop, program, options);
  if (!dialled) {
    complain("{}: {}", program, dialled.error());
    co_return kFailure;
  }
  const int status = co_await work(*dialled);
  co_await dialled->client.shut_down(200ms);
  co_return status;
}

}  // namespace

void DialOptions::declare(Arguments& arguments) { peer.declare(arguments); }

std::optional<int> DialOptions::parse(Arguments& arguments, std::span<char* const> words) const {
  if (const auto status = arguments.parse(words)) return status;
  if (const std::string wrong = peer.why_wrong(); !wrong.empty()) return arguments.misuse(wrong);
  if (contacts.empty() && peer.cache.empty()) {
    return arguments.misuse("no node to dial: give a PEER, or a --cache FILE that holds some");
  }
  if (contacts.size() > 1) return arguments.misuse("one PEER at a time");
  for (const PeerAddress& contact : contacts) {
    const std::string wrong = peer.why_not_dialled(contact);
    if (!wrong.empty()) return arguments.misuse(wrong);
  }
  return std::nullopt;
}

std::string Dialled::name() const {
  return server.id().to_string() + '@' + link().address.to_string();
}

LinkInfo Dialled::link() const {
  if (auto info = server.info()) return std::move(*info);
  LinkInfo out;
  out.peer = server.id();
  return out;
}

Task<std::expected<Dialled, std::string>> dial(EventLoop& loop, std::string_view program,
                                               const DialOptions& options) {
  auto settings = options.peer.make();
  if (!settings) co_return Error(settings.error());
  settings->config.target_links = 1;
  auto client = Client::start(loop, std::move(*settings));
  if (!client) co_return Error(to_string(client.error()));
  async::TaskGroup watching;
  watching.spawn(watch_for_silence(
      loop, [&client] { return client->udp_stats(); },
      [program](const std::string& sentence) { complain("{}: {}", program, sentence); }));
  const auto because = [&client, begin = io::now()](std::string_view what,
                                                    const BootstrapError& error) {
    std::string out = std::string(what) + one_line(error);
    return Error(out + std::string(advice_on_silence(client->udp_stats(), io::now() - begin)));
  };
  if (options.contacts.empty()) {
    const auto server = co_await client->bootstrap();
    if (!server) co_return because("nobody answers: ", server.error());
    watching.cancel();
    co_return Dialled{std::move(*client), *server};
  }
  const auto server = co_await client->connect(options.contacts.front());
  if (!server) co_return because("cannot reach ", server.error());
  watching.cancel();
  co_return Dialled{std::move(*client), *server};
}

int with_link(std::string_view program, const DialOptions& options,
              const std::function<Task<int>(Dialled&)>& work) {
  EventLoop loop;
  return run_program(loop, dial_and(loop, program, options, work));
}

}  // namespace qpeer::cli
