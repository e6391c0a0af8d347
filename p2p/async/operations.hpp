// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the calls of the peer layer give to co_await. Applications use them through AsyncNode and
// its like, and need not name them. Of the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::p2p {

class PeerStream;

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

}  // namespace qpeer::p2p
