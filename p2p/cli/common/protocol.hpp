// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The protocol of qpeer's programs on raw streams of the peer layer: one request a stream.
//
//   put   u8 1 | u8 length of name | name | u64 size | body of that size | FIN
//     --> u8 status | u16 length of text | text | 32 bytes SHA-256, if stored | FIN
//         text is the name under which the file was stored, or why it was not; in the latter case
//         the node also stops the stream, since the sender may still be sending
//   get   u8 2 | u8 length of name | name | FIN
//     --> u8 status | u16 length of text | text | u64 size | body | 32 bytes SHA-256 | FIN
//         text is the name, or why there is no file; then nothing follows it
//
// A client's stream carries the answer back. A node's stream is unidirectional: a node can put a file,
// but gets no answer.
// Integers are in network order.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/async/stream_handle.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::cli {

inline constexpr std::uint16_t kDefaultPort = 4477;

/// Error codes of streams.
enum class ErrorCode : std::uint64_t { none = 0, bad_request = 1, refused = 2, interrupted = 3 };

enum class RequestType : u8 { put = 1, get = 2 };

struct PutRequest {
  std::string name;
  std::uint64_t size = 0;

  [[nodiscard]] std::vector<u8> encode() const;  ///< With the type.
};

struct PutAnswer {
  bool stored = false;
  std::string text;
  std::array<u8, 32> sha256{};

  [[nodiscard]] std::vector<u8> encode() const;
};

struct GetRequest {
  std::string name;

  [[nodiscard]] std::vector<u8> encode() const;  ///< With the type.
};

/// What comes before the body.
struct GetAnswer {
  bool found = false;
  std::string text;
  std::uint64_t size = 0;

  [[nodiscard]] std::vector<u8> encode() const;
};

/// Fills `out`; false when the stream ends before.
async::Task<bool> read_exactly(async::StreamHandle& stream, MutableBytes out);
/// Reads one answer; nullopt when the peer ended the stream early or sent something else.
async::Task<std::optional<RequestType>> read_type(async::StreamHandle& stream);
async::Task<std::optional<PutRequest>> read_put(async::StreamHandle& stream);  ///< After the type.
async::Task<std::optional<GetRequest>> read_get(async::StreamHandle& stream);  ///< After the type.
async::Task<std::optional<PutAnswer>> read_put_answer(async::StreamHandle& stream);
async::Task<std::optional<GetAnswer>> read_get_answer(async::StreamHandle& stream);

}  // namespace qpeer::cli
