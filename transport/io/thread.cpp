// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/thread.hpp"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "qpeer/transport/io/finally.hpp"

namespace qpeer::io {

std::expected<std::thread, std::error_code> start_thread(std::move_only_function<void()> body) {
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const Finally finally([&] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& error) {
    return std::unexpected(error.code());
  }
}

}  // namespace qpeer::io
