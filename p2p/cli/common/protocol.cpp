#include "p2p/cli/common/protocol.hpp"

#include <algorithm>
#include <limits>

namespace qpeer::cli {
namespace {

using async::AsyncStream;
using async::Task;

Task<bool> read_exactly(AsyncStream& stream, MutableBytes out) {
  const auto size = co_await stream.read_full(out);
  co_return size && *size == out.size();
}

}  // namespace

std::vector<u8> PutRequest::encode() const {
  std::vector<u8> out(2 + name.size() + 8);
  Writer writer{out};
  writer.byte(static_cast<u8>(RequestType::put));
  writer.byte(static_cast<u8>(name.size()));
  writer.bytes(as_bytes(name));
  writer.u64(size);
  return out;
}

std::vector<u8> PutAnswer::encode() const {
  constexpr std::size_t kLongest = 1000;
  const Bytes shown = as_bytes(std::string_view(text).substr(0, kLongest));
  std::vector<u8> out(3 + shown.size() + (stored ? sha256.size() : 0));
  Writer writer{out};
  writer.byte(stored ? 0 : 1);
  writer.u16(static_cast<std::uint16_t>(shown.size()));
  writer.bytes(shown);
  if (stored) writer.bytes(sha256);
  return out;
}

Task<std::optional<RequestType>> read_type(AsyncStream& stream) {
  std::array<u8, 1> type{};
  const bool whole = co_await read_exactly(stream, type);
  if (!whole || type[0] < 1 || type[0] > 2) co_return std::nullopt;
  co_return static_cast<RequestType>(type[0]);
}

Task<std::optional<PutRequest>> read_put(AsyncStream& stream) {
  std::array<u8, std::numeric_limits<u8>::max() + 8> buffer{};
  const MutableBytes storage(buffer);
  bool whole = co_await read_exactly(stream, storage.first(1));
  if (!whole) co_return std::nullopt;
  const std::size_t name_size = buffer[0];
  const MutableBytes rest = storage.first(name_size + 8);
  whole = co_await read_exactly(stream, rest);
  if (!whole) co_return std::nullopt;
  Reader reader{rest};
  PutRequest request;
  request.name = as_text(reader.bytes(name_size));
  request.size = reader.u64();
  co_return request;
}

Task<std::optional<PutAnswer>> read_answer(AsyncStream& stream) {
  std::array<u8, 3> head{};
  bool whole = co_await read_exactly(stream, head);
  if (!whole || head[0] > 1) co_return std::nullopt;
  PutAnswer answer;
  answer.stored = head[0] == 0;
  std::vector<u8> text(Reader{Bytes(head).subspan(1)}.u16());
  whole = co_await read_exactly(stream, text);
  if (!whole) co_return std::nullopt;
  answer.text = as_text(text);
  if (answer.stored) {
    whole = co_await read_exactly(stream, answer.sha256);
    if (!whole) co_return std::nullopt;
  }
  co_return answer;
}

}  // namespace qpeer::cli
