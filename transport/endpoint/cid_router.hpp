// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From a connection ID, or a stateless reset token, to a connection. RFC 9000 §5.2, §10.3.1.
//
// Keys may be the peer's choice (the first Destination Connection ID, reset tokens), so the hash is
// keyed: nobody outside can make entries collide.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"

namespace qpeer::transport {

class CidRouter {
 public:
  using Slot = std::uint32_t;

  explicit CidRouter(Random& random);

  [[nodiscard]] std::optional<Slot> find(Bytes connection_id) const;
  /// False when the ID is taken.
  bool add(const ConnectionId& id, Slot slot) { return ids_.emplace(id, slot).second; }
  /// Removes the ID if it leads to `slot`.
  void remove(const ConnectionId& id, Slot slot);

  [[nodiscard]] std::optional<Slot> find_reset(const StatelessResetToken& token) const;
  void add_reset(const StatelessResetToken& token, Slot slot) { resets_.emplace(token, slot); }
  void remove_reset(const StatelessResetToken& token, Slot slot);

  /// Whether each ID and token leads to a slot for which `is_live(slot)`. For assertions.
  template <class F>
  [[nodiscard]] bool leads_only_to(F&& is_live) const {
    const auto leads = [&is_live](const auto& entry) { return is_live(entry.second); };
    return std::ranges::all_of(ids_, leads) && std::ranges::all_of(resets_, leads);
  }

 private:
  struct Hash {
    std::array<std::uint64_t, 2> key{};
    std::size_t operator()(Bytes bytes) const;
    std::size_t operator()(const ConnectionId& id) const { return (*this)(id.bytes()); }
    std::size_t operator()(const StatelessResetToken& token) const { return (*this)(Bytes(token)); }
  };

  std::unordered_map<ConnectionId, Slot, Hash> ids_;
  std::unordered_map<StatelessResetToken, Slot, Hash> resets_;
};

}  // namespace qpeer::transport
