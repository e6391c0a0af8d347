// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Names to addresses, for command-line tools: it blocks, so never call it from an event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io {

/// The most addresses of one family that are taken from one name: the owner of the name decides how many
/// it has, and each may be dialled.
inline constexpr std::size_t kMaxAddressesOfFamily = 16;

/// The first kMaxAddressesOfFamily of each family, without repetition, in their order.
[[nodiscard]] std::vector<SocketAddress> first_of_each_family(
    const std::vector<SocketAddress>& all);

/// The addresses of `host` (a name, or a literal with or without brackets), each with `port`, in
/// the system's order of preference: see first_of_each_family(). Never empty; else why not, in words.
/// Blocks for seconds; any thread.
[[nodiscard]] std::expected<std::vector<SocketAddress>, std::string> resolve(std::string_view host,
                                                                             std::uint16_t port);

}  // namespace qpeer::io
