// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The commands of qpeer-hq. Each takes the words after its name and gives the exit status.
#pragma once

#include "qpeer/transport.hpp"

#include <span>
#include <string>
#include <string_view>

namespace qpeer::hq {

inline constexpr std::string_view kAlpn = "hq-interop";

int get_command(std::span<char* const> words);
int serve_command(std::span<char* const> words);

/// A key update as soon as one is allowed: when the handshake is confirmed and a packet of ours was
/// acknowledged. RFC 9001 §6.1.
Task<void> update_keys(AsyncConnection connection);

/// One line on standard output each: what the handshake settled, once it did (for an empty
/// `peer`, by its address), and what happened since.
Task<void> tell_connected(AsyncConnection connection, std::string peer);
void tell_figures(const AsyncConnection& connection, std::string_view peer);

}  // namespace qpeer::hq
