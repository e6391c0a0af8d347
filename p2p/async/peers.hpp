// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Handles of peers. The type has what the two roles allow: between nodes there are messages, from a
// client to a node there are requests.
//
//   AsyncNode    --> NodePeer     send(message)      open_stream(): we write, the peer reads
//   AsyncClient  --> ServerPeer   request(question)  open_stream(): both ways
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/async/stream_handle.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::p2p {

class PeerStream;

// What the calls below give to co_await. Applications need not name them.
namespace detail {

struct NodeState;
struct PeerStreamState;

/// A list with one waiter: for an operation that only its own answer wakes. A base class, so that it is
/// constructed before the operation.
struct SingleWaiter {
  async::WaitList waiting_list_;
};

/// Where the result of one operation of the machine is put.
struct PendingResult {
  async::WaitList waiting;
  std::optional<std::expected<std::vector<u8>, PeerError>> result;
  OperationId id{};             ///< Zero until the machine took it.
  bool waits_for_room = false;  ///< Whether it is in NodeState::room of the peer.
};

/// send(), request() or reply(): waits for space in the queue of the peer, hands the data over to the
/// machine, and waits for the result. Destroying it cancels the operation.
class MessageAwaitable : private PendingResult, public async::Operation {
 public:
  enum class Kind : u8 { send, request, reply };
  MessageAwaitable(const MessageAwaitable&) = delete;
  MessageAwaitable& operator=(const MessageAwaitable&) = delete;

 protected:
  MessageAwaitable(std::shared_ptr<NodeState> node, Kind kind, const PeerId& peer,
                   std::vector<u8> data, OperationId request = {});
  ~MessageAwaitable();
  [[nodiscard]] std::expected<std::vector<u8>, PeerError> take() { return std::move(*result); }

 private:
  bool attempt() override;
  std::expected<OperationId, PeerError> hand_over();

  std::shared_ptr<NodeState> node_;
  Kind kind_;
  PeerId peer_;
  std::vector<u8> data_;  ///< Until the machine takes it.
  OperationId request_;
};

/// send() and reply().
class [[nodiscard]] SendOperation final : public MessageAwaitable {
 public:
  SendOperation(std::shared_ptr<NodeState> node, const PeerId& peer, std::vector<u8> data);
  SendOperation(std::shared_ptr<NodeState> node, const PeerId& peer, OperationId request,
                std::vector<u8> data);
  std::expected<void, PeerError> await_resume();
};

/// request().
class [[nodiscard]] RequestOperation final : public MessageAwaitable {
 public:
  RequestOperation(std::shared_ptr<NodeState> node, const PeerId& peer, std::vector<u8> data);
  std::expected<std::vector<u8>, PeerError> await_resume() { return take(); }
};

/// ping().
class [[nodiscard]] PingOperation final : private SingleWaiter, public async::Operation {
 public:
  PingOperation(std::shared_ptr<NodeState> node, const PeerId& peer);
  ~PingOperation();
  PingOperation(const PingOperation&) = delete;
  PingOperation& operator=(const PingOperation&) = delete;
  std::expected<Duration, PeerError> await_resume() const { return *result_; }

 private:
  friend NodeState;
  bool attempt() override { return result_.has_value(); }

  std::shared_ptr<NodeState> node_;
  PeerId peer_;
  std::optional<std::expected<Duration, PeerError>> result_;
};

}  // namespace detail

/// A raw stream to a peer whose operations are awaited: bidirectional between a client and a node, one
/// way between nodes. Keeps the state of the node alive. See async::StreamHandle: `closed` means that the
/// link or the node has ended. Of the loop's thread.
class PeerStream final : public async::StreamHandle {
 public:
  /// The peer at the other end.
  [[nodiscard]] const PeerId& peer() const;
  /// Names it in the events of the node.
  [[nodiscard]] OperationId id() const;

 private:
  friend detail::NodeState;
  PeerStream(std::shared_ptr<detail::NodeState> node, detail::PeerStreamState& state);
};

/// What an operation calls when it is done. Called once, in the loop's thread; not at all when the
/// node is destroyed before. It may destroy the node.
template <class T>
using Done = std::move_only_function<void(std::expected<T, PeerError>)>;

/// What NodePeer and ServerPeer share. A handle: copies name the same peer, and it may outlive the
/// link and the node; calls then give the error not_linked or shut_down. Of the loop's thread.
class PeerHandle {
 public:
  /// The id of the peer.
  [[nodiscard]] const PeerId& id() const { return id_; }
  /// Whether the link is up now.
  [[nodiscard]] bool is_linked() const;
  /// What is known of the link; nullopt when there is none.
  [[nodiscard]] std::optional<LinkInfo> info() const;

  /// co_await: the time of a round trip on the link.
  [[nodiscard]] detail::PingOperation ping() const { return {node_, id_}; }
  /// The same; calls `done` with the time.
  void ping(Done<Duration> done) const;
  /// Sends an unreliable datagram, or says at once why not.
  std::expected<void, PeerError> send_datagram(Bytes data) const;
  /// Ends the link; it is not made again by itself.
  void disconnect() const;

  friend bool operator==(const PeerHandle& a, const PeerHandle& b) { return a.id_ == b.id_; }

 protected:
  /// Of the peer `id`, as `node` sees it.
  PeerHandle(std::shared_ptr<detail::NodeState> node, const PeerId& id);
  ~PeerHandle() = default;
  PeerHandle(const PeerHandle&) = default;
  PeerHandle(PeerHandle&&) = default;
  PeerHandle& operator=(const PeerHandle&) = default;
  PeerHandle& operator=(PeerHandle&&) = default;
  /// Opens a stream of the kind that our role allows.
  async::Task<std::expected<PeerStream, PeerError>> open() const;
  /// The same; calls `done` with the stream.
  void open(Done<PeerStream> done) const;

  std::shared_ptr<detail::NodeState> node_;  ///< Ours.
  PeerId id_;                                ///< The peer's.
};

/// A node, as another node sees it. Of the loop's thread.
class NodePeer final : public PeerHandle {
 public:
  /// co_await: sends a message; done when the peer has all of it in its inbox. Waits while too much is
  /// queued for this peer, and while a lost link is made again (for NodeConfig::message_timeout at
  /// most). Destroying the task cancels the message, unless it has arrived already.
  [[nodiscard]] detail::SendOperation send(std::vector<u8> message) const {
    return {node_, id_, std::move(message)};
  }
  /// The same; copies the message.
  [[nodiscard]] detail::SendOperation send(Bytes message) const {
    return send(std::vector<u8>(message.begin(), message.end()));
  }
  /// The same; calls `done` with the result.
  void send(std::vector<u8> message, Done<void> done) const;
  /// The same; copies the message.
  void send(Bytes message, Done<void> done) const {
    send(std::vector<u8>(message.begin(), message.end()), std::move(done));
  }

  /// co_await: opens a stream that we write and the peer reads.
  [[nodiscard]] async::Task<std::expected<PeerStream, PeerError>> open_stream() const {
    return open();
  }
  /// The same; calls `done` with the stream.
  void open_stream(Done<PeerStream> done) const { open(std::move(done)); }

 private:
  friend detail::NodeState;
  using PeerHandle::PeerHandle;
};

/// A node, as a client sees it. Of the loop's thread.
class ServerPeer final : public PeerHandle {
 public:
  /// co_await: asks, and waits for the answer. Destroying the task gives the question up.
  [[nodiscard]] detail::RequestOperation request(std::vector<u8> question) const {
    return {node_, id_, std::move(question)};
  }
  /// The same; copies the question.
  [[nodiscard]] detail::RequestOperation request(Bytes question) const {
    return request(std::vector<u8>(question.begin(), question.end()));
  }
  /// The same; calls `done` with the answer.
  void request(std::vector<u8> question, Done<std::vector<u8>> done) const;
  /// The same; copies the question.
  void request(Bytes question, Done<std::vector<u8>> done) const {
    request(std::vector<u8>(question.begin(), question.end()), std::move(done));
  }

  /// co_await: opens a stream that both write and read.
  [[nodiscard]] async::Task<std::expected<PeerStream, PeerError>> open_stream() const {
    return open();
  }
  /// The same; calls `done` with the stream.
  void open_stream(Done<PeerStream> done) const { open(std::move(done)); }

  /// co_await: whom the NAT or firewall before us lets in, by what this node and others that it is linked to
  /// try for us; 2.2 seconds at most. Of hosts that we wrote to before nothing is found out: ask the first
  /// node that you link to. One at a time. PeerError::refused: the node is of a version that does not do it.
  [[nodiscard]] async::Task<std::expected<FilteringFound, PeerError>> probe_filtering() const;

 private:
  friend detail::NodeState;
  using PeerHandle::PeerHandle;
};

/// A client's request to a node. Move-only; destroying it unanswered refuses it. Of the loop's thread.
class IncomingRequest {
 public:
  IncomingRequest(IncomingRequest&&) noexcept = default;
  IncomingRequest& operator=(IncomingRequest&& other) noexcept;
  ~IncomingRequest() { refuse(); }

  /// The client that asks.
  [[nodiscard]] const PeerId& from() const { return request_.from; }
  /// The question; valid while this object is.
  [[nodiscard]] Bytes data() const { return request_.data; }

  /// co_await: answers; done when the client has all of it in its inbox. Once.
  [[nodiscard]] detail::SendOperation reply(std::vector<u8> answer);
  /// The same; copies the answer.
  [[nodiscard]] detail::SendOperation reply(Bytes answer) {
    return reply(std::vector<u8>(answer.begin(), answer.end()));
  }
  /// The same; calls `done` with the result.
  void reply(std::vector<u8> answer, Done<void> done);
  /// The same; copies the answer.
  void reply(Bytes answer, Done<void> done) {
    reply(std::vector<u8>(answer.begin(), answer.end()), std::move(done));
  }
  /// The client gets PeerError::refused.
  void refuse();

 private:
  friend detail::NodeState;
  IncomingRequest(std::shared_ptr<detail::NodeState> node, Request request);

  std::shared_ptr<detail::NodeState> node_;  ///< Null once moved from.
  Request request_;
  bool answered_ = false;
};

}  // namespace qpeer::p2p
