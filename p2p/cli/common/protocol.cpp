// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/protocol.hpp"

#include <utility>

namespace qpeer::cli {
namespace {

using async::StreamHandle;
using async::Task;

std::vector<u8> with_name(RequestType type, std::string_view name, std::size_t rest) {
  std::vector<u8> out(2 + name.size() + rest);
  Writer writer{out};
  writer.byte(static_cast<u8>(type));
  writer.byte(static_cast<u8>(name.size()));
  writer.bytes(as_bytes(name));
  return out;
}

// Status and text, with room for the rest.
std::vector<u8> with_text(bool good, std::string_view text, std::size_t rest) {
  constexpr std::size_t kLongest = 1000;
  const Bytes shown = as_bytes(text.substr(0, kLongest));
  std::vector<u8> out(3 + shown.size() + rest);
  Writer writer{out};
  writer.byte(good ? 0 : 1);
  writer.u16(static_cast<std::uint16_t>(shown.size()));
  writer.bytes(shown);
  return out;
}

Task<std::optional<std::string>> read_name(StreamHandle& stream) {
  std::array<u8, 1> size{};
  bool whole = co_await read_exactly(stream, size);
  if (!whole) co_return std::nullopt;
  std::string name(size[0], '\0');
  const MutableBytes storage(reinterpret_cast<u8*>(name.data()), name.size());
  whole = co_await read_exactly(stream, storage);
  if (!whole) co_return std::nullopt;
  co_return name;
}

struct Text {
  bool good = false;
  std::string text;
};

Task<std::optional<Text>> read_text(StreamHandle& stream) {
  std::array<u8, 3> head{};
  bool whole = co_await read_exactly(stream, head);
  if (!whole || head[0] > 1) co_return std::nullopt;
  Text out{.good = head[0] == 0, .text = std::string(Reader{Bytes(head).subspan(1)}.u16(), '\0')};
  const MutableBytes storage(reinterpret_cast<u8*>(out.text.data()), out.text.size());
  whole = co_await read_exactly(stream, storage);
  if (!whole) co_return std::nullopt;
  co_return out;
}

Task<std::optional<std::uint64_t>> read_u64(StreamHandle& stream) {
  std::array<u8, 8> bytes{};
  const bool whole = co_await read_exactly(stream, bytes);
  if (!whole) co_return std::nullopt;
  co_return Reader{bytes}.u64();
}

}  // namespace

std::vector<u8> PutRequest::encode() const {
  std::vector<u8> out = with_name(RequestType::put, name, 8);
  Writer{MutableBytes(out).last(8)}.u64(size);
  return out;
}

std::vector<u8> PutAnswer::encode() const {
  std::vector<u8> out = with_text(stored, text, stored ? sha256.size() : 0);
  if (stored) Writer{MutableBytes(out).last(sha256.size())}.bytes(sha256);
  return out;
}

std::vector<u8> GetRequest::encode() const { return with_name(RequestType::get, name, 0); }

std::vector<u8> GetAnswer::encode() const {
  std::vector<u8> out = with_text(found, text, found ? 8 : 0);
  if (found) Writer{MutableBytes(out).last(8)}.u64(size);
  return out;
}

Task<bool> read_exactly(StreamHandle& stream, MutableBytes out) {
  const auto size = co_await stream.read_full(out);
  co_return size && *size == out.size();
}

Task<std::optional<RequestType>> read_type(StreamHandle& stream) {
  std::array<u8, 1> type{};
  const bool whole = co_await read_exactly(stream, type);
  if (!whole || type[0] < 1 || type[0] > 2) co_return std::nullopt;
  co_return static_cast<RequestType>(type[0]);
}

Task<std::optional<PutRequest>> read_put(StreamHandle& stream) {
  auto name = co_await read_name(stream);
  if (!name) co_return std::nullopt;
  const auto size = co_await read_u64(stream);
  if (!size) co_return std::nullopt;
  co_return PutRequest{.name = std::move(*name), .size = *size};
}

Task<std::optional<GetRequest>> read_get(StreamHandle& stream) {
  auto name = co_await read_name(stream);
  if (!name) co_return std::nullopt;
  co_return GetRequest{.name = std::move(*name)};
}

Task<std::optional<PutAnswer>> read_put_answer(StreamHandle& stream) {
  auto text = co_await read_text(stream);
  if (!text) co_return std::nullopt;
  PutAnswer answer{.stored = text->good, .text = std::move(text->text)};
  if (answer.stored) {
    const bool whole = co_await read_exactly(stream, answer.sha256);
    if (!whole) co_return std::nullopt;
  }
  co_return answer;
}

Task<std::optional<GetAnswer>> read_get_answer(StreamHandle& stream) {
  auto text = co_await read_text(stream);
  if (!text) co_return std::nullopt;
  GetAnswer answer{.found = text->good, .text = std::move(text->text)};
  if (answer.found) {
    const auto size = co_await read_u64(stream);
    if (!size) co_return std::nullopt;
    answer.size = *size;
  }
  co_return answer;
}

}  // namespace qpeer::cli
