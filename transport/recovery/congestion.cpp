// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a controller does that overrides no more than it must, and the choice of one by its name.
#include "qpeer/transport/recovery/congestion.hpp"

#include "qpeer/transport/recovery/bbr/bbr.hpp"
#include "qpeer/transport/recovery/cubic.hpp"
#include "qpeer/transport/recovery/new_reno.hpp"

namespace qpeer::transport {

void CongestionController::on_packet_sent(Instant /*now*/, std::uint64_t /*size*/,
                                          std::uint64_t /*bytes_in_flight*/) {}

void CongestionController::on_ecn_ce(Instant now, Instant largest_acked_sent_at) {
  on_loss({.now = now, .largest_lost_sent_at = largest_acked_sent_at});
}

void CongestionController::on_spurious_loss(const SpuriousLoss& /*spurious*/) {}

void CongestionController::on_mtu_changed(std::uint16_t /*max_datagram_size*/) {}

bool CongestionController::wants_rate_samples() const { return false; }

void CongestionController::on_packet_lost(const LostPacket& /*packet*/) {}

void CongestionController::on_restart_from_idle(Instant /*now*/) {}

std::optional<std::uint64_t> CongestionController::pacing_rate() const { return std::nullopt; }

std::optional<std::uint64_t> CongestionController::slow_start_threshold() const {
  return std::nullopt;
}

std::string_view CongestionController::state() const { return ""; }

std::string_view to_string(CongestionAlgorithm algorithm) {
  switch (algorithm) {
    case CongestionAlgorithm::new_reno:
      return "newreno";
    case CongestionAlgorithm::cubic:
      return "cubic";
    case CongestionAlgorithm::bbr:
      return "bbr";
  }
  return "unknown";
}

std::optional<CongestionAlgorithm> parse_congestion_algorithm(std::string_view name) {
  for (const CongestionAlgorithm algorithm : kCongestionAlgorithms) {
    if (name == to_string(algorithm)) return algorithm;
  }
  return std::nullopt;
}

std::unique_ptr<CongestionController> make_congestion_controller(CongestionAlgorithm algorithm,
                                                                 std::uint16_t max_datagram_size,
                                                                 std::uint64_t seed) {
  switch (algorithm) {
    case CongestionAlgorithm::new_reno:
      return std::make_unique<NewReno>(max_datagram_size);
    case CongestionAlgorithm::cubic:
      break;
    case CongestionAlgorithm::bbr:
      return std::make_unique<Bbr>(max_datagram_size, seed);
  }
  return std::make_unique<Cubic>(max_datagram_size);
}

std::unique_ptr<CongestionController> make_new_reno(std::uint16_t max_datagram_size) {
  return make_congestion_controller(CongestionAlgorithm::new_reno, max_datagram_size);
}

}  // namespace qpeer::transport
