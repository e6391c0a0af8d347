// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The body of a file on a stream: what sending and fetching, at either end, have in common.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/transport/async/stream_handle.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {

using Sha256Sum = std::array<u8, 32>;

struct OpenFile {
  Descriptor file;
  std::uint64_t size = 0;
};
/// Opens a regular file for reading. Errors begin with the path.
[[nodiscard]] std::expected<OpenFile, std::string> open_file(const std::string& path);
/// The same for a file of this folder whose name a peer chose: neither a link nor a file in a folder
/// below is opened.
[[nodiscard]] std::expected<OpenFile, std::string> open_file_in(const std::string& folder,
                                                                const std::string& name);
/// "a/b/c" -> "c".
[[nodiscard]] std::string base_name(const std::string& path);

/// What became of a body that was sent.
struct SentBody {
  Sha256Sum sha256{};
  bool taken = true;  ///< False: the peer stopped the stream; its answer may say why.
};
/// Writes the whole file to the stream. `what` names the file in the error when its size changes
/// meanwhile.
async::Task<std::expected<SentBody, std::string>> send_body(async::StreamHandle& stream,
                                                            const OpenFile& file,
                                                            const std::string& what,
                                                            Progress& progress);

enum class BodyError : u8 { broke_off, too_short, cannot_write };
struct ReceivedBody {
  Sha256Sum sha256{};
  bool ended = false;  ///< Whether the stream ended with the body.
};
struct BodyFailure {
  BodyError error = BodyError::broke_off;
  std::string why{};
};
/// Reads exactly `size` bytes into `file`.
async::Task<std::expected<ReceivedBody, BodyFailure>> receive_body(async::StreamHandle& stream,
                                                                   AtomicFile& file,
                                                                   std::uint64_t size,
                                                                   Progress& progress);

}  // namespace qpeer::cli
