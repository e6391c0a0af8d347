// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/receiver.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/transfer.hpp"
#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

using async::Task;
using p2p::PeerStream;

PutAnswer refusal(std::string why) { return {.stored = false, .text = std::move(why)}; }

void stop(PeerStream& stream, ErrorCode code) {
  (void)stream.stop_sending(static_cast<std::uint64_t>(code));
}

// Does nothing on a node's stream, which carries no answer.
Task<void> send_answer(PeerStream& stream, const PutAnswer& answer) {
  const std::vector<u8> bytes = answer.encode();
  const auto written = co_await stream.write(bytes);
  if (!answer.stored) stop(stream, ErrorCode::refused);
  if (!written) co_return;
  (void)stream.finish();
  (void)co_await stream.finished();
}

}  // namespace

/// Counts a transfer as long as it lives.
class Receiver::Slot {
 public:
  Slot(Receiver& receiver, const Transfer& transfer)
      : receiver_(receiver), peer_(transfer.stream.peer()), network_(transfer.network) {
    receiver_.transfers_.add(peer_);
    receiver_.of_networks_.add(network_);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    receiver_.transfers_.remove(peer_);
    receiver_.of_networks_.remove(network_);
  }

 private:
  Receiver& receiver_;
  PeerId peer_;
  SocketAddress network_;
};

bool Receiver::may_store(const PeerId& peer) const {
  return options_.anyone_stores ||
         std::ranges::find(options_.storers, peer) != options_.storers.end();
}

bool Receiver::is_busy(const Transfer& transfer) const {
  return transfers_.total() >= options_.max_transfers ||
         transfers_.of(transfer.stream.peer()) >= options_.max_transfers_of_peer ||
         of_networks_.of(transfer.network) >= options_.max_transfers_of_network;
}

Task<void> Receiver::serve(PeerStream stream, SocketAddress address) {
  Transfer transfer{.stream = std::move(stream), .network = site_of(address)};
  Task<void> serving = serve_request(transfer);
  Task<void> watching = until_it_stands_still(transfer);
  const auto first = co_await async::when_any(std::move(serving), std::move(watching));
  if (first.index() == 1) {
    stop(transfer.stream, ErrorCode::interrupted);
    (void)transfer.stream.reset(static_cast<std::uint64_t>(ErrorCode::interrupted));
  }
  if (transfer.received && on_received_) on_received_(*transfer.received);
}

// Bytes written for a get may wait in our own send buffer. Once all is written, the peer has as much
// time for the buffer as it takes at the least rate. Before, no progress means that the buffer is full.
Task<void> Receiver::until_it_stands_still(const Transfer& transfer) {
  std::uint64_t before = 0;
  std::uint64_t buffered = 0;
  for (;;) {
    co_await async::sleep_for(loop_, options_.patience);
    const std::uint64_t done = transfer.progress.done();
    if (done >= before + options_.least_progress) {
      buffered = std::min<std::uint64_t>(done, options_.send_buffer);
    } else if (transfer.written && buffered >= options_.least_progress) {
      buffered -= options_.least_progress;
    } else {
      co_return;
    }
    before = done;
  }
}

Task<void> Receiver::serve_request(Transfer& transfer) {
  const auto type = co_await read_type(transfer.stream);
  if (type == RequestType::put) {
    co_await serve_put(transfer);
  } else if (type == RequestType::get) {
    co_await serve_get(transfer);
  } else {
    stop(transfer.stream, ErrorCode::bad_request);
  }
}

// --- put -----------------------------------------------------------------------------------------

Task<void> Receiver::serve_put(Transfer& transfer) {
  const auto request = co_await read_put(transfer.stream);
  if (!request) {
    stop(transfer.stream, ErrorCode::bad_request);
    co_return;
  }
  const std::string_view bad_name = why_bad_name(request->name);
  Received& received = transfer.received.emplace();
  received = {.from = transfer.stream.peer(),
              .name = bad_name.empty() ? request->name : "(a bad name)",
              .size = request->size,
              .failure = "the transfer stopped, or was too slow"};
  const auto answer = co_await store(transfer, *request, bad_name);
  if (!answer) {
    received.failure = "the sender ended the stream early";
    co_return;
  }
  received.failure = answer->stored ? "" : answer->text;
  if (answer->stored) {
    received.name = answer->text;
    received.sha256 = answer->sha256;
  }
  co_await send_answer(transfer.stream, *answer);
}

Task<std::optional<PutAnswer>> Receiver::store(Transfer& transfer, const PutRequest& request,
                                               std::string_view bad_name) {
  const PeerId peer = transfer.stream.peer();
  if (!store_.exists()) co_return refusal("this node stores no files");
  if (!may_store(peer)) co_return refusal("this node takes no files from you");
  if (!bad_name.empty()) co_return refusal("the name is refused: " + std::string(bad_name));
  if (is_busy(transfer)) co_return refusal("the node is busy");
  auto room = store_.reserve(peer, request.size, io::now());
  if (!room) co_return refusal(room.error());
  const Slot slot{*this, transfer};
  auto answer = co_await store_body(transfer, request);
  if (answer && answer->stored) room->keep(answer->text);
  co_return answer;
}

// Stores the body in a file. Nullopt: the sender ended the stream early.
Task<std::optional<PutAnswer>> Receiver::store_body(Transfer& transfer, const PutRequest& request) {
  PeerStream& stream = transfer.stream;
  auto file = AtomicFile::create(store_.folder());
  if (!file) co_return refusal("the node cannot make a file");
  Store::set_owner(*file, stream.peer());
  const auto body = co_await receive_body(stream, *file, request.size, transfer.progress);
  if (!body) {
    if (body.error().error == BodyError::broke_off) co_return std::nullopt;
    if (body.error().error == BodyError::cannot_write) co_return refusal(body.error().why);
    co_return refusal("the file is shorter than announced");
  }
  if (!body->ended) {
    const auto rest = co_await stream.peek();
    if (!rest) co_return std::nullopt;
    if (!rest->data.empty()) co_return refusal("the file is longer than announced");
    stream.consume(0);
  }
  const auto name = file->commit(request.name, AtomicFile::Collision::number);
  if (!name) co_return refusal(name.error());
  co_return PutAnswer{.stored = true, .text = *name, .sha256 = body->sha256};
}

// --- get -----------------------------------------------------------------------------------------

Task<void> Receiver::serve_get(Transfer& transfer) {
  PeerStream& stream = transfer.stream;
  const auto request = co_await read_get(stream);
  if (!request) {
    stop(stream, ErrorCode::bad_request);
    co_return;
  }
  GetAnswer answer{.found = false, .text = "there is no such file"};
  std::optional<OpenFile> file;
  if (!store_.exists()) {
    answer.text = "this node stores no files";
  } else if (is_busy(transfer)) {
    answer.text = "the node is busy";
  } else if (why_bad_name(request->name).empty()) {
    if (auto opened = store_.open(request->name)) {
      answer = {.found = true, .text = request->name, .size = opened->size};
      file = std::move(*opened);
    }
  }
  std::optional<Slot> slot;
  if (file) slot.emplace(*this, transfer);  // An answer without a body does not count.
  const std::vector<u8> head = answer.encode();
  const auto written = co_await stream.write(head);
  if (!written) co_return;
  if (file) {
    const auto body = co_await send_body(stream, *file, request->name, transfer.progress);
    if (!body || !body->taken) co_return;  // Resets the stream, since the file is incomplete.
    (void)co_await stream.write(body->sha256);
  }
  transfer.written = true;
  (void)stream.finish();
  (void)co_await stream.finished();
}

}  // namespace qpeer::cli
