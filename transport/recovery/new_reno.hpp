// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NewReno as RFC 9002 describes it: one datagram more for each window acknowledged, and half of the
// window at a loss. RFC 9002 §7, Appendix B.
#pragma once

#include <cstdint>

#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/recovery/loss_based.hpp"

namespace qpeer::transport {

class NewReno final : public LossBasedController {
 public:
  explicit NewReno(std::uint16_t max_datagram_size) : LossBasedController(max_datagram_size) {}

 private:
  [[nodiscard]] std::uint64_t grow(const AckSample& sample) override;
  [[nodiscard]] std::uint64_t reduce(Cause cause) override;
  void undo() override { acked_in_avoidance_ = 0; }

  std::uint64_t acked_in_avoidance_ = 0;  ///< Bytes towards the next growth by one datagram.
};

}  // namespace qpeer::transport
