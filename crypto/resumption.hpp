// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What makes a later handshake shorter: sessions that a client keeps, tickets of a server that keeps
// nothing, and the guard against replayed early data. RFC 8446 §2.2, §2.3, §8; RFC 9001 §4.5, §4.6.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::crypto {

/// What became of the early data, which a client sends before the handshake is complete.
enum class EarlyData : u8 {
  none,      ///< Not offered.
  offered,   ///< The server has not answered yet.
  accepted,  ///< Client: the server accepted it. Server: we accept it.
  rejected,  ///< The server ignored it: as if it had never been sent.
};

/// What a server makes of a ticket that authenticated.
enum class TicketUse : u8 { refuse, resume, resume_with_early_data };

/// The earlier session that a client's handshake resumes, if any.
struct Resumption {
  /// What TlsHandler::on_tls_session delivered. A session that is not usable (damaged, too old, for
  /// another name, trust or identity of ours, or of a peer that verify_peer refuses now) is ignored,
  /// and the handshake is full. A client without credentials cannot tell whether it wrote the session
  /// itself: whoever can write to the place where such a client keeps sessions can pass for any
  /// server.
  Bytes session{};
  bool early_data = false;  ///< Offer early data if the session allows it.
};

/// Remembers the ClientHellos whose early data was accepted, so that a replayed copy is rejected:
/// RFC 8446 §8.2. A fixed table of 16 bytes a slot, made at the first use. When the table has no room
/// the early data is rejected, and the client sends it again in 1-RTT. Safe from any thread.
class ReplayRegister {
 public:
  /// How long a ClientHello is remembered. Early data is accepted only when the age of the ticket is
  /// right within ten seconds; the rest is a margin for clocks that are set meanwhile.
  static constexpr std::chrono::seconds kWindow{60};

  /// At most `slots` ClientHellos are remembered; a very small number is raised to a few.
  explicit ReplayRegister(std::size_t slots = 65'536);
  ~ReplayRegister();
  ReplayRegister(const ReplayRegister&) = delete;
  ReplayRegister& operator=(const ReplayRegister&) = delete;

  /// Whether this ClientHello was certainly not seen before, and remembers it then. False when it was
  /// seen, and when there is no room to remember it. `unique` are bytes that no other ClientHello
  /// has; `now` is in Unix seconds.
  [[nodiscard]] bool first_use(Bytes unique, std::int64_t now);
  /// The register's identifier, drawn at random: early data is accepted only on tickets issued under
  /// the same register, since another process, or this one after a restart, does not know what was
  /// accepted here.
  [[nodiscard]] const std::array<u8, 8>& id() const { return id_; }

 private:
  struct State;
  std::array<u8, 8> id_{};
  std::unique_ptr<State> state_;
};

/// How a server issues and accepts tickets, which hold all of its state, sealed under changing keys.
struct TicketConfig {
  std::size_t count = 2;  ///< Tickets sent after a full handshake; 0: none at all.
  std::chrono::seconds lifetime = std::chrono::hours(24);  ///< At most seven days. RFC 8446 §4.6.1.
  /// What the keys are derived from, a new one each lifetime: processes and restarts that share it
  /// resume each other's sessions. Unset: random, so that tickets die with the context.
  std::optional<std::array<u8, 32>> key{};
  /// Accept early data (0-RTT), which an attacker may replay within the limits of the register: only
  /// for applications to which a replay does no harm. RFC 9001 §9.2.
  bool early_data = false;
  /// Contexts that accept each other's tickets must share one register; unset: a new one for this
  /// context.
  std::shared_ptr<ReplayRegister> replay_register{};
};

}  // namespace qpeer::crypto
