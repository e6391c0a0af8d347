// SPDX-License-Identifier: MIT OR BSD-3-Clause
// In which order and how fast candidates are dialled until there is a link to one of them.
//
//   waiting --next()--> silent --on_answer()--> answered
//   either of the two --on_won()--> won
//                     --on_failed(), give_up()--> failed, or abandoned when another has won
//
// The first gap is long, for the best candidates come first; each later gap is 3/4 of the one before, so
// that even hundreds of dead candidates take less than two seconds. A failure starts the next attempt at
// once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// A node through which we may join: from the cache, a contact that the user gave, or named by a peer.
struct Candidate {
  SocketAddress address;       ///< Where to dial.
  std::optional<PeerId> id{};  ///< Who must answer, when that is known.
  /// The name that was dialled, where the trust mode checks names; may be empty.
  std::string server_name{};
  bool from_cache = false;  ///< Rather than a contact.
  bool hearsay = false;     ///< A peer named it: it may not exist.
};

/// `why` is for people.
struct FailedCandidate {
  Candidate candidate;  ///< That was dialled, or was not because of `why`.
  std::string why;      ///< For people.
};

/// How fast and how long candidates are dialled.
struct BootstrapConfig {
  Duration first_stagger = 100ms;   ///< From the first attempt to the second.
  Duration least_stagger = 2ms;     ///< Between attempts, at least.
  std::size_t max_in_flight = 256;  ///< Attempts at once.
  /// When all slots are taken, attempts that have been silent this long are given up for room.
  Duration patience = 1s;
  Duration attempt_timeout = 5s;  ///< For one attempt.
  Duration total_timeout = 30s;   ///< For all of them.
};

/// A plan knows no connection: its owner dials the candidates that next() gives, and reports by on_...()
/// what became of them. An index is that of the candidate in candidates(). The owner calls start() once;
/// then, at once, at next_deadline() and after each on_...(): give_up() until nullopt, next() until nullopt.
class BootstrapPlan {
 public:
  /// The most candidates of one plan.
  static constexpr std::size_t kMaxCandidates = 2'000;

  /// Best first. Of candidates with one address the first stays; those beyond kMaxCandidates are
  /// left out; one that names no host and port has failed at once.
  explicit BootstrapPlan(std::vector<Candidate> candidates, BootstrapConfig config = {});

  /// Begins: the first candidate is due now.
  void start(Instant now);
  /// The candidate to dial now; nullopt when it is not time, there is no slot, or all is decided.
  [[nodiscard]] std::optional<std::size_t> next(Instant now);
  /// An attempt to cancel now: it took too long, another candidate needs its slot, or it is no longer
  /// needed (won() says so). The attempt has ended then: on_failed() is not to be called for it.
  [[nodiscard]] std::optional<std::size_t> give_up(Instant now);

  /// The attempt got some answer: it no longer counts as silent.
  void on_answer(std::size_t index);
  /// The attempt ended without success. One that is not in flight is ignored.
  void on_failed(Instant now, std::size_t index, std::string why);
  /// Handshake and introduction are complete. The first wins; false for every later one, which
  /// give_up() names too.
  bool on_won(std::size_t index);

  /// When to call again; kNever when nothing is to be done before an on_... comes.
  [[nodiscard]] Instant next_deadline() const;
  /// The index of the candidate that won.
  [[nodiscard]] std::optional<std::size_t> winner() const { return winner_; }
  /// Whether all candidates have failed. At once when there are none.
  [[nodiscard]] bool exhausted() const {
    return !winner_ && in_flight_ == 0 && next_ == attempts_.size();
  }
  /// How many attempts are under way.
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  /// All candidates, best first.
  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }
  /// Those that failed so far, best first, and why. After the time is up, all of them.
  [[nodiscard]] std::vector<FailedCandidate> failures() const;

 private:
  enum class State : u8 { waiting, silent, answered, failed, abandoned, won };
  struct Attempt {
    State state = State::waiting;
    Instant since{};
    std::string why{};
  };

  [[nodiscard]] bool in_flight(std::size_t index) const;
  std::size_t end(std::size_t index, State state, std::string why);
  void end_waiting();
  void skip_settled();
  [[nodiscard]] Instant silent_until() const;
  [[nodiscard]] bool lacks_slots(Instant now) const;
  [[nodiscard]] Duration next_gap(Duration gap) const;

  std::vector<Candidate> candidates_;
  std::vector<Attempt> attempts_;
  BootstrapConfig config_;
  Instant deadline_ = kNever;
  Instant next_launch_ = kNever;
  Duration gap_{};
  std::size_t next_ = 0;           ///< The first that waits.
  std::size_t oldest_ = 0;         ///< The first in flight.
  std::size_t oldest_silent_ = 0;  ///< The first in flight without an answer.
  std::size_t in_flight_ = 0;
  std::optional<std::size_t> winner_;
};

}  // namespace qpeer::p2p
