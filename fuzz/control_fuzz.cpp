// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The control stream: whatever comes, in whatever pieces, gives the same messages; what decodes says
// what was received, and the bounds hold.
//
// The input is the size of the pieces (1 byte), then the stream.
#include <algorithm>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/control_reader.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::p2p;

namespace {

struct Reading {
  std::vector<ControlMessage> messages;
  ErrorCode error = ErrorCode::none;
  friend bool operator==(const Reading&, const Reading&) = default;
};

Reading read(Bytes stream, std::size_t piece) {
  Reading out;
  ControlReader reader;
  while (!stream.empty() && reader.error() == ErrorCode::none) {
    Bytes part = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(part.size());
    while (!part.empty() && reader.error() == ErrorCode::none) {
      reader.begin_turn();
      std::size_t in_turn = 0;
      for (std::size_t taken = 1; taken > 0;) {
        taken = reader.feed(part);
        part = part.subspan(taken);
        if (auto message = reader.next()) {
          out.messages.push_back(*std::move(message));
          ++in_turn;
        }
      }
      check(in_turn <= ControlReader::kMessagesPerTurn);
    }
  }
  out.error = reader.error();
  return out;
}

void check_message(const ControlMessage& message) {
  if (const auto* hello = std::get_if<Introduction>(&message)) {
    for (const SocketAddress& address : hello->advertised) check(address.port() != 0);
    if (!hello->is_ours()) return;  // Only its version was read.
  }
  std::vector<u8> storage(kMaxControlMessage);
  Writer out{storage};
  std::visit(
      [&out](const auto& each) {
        each.encode(out);
        const std::size_t body = each.body_size();
        check(out.ok() && out.size() == varint_size(each.kType) + varint_size(body) + body);
      },
      message);
  const Reading back = read(out.written(), out.size());
  check(back.error == ErrorCode::none && back.messages.size() == 1);
  check(back.messages[0] == message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes stream = Bytes(data, size).subspan(1);
  const Reading whole = read(stream, std::max<std::size_t>(stream.size(), 1));
  check(read(stream, std::size_t{data[0]} + 1) == whole);
  for (const ControlMessage& message : whole.messages) check_message(message);
  return 0;
}
