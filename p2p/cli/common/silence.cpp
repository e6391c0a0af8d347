// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/silence.hpp"

#include <utility>

#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

constexpr Duration kLook = 20ms;
constexpr std::string_view kAdvice =
    "; nobody is at that address, or UDP is blocked here: 'qpeer doctor' tells which";

bool is_silent(const io::UdpStats& stats) {
  return stats.datagrams_sent > 0 && stats.datagrams_received == 0;
}

}  // namespace

async::Task<void> watch_for_silence(io::EventLoop& loop, std::function<io::UdpStats()> stats,
                                    std::function<void(const std::string&)> tell,
                                    Duration patience) {
  while (stats().datagrams_sent == 0) co_await async::sleep_for(loop, kLook);
  const Instant end = io::now() + patience;
  while (is_silent(stats()) && io::now() < end) co_await async::sleep_for(loop, kLook);
  if (is_silent(stats())) tell("nothing has come back so far" + std::string(kAdvice));
}

std::string_view advice_on_silence(const io::UdpStats& stats, Duration waited) {
  return is_silent(stats) && waited >= 1s ? kAdvice : std::string_view();
}

}  // namespace qpeer::cli
