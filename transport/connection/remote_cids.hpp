// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The connection IDs by which we reach the peer: one is current, others belong to paths that are
// being looked at, the rest wait for a path that needs a fresh one. RFC 9000 §5.1.1, §5.1.2, §9.5,
// §19.15.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/connection/local_cids.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

class RemoteCids {
 public:
  /// `limit` is our active_connection_id_limit.
  RemoteCids(CidIssuer& issuer, const ConnectionId& initial, std::uint64_t limit);
  ~RemoteCids() { release_tokens(); }
  RemoteCids(const RemoteCids&) = delete;
  RemoteCids& operator=(const RemoteCids&) = delete;

  /// Stops watching for stateless resets.
  void release_tokens();
  /// What goes into the Destination Connection ID field.
  [[nodiscard]] const ConnectionId& current() const { return active_.front().id; }
  [[nodiscard]] std::uint64_t current_sequence_number() const {
    return active_.front().sequence_number;
  }
  /// Client: the ID of sequence number 0 changes with Retry and the server's first Initial. §7.2.
  void replace_initial(const ConnectionId& id);
  /// From now on an observer learns of changes. `log` must outlive this object.
  void set_log(const log::EventLog& log) { log_ = &log; }
  /// Client: the stateless_reset_token transport parameter belongs to sequence number 0.
  void set_initial_reset_token(const StatelessResetToken& token);

  /// Client: the ID of the preferred_address transport parameter, sequence number 1. §5.1.1.
  void add_preferred(const ConnectionId& id, const StatelessResetToken& token);

  Result on_frame(const wire::NewConnectionIdFrame& frame);

  /// A fresh ID for another path, by its sequence number; nullopt when the peer gave us none.
  /// A zero-length one serves all paths.
  std::optional<std::uint64_t> take();
  /// How many take() could give.
  [[nodiscard]] std::size_t unused() const;
  /// The ID with this number, unless it is retired.
  [[nodiscard]] const ConnectionId* find(std::uint64_t sequence_number) const;
  /// Makes an ID current that take() gave. The one used until now stays with its path.
  void use(std::uint64_t sequence_number);
  /// The path that had it is gone. Not for the current one.
  void release(std::uint64_t sequence_number);

  /// Whether the peer has yet to say that it knows of some that are retired.
  [[nodiscard]] bool owes_retirements() const { return !retirements_.empty(); }
  [[nodiscard]] bool has_frames() const;
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

  /// Whether the current one is in use, none is there twice, and none is both kept and retired. For
  /// assertions.
  [[nodiscard]] bool consistent() const;

 private:
  struct Entry {
    std::uint64_t sequence_number = 0;
    ConnectionId id;
    std::optional<StatelessResetToken> reset_token;
    bool in_use = false;  ///< Of a path, so that its token is looked out for.
  };
  /// An ID that we use no more and of which the peer has not said that it knows.
  struct Retirement {
    std::uint64_t sequence_number = 0;
    bool to_send = true;
  };
  void add(const wire::NewConnectionIdFrame& frame);
  /// Once for each, whatever copies of the frame are on their way.
  void retire(std::uint64_t sequence_number);
  /// Whether a frame with this number came before. Of those far behind nothing is known: yes.
  bool was_seen(std::uint64_t sequence_number);
  void set_in_use(Entry& entry);
  void forget(const Entry& entry);
  [[nodiscard]] std::vector<Entry>::iterator oldest_unused();
  void log_change(const ConnectionId& from, const ConnectionId& to) const;

  CidIssuer& issuer_;
  std::uint64_t limit_;
  std::uint64_t retire_prior_to_ = 0;
  std::vector<Entry> active_;  ///< The current one first.
  std::uint64_t largest_seen_ = 0;
  std::uint64_t seen_ = 1;               ///< Bit n: the number n below the largest.
  std::vector<Retirement> retirements_;  ///< Owed: not sent yet, or not acknowledged.
  const log::EventLog* log_ = nullptr;   ///< Null without an observer.
};

}  // namespace qpeer::transport
