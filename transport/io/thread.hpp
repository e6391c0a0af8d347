// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Threads of the library's own, in which no signal is handled: signals are the business of the program.
#pragma once

#include <expected>
#include <functional>
#include <system_error>
#include <thread>

namespace qpeer::io {

/// Starts a thread that calls `body`. Fails when the system has no more threads; `body` is destroyed then.
[[nodiscard]] std::expected<std::thread, std::error_code> start_thread(
    std::move_only_function<void()> body);

}  // namespace qpeer::io
