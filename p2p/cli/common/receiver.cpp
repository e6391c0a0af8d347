#include "p2p/cli/common/receiver.hpp"

#include <utility>

#include "crypto/identity.hpp"
#include "p2p/cli/common/files.hpp"
#include "p2p/cli/common/program.hpp"

namespace qpeer::cli {
namespace {

PutAnswer refusal(std::string why) { return {.stored = false, .text = std::move(why)}; }

void stop(AsyncStream& stream, ErrorCode code) {
  (void)stream.stop_sending(static_cast<std::uint64_t>(code));
}

Task<void> send_answer(AsyncStream& stream, const PutAnswer& answer) {
  const std::vector<u8> bytes = answer.encode();
  const auto written = co_await stream.write(bytes);
  if (!written) co_return;
  (void)stream.finish();
  if (!answer.stored) stop(stream, ErrorCode::refused);
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

Task<void> Receiver::serve(AsyncConnection connection) {
  const std::string from = connection.info().remote.to_string();
  TaskGroup streams;
  for (;;) {
    auto stream = co_await connection.accept_stream();
    if (!stream) break;
    streams.spawn(serve_stream(std::move(*stream), from));
  }
  co_await streams.join();
}

Task<void> Receiver::serve_stream(AsyncStream stream, std::string from) {
  const auto type = co_await read_type(stream);
  if (type == RequestType::put) {
    co_await serve_put(stream, from);
  } else if (type == RequestType::ping) {
    co_await serve_ping(stream);
  } else {
    stop(stream, ErrorCode::bad_request);
  }
}

Task<void> Receiver::serve_ping(AsyncStream& stream) {
  std::array<u8, kPingSize> ping{};
  for (;;) {
    const auto size = co_await stream.read_full(ping);
    if (!size || *size < ping.size()) break;
    const auto written = co_await stream.write(ping);
    if (!written) break;
  }
  (void)stream.finish();
}

Task<void> Receiver::serve_put(AsyncStream& stream, const std::string& from) {
  const auto request = co_await read_put(stream);
  if (!request) {
    stop(stream, ErrorCode::bad_request);
    co_return;
  }
  const std::string_view bad_name = why_bad_name(request->name);
  Received received{.from = from,
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

Task<std::optional<PutAnswer>> Receiver::store(AsyncStream& stream, const PutRequest& request,
                                               std::string_view bad_name) {
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
Task<std::optional<PutAnswer>> Receiver::store_body(AsyncStream& stream,
                                                    const PutRequest& request) {
  auto file = AtomicFile::create(options_.store);
  if (!file) co_return refusal("the node cannot make a file");
  crypto::Sha256 hash;
  std::uint64_t received = 0;
  for (;;) {
    const auto view = co_await stream.peek();
    if (!view) co_return std::nullopt;
    received += view->data.size();
    if (received > request.size) co_return refusal("more came than was announced");
    hash.update(view->data);
    if (const auto written = file->write(view->data); !written) co_return refusal(written.error());
    const bool ended = view->fin;
    stream.consume(view->data.size());
    if (ended) break;
  }
  if (received != request.size) co_return refusal("less came than was announced");
  const auto name = file->commit(request.name, AtomicFile::Collision::number);
  if (!name) co_return refusal(name.error());
  co_return PutAnswer{.stored = true, .text = *name, .sha256 = hash.finish()};
}

}  // namespace qpeer::cli
