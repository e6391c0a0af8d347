// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Asks STUN servers for our address: requests that are sent again until an answer comes, or too late.
// RFC 8489 §6.2.1, §6.3.3, §6.3.4.
//
//   sent at  0, RTO, 3 RTO, 7 RTO, ... (max_requests times), given up last_wait * RTO after the last one
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <vector>

#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/p2p/nat/stun_message.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

struct StunClientConfig {
  Duration retransmission_timeout = 500ms;  ///< The first: RTO.
  unsigned max_requests = 7;                ///< Rc: how often a request is sent.
  unsigned last_wait = 16;                  ///< Rm: how many RTO the last one is waited for.
  Duration timeout = 60s;                   ///< A transaction never takes longer.

  /// For reports of the network that somebody waits for.
  static StunClientConfig for_report() { return {.retransmission_timeout = 100ms, .timeout = 3s}; }
};

/// Names a transaction, in the order of their begin.
using StunQuery = std::uint64_t;

/// Why ask() refuses.
enum class StunQueryError : u8 {
  too_many,     ///< kMaxTransactions are open, or kMaxOfServer to this server.
  bad_address,  ///< No address that a datagram can be sent to.
};

/// A question whose answer shall come from another address of the server. RFC 5780 §4.4.
struct StunDetour {
  StunChange change{};
  SocketAddress answers_from{};  ///< That address.
};

/// The end of a transaction.
struct StunResult {
  using Outcome = StunOutcome;
  StunQuery query = 0;
  SocketAddress server;
  Outcome outcome = Outcome::timed_out;
  std::optional<SocketAddress> mapped_address{};  ///< Ours, as the server sees it.
  std::optional<SocketAddress> other_address{};   ///< The server's other one, if it has one.
  std::uint16_t error_code = 0;
  /// From the request to the answer. RFC 8489 §6.2.1 [rfc8489-6.2.1-6] [rfc8489-6.2.1-7]: unset when the
  /// request was sent more than once, for any of them may be the one that was answered.
  std::optional<Duration> round_trip{};
  friend bool operator==(const StunResult&, const StunResult&) = default;
};

/// A Machine.
class StunClient {
 public:
  using Config = StunClientConfig;
  static constexpr std::size_t kMaxTransactions = 32;
  /// RFC 8489 §6.2 [rfc8489-6.2-2].
  static constexpr std::size_t kMaxOfServer = 10;

  /// `random` must outlive it.
  explicit StunClient(Random& random, Config config = {}) : random_(random), config_(config) {}

  /// Asks the server at path.remote, from path.local where it is set. A StunResult follows.
  std::expected<StunQuery, StunQueryError> ask(Instant now, const Path& path) {
    return ask(now, path, {.change = {}, .answers_from = path.remote});
  }
  /// The same, but the answer must come from another address of the server. What the server says
  /// from path.remote is a refusal, or else malformed.
  std::expected<StunQuery, StunQueryError> ask(Instant now, const Path& path,
                                               const StunDetour& detour);
  /// The open transaction whose request this is: it has come back to us, through a NAT that lets us
  /// write to our own mapped address.
  [[nodiscard]] std::optional<StunQuery> sent_by_us(const StunMessage& message) const;
  /// Gives up; no event follows. Unknown ones are ignored.
  void cancel(StunQuery query);

  /// Decodes it, and takes the answer to an open transaction.
  void on_datagram(Instant now, ReceivedDatagram datagram);
  /// False for what is no answer to an open transaction from the address that was asked.
  bool on_message(Instant now, const Path& path, const StunMessage& message);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  std::optional<StunResult> poll_event();

  /// How many transactions are open.
  [[nodiscard]] std::size_t open() const { return transactions_.size(); }
  /// Whether what it holds agrees. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  struct Transaction {
    StunQuery query = 0;
    Path path;
    StunDetour detour;
    StunTransactionId id{};
    Instant started;
    Instant sent_at{};  ///< The newest.
    unsigned sent = 0;
    bool due = true;     ///< To be sent by poll_transmit().
    Instant deadline{};  ///< When it is due again, or given up.
  };
  [[nodiscard]] Instant give_up_at(const Transaction& transaction) const {
    return transaction.started + config_.timeout;
  }

  Random& random_;
  Config config_;
  std::vector<Transaction> transactions_;
  std::deque<StunResult> events_;
  StunQuery next_query_ = 1;
};

static_assert(Machine<StunClient>);

}  // namespace qpeer::p2p
