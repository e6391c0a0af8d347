// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the handles of streams can do: read, write, finish and abandon, awaited. RFC 9000 §2.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <vector>

#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::async {

using transport::ReadView;
using transport::StreamError;

/// What an operation of a stream calls when it is done. Called once, in the loop's thread, never within
/// the call that it was given to; not at all when the stream, or the node or endpoint, is destroyed
/// before. It may destroy either.
template <class T>
using StreamDone = std::move_only_function<void(std::expected<T, StreamError>)>;

namespace detail {

class StreamCore;

/// What StreamHandle::read gives to co_await.
class [[nodiscard]] ReadOperation final : public Operation {
 public:
  ReadOperation(StreamCore& stream, MutableBytes buffer);
  std::expected<std::size_t, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  StreamCore& stream_;
  MutableBytes buffer_;
  std::expected<std::size_t, StreamError> result_;
};

/// What StreamHandle::peek gives to co_await.
class [[nodiscard]] PeekOperation final : public Operation {
 public:
  explicit PeekOperation(StreamCore& stream);
  std::expected<ReadView, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  StreamCore& stream_;
  std::expected<ReadView, StreamError> result_;
};

/// What StreamHandle::write gives to co_await.
class [[nodiscard]] WriteOperation final : public Operation {
 public:
  WriteOperation(StreamCore& stream, Bytes data);
  std::expected<void, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  StreamCore& stream_;
  Bytes left_;
  std::expected<void, StreamError> result_;
};

/// What StreamHandle::finished gives to co_await.
class [[nodiscard]] FinishedOperation final : public Operation {
 public:
  explicit FinishedOperation(StreamCore& stream);
  std::expected<void, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  StreamCore& stream_;
  std::expected<void, StreamError> result_;
};

}  // namespace detail

/// One stream. Move-only; keeps its connection, or its node, alive. Destroying it abandons what is not
/// done: the send side is reset unless finish() was called, the peer is asked to stop sending unless the
/// end was read, both with error code 0.
///
/// At a time one task may read and one may write; the stream must stay where it is (neither moved
/// nor destroyed) while one of its operations is awaited. Errors are those of StreamError:
/// `wrong_direction` on a side that it does not have, `closed` once its connection or link has ended,
/// `reset` and `stopped` when the peer abandoned its side, `finished` after our own finish(),
/// reset() or stop_sending().
///
/// Each operation has a form with a callback; there the stream may be moved meanwhile, and destroying
/// it cancels the operation. All of it in the loop's thread. RFC 9000 §2, §3.
class StreamHandle {
 public:
  /// Leaves `other` empty: it may only be destroyed or assigned to.
  StreamHandle(StreamHandle&& other) noexcept;
  StreamHandle& operator=(StreamHandle&& other) noexcept;
  ~StreamHandle();

  /// co_await: waits for data and copies as much as there is and fits. 0 is the end of the stream
  /// (or of an empty buffer).
  [[nodiscard]] detail::ReadOperation read(MutableBytes buffer) { return {*core_, buffer}; }
  /// The same; `buffer` must stay until `done` is called or the stream destroyed.
  void read(MutableBytes buffer, StreamDone<std::size_t> done);
  /// co_await: fills the buffer. Fewer bytes are all that came before the end of the stream.
  [[nodiscard]] Task<std::expected<std::size_t, StreamError>> read_full(MutableBytes buffer);
  /// The same; `buffer` must stay until `done` is called or the stream destroyed.
  void read_full(MutableBytes buffer, StreamDone<std::size_t> done);
  /// co_await: reads to the end of the stream, or `limit` bytes of it.
  [[nodiscard]] Task<std::expected<std::vector<u8>, StreamError>> read_all(std::size_t limit);
  /// The same.
  void read_all(std::size_t limit, StreamDone<std::vector<u8>> done);
  /// co_await: waits for data and shows it where it lies, until the next call on the same connection
  /// or node; consume() takes it. Empty with `fin` is the end of the stream.
  [[nodiscard]] detail::PeekOperation peek() { return detail::PeekOperation{*core_}; }
  /// The same; what it shows is there while `done` runs, and until the next call as above.
  void peek(StreamDone<ReadView> done);
  /// Takes `size` bytes of what peek() showed; no more than that.
  void consume(std::size_t size);

  /// co_await: takes all of `data`, which must stay until then; waits while the send buffer is full.
  [[nodiscard]] detail::WriteOperation write(Bytes data) { return {*core_, data}; }
  /// The same; copies the data.
  void write(Bytes data, StreamDone<void> done);
  /// No more data: the end of the stream follows what was written.
  std::expected<void, StreamError> finish();
  /// co_await, after finish(): waits until the peer has acknowledged all of it, the end included.
  [[nodiscard]] detail::FinishedOperation finished() { return detail::FinishedOperation{*core_}; }
  /// The same.
  void finished(StreamDone<void> done);

  /// Abandons the send side: what was not delivered is lost. RFC 9000 §3.5.
  std::expected<void, StreamError> reset(std::uint64_t error_code);
  /// Abandons the receive side and asks the peer to stop. RFC 9000 §3.5.
  std::expected<void, StreamError> stop_sending(std::uint64_t error_code);
  /// The peer's error code after StreamError::reset; 0 before.
  [[nodiscard]] std::uint64_t reset_code() const;
  /// The peer's error code after StreamError::stopped; 0 before.
  [[nodiscard]] std::uint64_t stop_code() const;

 protected:
  /// `owner` keeps `core` until forget().
  StreamHandle(std::shared_ptr<void> owner, detail::StreamCore& core)
      : owner_(std::move(owner)), core_(&core) {}
  /// The stream's state. Not of an empty handle.
  [[nodiscard]] const detail::StreamCore& core() const { return *core_; }

 private:
  void abandon() noexcept;

  std::shared_ptr<void> owner_;
  detail::StreamCore* core_ = nullptr;
};

}  // namespace qpeer::async
