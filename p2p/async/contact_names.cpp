// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/contact_names.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/p2p/async/lookup.hpp"
#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/sleep.hpp"

namespace qpeer::p2p::detail {
namespace {

constexpr Duration kLookupPatience = 20s;
/// Links that are lost one after another do not cause one look-up each.
constexpr Duration kLeastPause = 500ms;

}  // namespace

ContactNames::ContactNames(io::EventLoop& loop, IsNeeded is_needed, OnFound on_found, Pauses pauses)
    : loop_(loop),
      is_needed_(std::move(is_needed)),
      on_found_(std::move(on_found)),
      pauses_(pauses),
      link_lost_(loop) {}

void ContactNames::watch(std::vector<PeerAddress> contacts) {
  task_.cancel();
  if (std::ranges::all_of(contacts, has_no_name)) return;
  task_.spawn(run(std::move(contacts)));
}

// What cannot be looked up now keeps the addresses that it had.
async::Task<void> ContactNames::run(std::vector<PeerAddress> contacts) {
  std::vector<std::vector<Candidate>> known(contacts.size());
  Duration length = pauses_.first;
  for (;;) {
    co_await pause(length);
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < contacts.size(); ++i) {
      std::vector<PeerAddress> one{contacts[i]};
      Lookup lookup(loop_, std::move(one), kLookupPatience);
      Lookup::Found found = co_await lookup;
      if (found.failures.empty() || known[i].empty()) known[i] = std::move(found.candidates);
      all.insert(all.end(), known[i].begin(), known[i].end());
    }
    if (!all.empty()) on_found_(std::move(all));
  }
}

// Until the next look-up is due. `length` becomes that of the next pause.
async::Task<void> ContactNames::pause(Duration& length) {
  link_lost_.reset();
  auto lost = link_lost_.wait();
  if (!is_needed_()) {
    co_await lost;
    length = pauses_.first;
  }
  link_lost_.reset();
  auto lost_again = link_lost_.wait();
  const auto interrupted = co_await async::with_timeout(loop_, length, lost_again);
  if (interrupted) {
    length = pauses_.first;
    async::Sleep least(loop_, io::now() + std::min(kLeastPause, pauses_.first));
    co_await least;
  }
  length = std::min(2 * length, pauses_.longest);
}

}  // namespace qpeer::p2p::detail
