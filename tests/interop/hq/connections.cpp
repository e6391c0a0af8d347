// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What both commands do with connections, and what they say of them: the interoperation tests read it.
#include <chrono>
#include <string>
#include <string_view>

#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/transport_options.hpp"
#include "qpeer/tests/interop/hq/commands.hpp"

namespace qpeer::hq {

Task<void> update_keys(AsyncConnection connection) {
  const auto confirmed = co_await connection.confirmed();
  if (!confirmed) co_return;
  const auto acknowledged = co_await connection.ping();
  if (!acknowledged || connection.initiate_key_update()) co_return;
  cli::complain("qpeer-hq: no key update is possible");
}

Task<void> tell_connected(AsyncConnection connection, std::string peer) {
  const auto established = co_await connection.established();
  if (!established) {
    cli::complain("{}: no handshake: {}", peer, to_string(established.error()));
    co_return;
  }
  const ConnectionInfo& info = connection.info();
  const auto took = connection.stats().handshake_time;
  const auto early = connection.early_data_accepted();
  if (peer.empty()) peer = info.remote.to_string();
  cli::say("{}: QUIC v{}, {}, {}, handshake {:.3f} ms{}{}", peer,
           info.version == Version::v2 ? 2 : 1, cli::to_string(info.cipher_suite),
           info.key_exchange_group, std::chrono::duration<double, std::milli>(took).count(),
           info.resumed ? ", resumed" : "",
           !early   ? ""
           : *early ? ", early data accepted"
                    : ", early data rejected");
}

void tell_figures(const AsyncConnection& connection, std::string_view peer) {
  const ConnectionStats stats = connection.stats();
  cli::say("{}: {} key updates, {} path changes, {} packets sent, {} lost, {} received", peer,
           stats.key_updates, stats.path_changes, stats.packets_sent, stats.packets_lost,
           stats.packets_received);
}

}  // namespace qpeer::hq
