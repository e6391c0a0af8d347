// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The state of an Endpoint: its connections, how datagrams find them, and whose turn it is.
//
//   entries   slot -> Entry                  to_transmit, to_report   slots, first come first
//   router    connection ID -> slot          deadlines                slot -> next deadline
//
// touch() queues the slot of a connection twice: to be polled for datagrams, which also renews its
// deadline, and for events. reap() erases a connection when it has drained, its events were polled, its
// slot is in neither queue, and it has no unread data for which keep_unread() keeps it. Invariant: an
// entry is in a queue once, exactly while its flag says so; a connection ID leads to a live entry; a
// deadline is that of a live entry.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "qpeer/transport/base/deadline_heap.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/endpoint/cid_names.hpp"
#include "qpeer/transport/endpoint/cid_router.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/endpoint/handshake_counts.hpp"
#include "qpeer/transport/endpoint/stateless_answers.hpp"
#include "qpeer/transport/endpoint/used_tokens.hpp"
#include "qpeer/transport/stream/byte_pool.hpp"

namespace qpeer::transport {

struct Endpoint::Implementation {
  using Slot = CidRouter::Slot;

  /// The length of every connection ID that we issue.
  static constexpr std::size_t kCidSize = CidNames::kSize;
  /// RFC 9000 §7.2 [rfc9000-7.2-1]: the least that a client may draw for its server.
  static constexpr std::size_t kMinInitialDcidSize = 8;

  /// A connection, and what it registers at the router: its IDs and reset tokens.
  struct Entry final : CidIssuer, NewTokenSource {
    Entry(Implementation& owner, Slot slot) : owner(owner), slot(slot) {}
    ConnectionId issue() override;
    ConnectionId issue_zero_length() override {
      owner.zero_length = slot;
      return {};
    }
    void retire(const ConnectionId& id) override {
      if (!id.empty()) return owner.router.remove(id, slot);
      if (owner.zero_length == slot) owner.zero_length.reset();
    }
    StatelessResetToken reset_token(const ConnectionId& id) override {
      return owner.reset_tokens.token(id);
    }
    void watch_reset_token(const StatelessResetToken& token) override {
      owner.router.add_reset(token, slot);
      if (SharedPort* const port = owner.port()) port->watch_reset(token, owner.names->self());
    }
    void unwatch_reset_token(const StatelessResetToken& token) override {
      owner.router.remove_reset(token, slot);
      if (SharedPort* const port = owner.port()) port->unwatch_reset(token, owner.names->self());
    }
    std::size_t new_token(Instant now, const SocketAddress& client, Version version,
                          MutableBytes out) override {
      return owner.address_tokens.seal_new_token(now, client, version, out);
    }

    Implementation& owner;
    Slot slot;
    bool incoming = false;
    bool in_handshake = true;
    bool ends_at_closed_port = false;    ///< See ConnectOptions.
    HandshakeCounts::Prefix prefix = 0;  ///< Of the peer's first address.
    bool closed_emitted = false;
    bool awaits_transmit = false;
    bool awaits_events = false;
    bool keeps_unread = false;  ///< See Endpoint::keep_unread().
    bool is_kept = false;       ///< Has drained, and stays for its unread data.
    bool is_claimed = false;    ///< `initial_destination` is claimed at the SharedPort.
    /// The Destination Connection ID of the client's first datagram. It leads here until the connection
    /// has drained, so that a late copy of that datagram makes no second connection.
    ConnectionId initial_destination;
    std::optional<ConnectionMachine>
        connection;  ///< Last: its parts use the members above until it goes.
  };

  Implementation(EndpointConfig config, crypto::KeyFactory& keys, Random& random);
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  // endpoint.cpp
  /// Who received a datagram: we, who may hand it over, or another endpoint of the SharedPort.
  enum class ReceivedBy : u8 { us, another };
  void on_datagram(Instant now, ReceivedDatagram& datagram, ReceivedBy receiver);
  [[nodiscard]] ConnectionId new_id();
  Entry& add_entry();
  void start(Entry& entry, Instant now, const ConnectionConfig& config, ConnectionSetup setup);
  void touch(Entry& entry);
  /// Queues the connections whose writers wait for room in send_buffers, where there is room now.
  void wake_writers() {
    while (const auto slot = send_buffers.next_to_wake()) touch(*entries[*slot]);
  }
  void reap(Slot slot);
  void reap_drained();
  void end_handshake(Entry& entry);
  void end_attempts(Instant now, const Path& path, std::string_view reason);
  void leave_local_address(Instant now, const Path& path, std::error_code error);
  void leave_local_address(Instant now, const SocketAddress& local);
  [[nodiscard]] bool consistent() const;
  [[nodiscard]] bool queue_is_consistent(const Ring<Slot>& queue, bool Entry::* awaits) const;
  [[nodiscard]] ConnectionHandle handle_of(Slot slot) const;
  /// Of the connection that the handle names; nullptr once it is gone.
  [[nodiscard]] Entry* entry_of(ConnectionHandle handle) const;
  [[nodiscard]] std::optional<Slot> route(const wire::InvariantHeader& header,
                                          const SocketAddress& remote) const;
  void drop(DropReason reason) { ++stats.dropped[static_cast<std::size_t>(reason)]; }
  void reject(Rejection reason) { ++stats.rejected[static_cast<std::size_t>(reason)]; }

  [[nodiscard]] bool is_live(Slot slot) const { return slot < entries.size() && entries[slot]; }

  // accept.cpp: datagrams that no connection knows.
  void on_unknown(Instant now, ReceivedDatagram& datagram, const wire::InvariantHeader& header,
                  ReceivedBy receiver);
  bool on_stateless_reset(Instant now, const Path& path, const StatelessResetToken& token);
  void on_unknown_short(Instant now, const ReceivedDatagram& datagram,
                        const wire::InvariantHeader& header);
  [[nodiscard]] bool has_room_for_client(HandshakeCounts::Prefix prefix) const;
  void on_initial(Instant now, ReceivedDatagram& datagram, const wire::ProtectedHeader& header,
                  ReceivedBy receiver);
  bool check_address(Instant now, const Path& path, const wire::ProtectedHeader& header,
                     ConnectionSetup& setup);
  bool check_retry_token(Instant now, const Path& path, const wire::ProtectedHeader& header,
                         ConnectionSetup& setup);
  [[nodiscard]] bool is_good_new_token(Instant now, const Path& path,
                                       const wire::ProtectedHeader& header);
  void spend_token(Instant now, Bytes token, ConnectionSetup& setup);
  [[nodiscard]] bool is_authentic(const wire::ProtectedHeader& header, Bytes packet);

  // shared_port.cpp: where several endpoints share our port.
  [[nodiscard]] SharedPort* port() const {
    return names ? config.shared_port->port.get() : nullptr;
  }
  [[nodiscard]] std::optional<std::size_t> other_member(
      const wire::InvariantHeader& header, const std::optional<StatelessResetToken>& token) const;
  [[nodiscard]] bool claim(const ConnectionId& initial_destination,
                           const ReceivedDatagram& datagram, ReceivedBy receiver);
  void hand_over(std::size_t member, const ReceivedDatagram& datagram);
  void release_claim(Entry& entry);

  EndpointConfig config;
  crypto::KeyFactory& keys;
  Random& random;
  crypto::ResetTokens reset_tokens;
  crypto::AddressTokens address_tokens;
  HandshakeCounts handshakes;
  Counts<HandshakeCounts::Prefix>
      accepted;  ///< Connections of clients, in their handshake or after it.
  UsedTokens used_retry_tokens;
  UsedTokens used_new_tokens;
  CidRouter router;
  std::optional<CidNames> names;  ///< Where several endpoints share our port.
  /// The connection whose datagrams have no connection ID: they are known by their address.
  std::optional<Slot> zero_length;
  StatelessAnswers answers;
  BytePool receive_credit;  ///< Declared before the connections, whose accounts refer to it.
  BytePool send_buffers;    ///< The same.
  BytePool datagrams;       ///< The same. Each connection has two accounts.
  FreeChunks free_chunks;   ///< The same.

  std::vector<std::unique_ptr<Entry>> entries;  ///< By slot; null where free.
  std::vector<std::uint32_t> generations;       ///< Of each slot, so that old handles miss.
  std::vector<Slot> free_slots;
  std::size_t open_entries = 0;
  std::size_t kept_entries = 0;       ///< Of those, the ones that have drained.
  std::size_t attempts = 0;           ///< Handshakes of our own, in flight.
  std::optional<Slot> last_transmit;  ///< Whose train poll_transmit() gave last.
  Ring<Slot> to_transmit;
  Ring<Slot> to_report;
  DeadlineHeap deadlines;
  bool shut_down = false;
  bool drained_emitted = false;
  EndpointStats stats;
};

}  // namespace qpeer::transport
