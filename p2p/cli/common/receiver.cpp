// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/receiver.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/transfer.hpp"

namespace qpeer::cli {
namespace {

using async::Task;
using p2p::PeerStream;

PutAnswer refusal(std::string why) { return {.stored = false, .text = std::move(why)}; }

void stop(PeerStream& stream, ErrorCode code) {
  (void)stream.stop_sending(static_cast<std::uint64_t>(code));
}

// A node's stream takes no answer; then this does nothing.
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
  explicit Slot(Receiver& receiver) : receiver_(receiver) { ++receiver_.transfers_; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() { --receiver_.transfers_; }

 private:
  Receiver& receiver_;
};

std::vector<std::string> Receiver::names() const {
  std::vector<std::string> out;
  if (options_.store.empty()) return out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(options_.store, error), end; !error && at != end;
       at.increment(error)) {
    std::string name = at->path().filename().string();
    if (why_bad_name(name).empty() && at->is_regular_file(error)) out.push_back(std::move(name));
  }
  std::ranges::sort(out);
  return out;
}

Task<void> Receiver::serve(PeerStream stream) {
  const auto type = co_await read_type(stream);
  if (type == RequestType::put) {
    co_await serve_put(stream);
  } else if (type == RequestType::get) {
    co_await serve_get(stream);
  } else {
    stop(stream, ErrorCode::bad_request);
  }
}

// --- put -----------------------------------------------------------------------------------------

Task<void> Receiver::serve_put(PeerStream& stream) {
  const auto request = co_await read_put(stream);
  if (!request) {
    stop(stream, ErrorCode::bad_request);
    co_return;
  }
  const std::string_view bad_name = why_bad_name(request->name);
  Received received{.from = stream.peer(),
                    .name = bad_name.empty() ? request->name : "(a bad name)",
                    .size = request->size,
                    .failure = {}};
  const auto answer = co_await store(stream, *request, bad_name);
  if (!answer) {
    received.failure = "the sender broke off";
  } else if (!answer->stored) {
    received.failure = answer->text;
  } else {
    received.name = answer->text;
    received.sha256 = answer->sha256;
  }
  if (answer) co_await send_answer(stream, *answer);
  if (on_received_) on_received_(received);
}

Task<std::optional<PutAnswer>> Receiver::store(PeerStream& stream, const PutRequest& request,
                                               std::string_view bad_name) {
  if (options_.store.empty()) co_return refusal("this node stores no files");
  if (!bad_name.empty()) co_return refusal("the name is refused: " + std::string(bad_name));
  if (request.size > options_.max_size) {
    co_return refusal("the file is too large; the limit is " + human_size(options_.max_size));
  }
  if (transfers_ >= options_.max_transfers) co_return refusal("the node is busy");
  const Slot slot{*this};
  auto answer = co_await store_body(stream, request);
  co_return answer;
}

// The body, into a file. Nullopt: the sender broke off.
Task<std::optional<PutAnswer>> Receiver::store_body(PeerStream& stream, const PutRequest& request) {
  auto file = AtomicFile::create(options_.store);
  if (!file) co_return refusal("the node cannot make a file");
  Progress nobody_looks{{}, 0, true};
  const auto body = co_await receive_body(stream, *file, request.size, nobody_looks);
  if (!body) {
    if (body.error().error == BodyError::broke_off) co_return std::nullopt;
    if (body.error().error == BodyError::cannot_write) co_return refusal(body.error().why);
    co_return refusal("less came than was announced");
  }
  if (!body->ended) {
    const auto rest = co_await stream.peek();
    if (!rest) co_return std::nullopt;
    if (!rest->data.empty()) co_return refusal("more came than was announced");
    stream.consume(0);
  }
  const auto name = file->commit(request.name, AtomicFile::Collision::number);
  if (!name) co_return refusal(name.error());
  co_return PutAnswer{.stored = true, .text = *name, .sha256 = body->sha256};
}

// --- get -----------------------------------------------------------------------------------------

Task<void> Receiver::serve_get(PeerStream& stream) {
  const auto request = co_await read_get(stream);
  if (!request) {
    stop(stream, ErrorCode::bad_request);
    co_return;
  }
  GetAnswer answer{.found = false, .text = "there is no such file"};
  std::optional<OpenFile> file;
  if (options_.store.empty()) {
    answer.text = "this node stores no files";
  } else if (transfers_ >= options_.max_transfers) {
    answer.text = "the node is busy";
  } else if (why_bad_name(request->name).empty()) {
    if (auto opened = open_file(options_.store + "/" + request->name)) {
      answer = {.found = true, .text = request->name, .size = opened->size};
      file = std::move(*opened);
    }
  }
  const Slot slot{*this};
  const std::vector<u8> head = answer.encode();
  const auto written = co_await stream.write(head);
  if (!written) co_return;
  if (file) {
    Progress nobody_looks{{}, 0, true};
    const auto body = co_await send_body(stream, *file, request->name, nobody_looks);
    if (!body || !body->taken) co_return;  // Resets the stream: what came is not whole.
    (void)co_await stream.write(body->sha256);
  }
  (void)stream.finish();
  (void)co_await stream.finished();
}

}  // namespace qpeer::cli
