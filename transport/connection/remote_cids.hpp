// The connection IDs by which we reach the peer. RFC 9000 §5.1.1, §5.1.2, §19.15.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "transport/base/error.hpp"
#include "transport/base/ids.hpp"
#include "transport/connection/local_cids.hpp"
#include "transport/recovery/packet_writer.hpp"
#include "transport/recovery/sent_frame.hpp"
#include "transport/wire/frame.hpp"

namespace qpeer::transport {

class RemoteCids {
 public:
  /// `limit` is our active_connection_id_limit.
  RemoteCids(CidIssuer& issuer, const ConnectionId& initial, std::uint64_t limit);
  ~RemoteCids();
  RemoteCids(const RemoteCids&) = delete;
  RemoteCids& operator=(const RemoteCids&) = delete;

  /// What goes into the Destination Connection ID field.
  [[nodiscard]] const ConnectionId& current() const { return active_.front().id; }
  /// Client: the ID of sequence number 0 changes with Retry and the server's first Initial. §7.2.
  void replace_initial(const ConnectionId& id) { active_.front().id = id; }
  /// Client: the stateless_reset_token transport parameter belongs to sequence number 0.
  void set_initial_reset_token(const StatelessResetToken& token);

  Result on_frame(const wire::NewConnectionIdFrame& frame);

  [[nodiscard]] bool has_frames() const;
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

 private:
  struct Entry {
    std::uint64_t sequence_number = 0;
    ConnectionId id;
    std::optional<StatelessResetToken> reset_token;
  };
  /// An ID that we use no more and of which the peer has not said that it knows.
  struct Retirement {
    std::uint64_t sequence_number = 0;
    bool to_send = true;
  };
  /// Once for each, whatever copies of the frame are on their way.
  void retire(std::uint64_t sequence_number);
  /// Lets the endpoint look out for the token of the ID in use, and of no other.
  void watch_current();

  CidIssuer& issuer_;
  std::uint64_t limit_;
  std::uint64_t retire_prior_to_ = 0;
  std::vector<Entry> active_;  ///< The one in use first.
  std::optional<StatelessResetToken> watched_;
  std::vector<Retirement> retirements_;  ///< Owed: not sent yet, or not acknowledged.
};

}  // namespace qpeer::transport
