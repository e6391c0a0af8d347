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

/// A list of one: for an operation that nothing but its own answer wakes. A base, so that it is there
/// before the operation.
struct Waiting {
  async::WaitList waiting_list_;
};

/// Where the machine's answer to one operation is put.
struct Answer {
  async::WaitList waiting;
  std::optional<std::expected<std::vector<u8>, PeerError>> result;
  OperationId id{};             ///< Zero until the machine took it.
  bool waits_for_room = false;  ///< In NodeState::room of the peer.
};

/// send(), request() or reply(): waits for room, hands over, waits for the answer. Destroying it
/// gives the operation up.
class Exchange : private Answer, public async::Operation {
 public:
  enum class Kind : u8 { send, request, reply };
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 protected:
  Exchange(std::shared_ptr<NodeState> node, Kind kind, const PeerId& peer, std::vector<u8> data,
           OperationId request = {});
  ~Exchange();
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
class [[nodiscard]] SendOperation final : public Exchange {
 public:
  SendOperation(std::shared_ptr<NodeState> node, const PeerId& peer, std::vector<u8> data);
  SendOperation(std::shared_ptr<NodeState> node, const PeerId& peer, OperationId request,
                std::vector<u8> data);
  std::expected<void, PeerError> await_resume();
};

/// request().
class [[nodiscard]] RequestOperation final : public Exchange {
 public:
  RequestOperation(std::shared_ptr<NodeState> node, const PeerId& peer, std::vector<u8> data);
  std::expected<std::vector<u8>, PeerError> await_resume() { return take(); }
};

/// ping().
class [[nodiscard]] PingOperation final : private Waiting, public async::Operation {
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
