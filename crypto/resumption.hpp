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

/// What became of the data that a client sends before the handshake is complete.
enum class EarlyData : u8 {
  none,      ///< Not offered.
  offered,   ///< The server has not answered yet.
  accepted,  ///< Client: the server took it. Server: it is being taken.
  rejected,  ///< As if it had never been sent.
};

/// What a server makes of a ticket that authenticated.
enum class TicketUse : u8 { refuse, resume, resume_with_early_data };

/// What a client's handshake may build on.
struct Resumption {
  /// What TlsHandler::on_tls_session told. What is not usable (damaged, too old, of another name,
  /// trust or identity of ours, of a peer that verify_peer refuses now) is left aside: the handshake
  /// is full. A client without credentials cannot tell whether it wrote it: whoever can write where
  /// it keeps sessions can be any server to it.
  Bytes session{};
  bool early_data = false;  ///< Offer early data if the session allows it.
};

/// Remembers the ClientHellos whose early data was accepted, so that a copy is not: RFC 8446 §8.2.
/// A fixed table of 16 bytes a slot, made at the first use. Where it has no room the answer is no,
/// and the client's data comes again in 1-RTT. Safe from any thread.
class ReplayRegister {
 public:
  /// A ClientHello is accepted only when its ticket's age is right within ten seconds; this is how
  /// long it stays here, for what clocks do in the meantime.
  static constexpr std::chrono::seconds kWindow{60};

  /// `slots` ClientHellos are remembered at most; a few at least.
  explicit ReplayRegister(std::size_t slots = 65'536);
  ~ReplayRegister();
  ReplayRegister(const ReplayRegister&) = delete;
  ReplayRegister& operator=(const ReplayRegister&) = delete;

  /// Whether this is the first time, surely. `unique` is of the ClientHello; `now` in Unix seconds.
  [[nodiscard]] bool first_use(Bytes unique, std::int64_t now);
  /// Drawn at random: early data is accepted only on tickets issued under the same register, since
  /// no other process or restart knows what was accepted here.
  [[nodiscard]] const std::array<u8, 8>& id() const { return id_; }

 private:
  struct State;
  std::array<u8, 8> id_{};
  std::unique_ptr<State> state_;
};

/// How a server gives and takes tickets. They hold all its state, sealed under keys that change.
struct TicketConfig {
  std::size_t count = 2;  ///< After a full handshake; 0: none at all.
  std::chrono::seconds lifetime = std::chrono::hours(24);  ///< At most seven days. RFC 8446 §4.6.1.
  /// What the keys are derived from, a new one each lifetime: processes and restarts that share it
  /// resume each other's sessions. Unset: random, so that tickets die with the context.
  std::optional<std::array<u8, 32>> key{};
  /// Accept early data (0-RTT), which an attacker may replay within the limits of the register: only
  /// for applications that said how they stand it. RFC 9001 §9.2.
  bool early_data = false;
  /// Contexts that answer for the same tickets share one; unset: one of the context's own.
  std::shared_ptr<ReplayRegister> replay_register{};
};

}  // namespace qpeer::crypto
