// What qpeer's programs say to each other, ALPN "qpeer/0": one request on a bidirectional stream,
// then one answer on it.
//
//   put   u8 1 | u8 length of name | name | u64 size | body of that size | FIN
//     --> u8 status | u16 length of text | text | 32 bytes SHA-256, if stored | FIN
//         text is the name it was stored under, or why it was not; then the node also stops the
//         stream, for the sender may still be sending
//   ping  u8 2, then 8 bytes at a time, each of which comes back
//
// Integers are in network order.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/async/async_stream.hpp"
#include "transport/async/task.hpp"
#include "transport/base/bytes.hpp"

namespace qpeer::cli {

inline constexpr std::string_view kAlpn = "qpeer/0";
inline constexpr std::uint16_t kDefaultPort = 4477;
inline constexpr std::size_t kPingSize = 8;

/// Error codes of streams and connections.
enum class ErrorCode : std::uint64_t { none = 0, bad_request = 1, refused = 2, interrupted = 3 };

enum class RequestType : u8 { put = 1, ping = 2 };

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

/// Reads one; nullopt when the peer broke off or sent something else.
async::Task<std::optional<RequestType>> read_type(async::AsyncStream& stream);
async::Task<std::optional<PutRequest>> read_put(async::AsyncStream& stream);  ///< After the type.
async::Task<std::optional<PutAnswer>> read_answer(async::AsyncStream& stream);

}  // namespace qpeer::cli
