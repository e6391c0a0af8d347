// A raw stream to a peer whose operations are awaited: bidirectional between a client and a node,
// one way between nodes. As async::AsyncStream, on the link instead of on a connection.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include "p2p/async/operations.hpp"
#include "p2p/node_event.hpp"
#include "transport/async/task.hpp"
#include "transport/async/waiting.hpp"
#include "transport/base/bytes.hpp"
#include "transport/stream/stream_types.hpp"

namespace qpeer::p2p {

using transport::ReadView;
using transport::StreamError;

namespace detail {

/// What PeerStream::read gives to co_await.
class [[nodiscard]] ReadOperation final : public async::Operation {
 public:
  ReadOperation(PeerStreamState& stream, MutableBytes buffer);
  std::expected<std::size_t, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  PeerStreamState& stream_;
  MutableBytes buffer_;
  std::expected<std::size_t, StreamError> result_;
};

/// What PeerStream::peek gives to co_await.
class [[nodiscard]] PeekOperation final : public async::Operation {
 public:
  explicit PeekOperation(PeerStreamState& stream);
  std::expected<ReadView, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  PeerStreamState& stream_;
  std::expected<ReadView, StreamError> result_;
};

/// What PeerStream::write gives to co_await.
class [[nodiscard]] WriteOperation final : public async::Operation {
 public:
  WriteOperation(PeerStreamState& stream, Bytes data);
  std::expected<void, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  PeerStreamState& stream_;
  Bytes left_;
  std::expected<void, StreamError> result_;
};

/// What PeerStream::finished gives to co_await.
class [[nodiscard]] FinishedOperation final : public async::Operation {
 public:
  explicit FinishedOperation(PeerStreamState& stream);
  std::expected<void, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  PeerStreamState& stream_;
  std::expected<void, StreamError> result_;
};

}  // namespace detail

/// One stream. Move-only. Destroying it abandons what is not done: the send side is reset unless
/// finish() was called, the receive side asked to stop unless its end was read, both with error
/// code 0.
///
/// At a time one task may read and one may write; the stream must stay where it is (neither moved
/// nor destroyed) while one of its operations is awaited. Errors are those of StreamError:
/// `wrong_direction` on the side that it does not have, `closed` once the link or the node has
/// ended, `reset` and `stopped` when the peer abandoned its side, `finished` after our own finish(),
/// reset() or stop_sending().
class PeerStream {
 public:
  PeerStream(PeerStream&& other) noexcept;
  PeerStream& operator=(PeerStream&& other) noexcept;
  ~PeerStream();

  /// Whose it is: the peer that opened it, or to whom we did.
  [[nodiscard]] const PeerId& peer() const;
  /// Names it in the events of the node.
  [[nodiscard]] OperationId id() const;

  /// co_await: waits for data and copies as much as there is and fits. 0 is the end of the stream
  /// (or of an empty buffer).
  [[nodiscard]] detail::ReadOperation read(MutableBytes buffer) { return {*state_, buffer}; }
  /// co_await: fills the buffer. Fewer bytes are all that came before the end of the stream.
  [[nodiscard]] async::Task<std::expected<std::size_t, StreamError>> read_full(MutableBytes buffer);
  /// co_await: reads to the end of the stream, or `limit` bytes of it.
  [[nodiscard]] async::Task<std::expected<std::vector<u8>, StreamError>> read_all(
      std::size_t limit);
  /// co_await: waits for data and shows it where it lies, until the next call on this node;
  /// consume() takes it. Empty with `fin` is the end of the stream.
  [[nodiscard]] detail::PeekOperation peek() { return detail::PeekOperation{*state_}; }
  /// Takes `size` bytes of what peek() showed.
  void consume(std::size_t size);

  /// co_await: takes all of `data`, which must stay until then; waits while the send buffer is full.
  [[nodiscard]] detail::WriteOperation write(Bytes data) { return {*state_, data}; }
  /// No more data: the end of the stream follows what was written.
  std::expected<void, StreamError> finish();
  /// co_await, after finish(): waits until the peer has acknowledged all of it, the end included.
  [[nodiscard]] detail::FinishedOperation finished() { return detail::FinishedOperation{*state_}; }

  /// Abandons the send side: what was not delivered is lost. RFC 9000 §3.5.
  std::expected<void, StreamError> reset(std::uint64_t error_code);
  /// Abandons the receive side and asks the peer to stop. RFC 9000 §3.5.
  std::expected<void, StreamError> stop_sending(std::uint64_t error_code);
  /// The peer's error code after StreamError::stopped.
  [[nodiscard]] std::uint64_t stop_code() const;

 private:
  friend detail::NodeState;
  PeerStream(std::shared_ptr<detail::NodeState> node, detail::PeerStreamState& state);
  void abandon() noexcept;

  std::shared_ptr<detail::NodeState> node_;
  detail::PeerStreamState* state_ = nullptr;
};

}  // namespace qpeer::p2p
