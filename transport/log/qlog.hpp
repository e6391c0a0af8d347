// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qlog files: what happened to each connection, for qvis and other tools, and scripts/plot.sh.
// draft-ietf-quic-qlog-main-schema §5 (JSON text sequences, RFC 7464), draft-ietf-quic-qlog-quic-events.
//
//   config.observer = transport::log::qlog_files({.directory = "/var/log/qlog"});
//   config.observer = transport::log::qlog_from_environment();   // Where QLOGDIR says, if it does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "qpeer/transport/log/observer.hpp"

namespace qpeer::transport::log {

/// Where qlog files go.
struct QlogOptions {
  /// Must exist. Each connection has a file there, named after its original destination connection ID and
  /// our side, such as 8394c8f03e515708_client.sqlog, with a number before the suffix where that is taken;
  /// the file is its owner's alone (mode 0600).
  std::string directory{};
  /// Bytes after which a file is not continued; 0 is no limit.
  std::uint64_t max_file_size = 0;
  /// Called once for each file that cannot be made, or not be continued (a full disk), with a sentence
  /// that says why; the connection goes on without it. In the thread that drives the connection.
  std::function<void(const std::string&)> on_error{};
};

/// Observers that write what they learn. Packets' frames are in it, but no data of streams, datagrams or
/// the handshake, no key, token or reset token. Each writes to its file in blocks, when the connection
/// ends, and about once a second while something happens: in the thread that drives the connection,
/// which waits for the disk.
[[nodiscard]] ObserverFactory qlog_files(QlogOptions options);

/// The same in the directory that the environment variable QLOGDIR names; no observer where it is unset
/// or empty. The environment is read now, and by nothing else in the library.
[[nodiscard]] ObserverFactory qlog_from_environment(
    std::function<void(const std::string&)> on_error = {});

}  // namespace qpeer::transport::log
