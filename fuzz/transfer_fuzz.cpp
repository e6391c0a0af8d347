// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The put/get protocol of the programs, from a stream in memory: what comes is read the same in
// whatever pieces, never past its end, and writes back to the bytes that it was read from.
//
// The input is what is read (0 a request with its body, 1 the answer to put, 2 the answer to get,
// 3 the name of a file), the size of the pieces, the end of the stream (0 FIN, 1 a reset, 2 the
// connection's), then the stream.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"
#include "qpeer/p2p/cli/common/transfer.hpp"
#include "qpeer/transport/async/stream_core.hpp"
#include "qpeer/transport/async/task_group.hpp"

namespace {

using namespace qpeer;
using async::StreamHandle;
using fuzz::check;
using transport::ReadView;
using transport::StreamError;

constexpr std::size_t kLongestText = 1'000;  // That an answer is written with.

enum class End : u8 { fin, reset, closed };

/// A stream whose bytes come when arrive() says so.
class MemoryStream final : public async::detail::StreamCore {
 public:
  MemoryStream(Bytes all, End end) : StreamCore(false, true), all_(all), end_(end) {}

  /// The next bytes, or the end.
  void arrive(std::size_t size) {
    ended_ = here_ == all_.size();
    here_ += std::min(size, all_.size() - here_);
    on_readable();
    ready_.drain();
  }
  [[nodiscard]] bool has_ended() const { return ended_; }
  [[nodiscard]] std::size_t taken() const { return taken_; }

  std::expected<ReadView, StreamError> peek_below() override {
    if (ended_ && end_ == End::reset) return std::unexpected(StreamError::reset);
    const Bytes data = all_.subspan(taken_, here_ - taken_);
    if (ended_ && end_ == End::closed && data.empty()) return std::unexpected(StreamError::closed);
    return ReadView{.data = data, .fin = ended_ && end_ == End::fin};
  }
  void consume_below(std::size_t size) override {
    check(size <= here_ - taken_);
    taken_ += size;
  }
  std::expected<std::size_t, StreamError> write_below(Bytes) override { std::abort(); }
  std::expected<void, StreamError> finish_below() override { std::abort(); }
  std::expected<void, StreamError> reset_below(std::uint64_t) override { std::abort(); }
  std::expected<void, StreamError> stop_sending_below(std::uint64_t) override { return {}; }
  [[nodiscard]] std::uint64_t reset_code_below() const override { return 7; }
  [[nodiscard]] bool is_over() const override { return ended_ && end_ == End::closed; }
  void schedule(async::WaitList& waiting) override { ready_.schedule(waiting); }
  void wake() override {}
  [[nodiscard]] async::detail::Runtime& runtime() override { std::abort(); }
  void forget() noexcept override {}

 private:
  Bytes all_;
  End end_;
  std::size_t here_ = 0;
  std::size_t taken_ = 0;
  bool ended_ = false;
  async::ReadyList ready_;
};

class MemoryHandle final : public StreamHandle {
 public:
  explicit MemoryHandle(MemoryStream& stream) : StreamHandle(nullptr, stream) {}
};

/// What was read, as bytes again; how much of the stream that took.
struct Outcome {
  std::optional<std::vector<u8>> written;
  std::optional<cli::BodyError> body_error;
  std::size_t taken = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// Where bodies are written to, and vanish again.
class Folder {
 public:
  Folder() { check(::mkdtemp(name_.data()) != nullptr); }
  ~Folder() { ::rmdir(name_.c_str()); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_ = "/tmp/qpeer_transfer_fuzz.XXXXXX";
};

const std::string& folder() {
  static const Folder folder;
  return folder.name();
}

async::Task<void> read_request(StreamHandle& stream, Outcome& out) {
  const auto type = co_await cli::read_type(stream);
  if (!type) co_return;
  if (*type == cli::RequestType::get) {
    const auto request = co_await cli::read_get(stream);
    if (request) out.written = request->encode();
    co_return;
  }
  const auto request = co_await cli::read_put(stream);
  if (!request) co_return;
  out.written = request->encode();
  auto file = cli::AtomicFile::create(folder());
  check(file.has_value());
  cli::Progress progress({}, 0, true);
  const auto body = co_await cli::receive_body(stream, *file, request->size, progress);
  check(progress.done() <= request->size);
  if (!body) out.body_error = body.error().error;
  check(!body || progress.done() == request->size);
}

async::Task<void> read_put_answer(StreamHandle& stream, Outcome& out) {
  const auto answer = co_await cli::read_put_answer(stream);
  if (answer && answer->text.size() <= kLongestText) out.written = answer->encode();
}

async::Task<void> read_get_answer(StreamHandle& stream, Outcome& out) {
  const auto answer = co_await cli::read_get_answer(stream);
  if (answer && answer->text.size() <= kLongestText) out.written = answer->encode();
}

Outcome read(u8 what, Bytes bytes, std::size_t piece, End end) {
  Outcome out;
  MemoryStream memory(bytes, end);
  MemoryHandle stream(memory);
  async::TaskGroup tasks;
  tasks.spawn(what == 0   ? read_request(stream, out)
              : what == 1 ? read_put_answer(stream, out)
                          : read_get_answer(stream, out));
  while (tasks.size() > 0 && !memory.has_ended()) memory.arrive(piece);
  check(tasks.size() == 0);  // With the end of the stream no task waits any more.
  out.taken = memory.taken();
  if (out.written) {
    check(out.written->size() <= bytes.size() && out.taken >= out.written->size());
    check(equal(*out.written, bytes.first(out.written->size())));
  }
  return out;
}

void read_name(std::string_view name) {
  const std::string_view why = cli::why_bad_name(name);
  const std::string shown = cli::visible(name);
  check(shown.size() <= name.size());
  check(cli::visible(shown) == shown);
  if (!why.empty()) return;
  check(!name.empty() && name.size() <= 200 && shown == name);
  check(!name.contains('/') && !name.contains('\0') && name.front() != '.');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Reader in{{data, size}};
  const u8 what = in.byte();
  const std::size_t piece = in.byte() + std::size_t{1};
  const auto end = static_cast<End>(in.byte() % 3);
  const Bytes bytes = in.rest();
  if (!in.ok() || what > 3) return 0;
  if (what == 3) {
    read_name(as_text(bytes));
    return 0;
  }
  const Outcome whole = read(what, bytes, std::max<std::size_t>(bytes.size(), 1), end);
  // A reset may overtake what came before it.
  if (end != End::reset) check(read(what, bytes, piece, end) == whole);
  if (end == End::reset) (void)read(what, bytes, piece, end);
  return 0;
}
