// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/lookup.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "qpeer/transport/async/staggered.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/io/resolve.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {

bool has_no_name(const PeerAddress& contact) {
  return std::ranges::all_of(contact.places(), [](const PeerAddress::Place& place) {
    return place.address().has_value();
  });
}

Lookup::Lookup(io::EventLoop& loop, std::vector<PeerAddress> contacts, Duration patience)
    : loop_(loop),
      patience_(patience),
      timer_(loop, [this](Instant) { async::Trampoline::resume(waiter_); }) {
  for (std::size_t i = 0; i < contacts.size(); ++i) {
    for (PeerAddress::Place& place : contacts[i].places()) add(i, contacts[i].id, std::move(place));
  }
}

void Lookup::add(std::size_t contact, const std::optional<PeerId>& id, PeerAddress::Place place) {
  const auto address = place.address();
  Entry& entry =
      entries_.emplace_back(Entry{.contact = contact, .id = id, .place = std::move(place)});
  if (address) {
    entry.result->push_back(*address);
    entry.done = true;
  } else {
    ++open_;
  }
}

void Lookup::await_suspend(async::Waiter waiter) {
  waiter_ = waiter;
  timer_.set(io::now() + patience_);
  start_more();
}

void Lookup::start_more() {
  for (; next_ < entries_.size() && at_once_ < kMaxAtOnce; ++next_) {
    Entry& entry = entries_[next_];
    if (entry.done) continue;
    ++at_once_;
    const auto result = std::make_shared<Result>();
    entry.call = io::Background(
        loop_,
        [result, host = entry.place.host, port = entry.place.port] {
          *result = io::resolve(host, port);
        },
        [this, &entry, result] { on_found(entry, std::move(*result)); });
  }
}

void Lookup::on_found(Entry& entry, Result result) {
  entry.done = true;
  entry.result = std::move(result);
  --open_;
  --at_once_;
  start_more();
  if (open_ == 0) timer_.fire_soon();
}

Lookup::Found Lookup::await_resume() {
  Found out;
  std::vector<Candidate> of_contact;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (!entry.done) entry.result = std::unexpected("its name was not found in time");
    if (!entry.result) {
      const PeerAddress failed{.id = entry.id, .host = entry.place.host, .port = entry.place.port};
      out.failures.push_back({.candidate = failed.to_string(), .why = entry.result.error()});
    } else {
      for (const SocketAddress& address : *entry.result) {
        of_contact.push_back({.address = address,
                              .id = entry.id,
                              .server_name = entry.place.host,
                              .from_cache = false});
      }
    }
    if (i + 1 < entries_.size() && entries_[i + 1].contact == entry.contact) continue;
    std::ranges::move(
        async::detail::interleave_families(std::exchange(of_contact, {}), &Candidate::address),
        std::back_inserter(out.candidates));
  }
  return out;
}

}  // namespace qpeer::p2p::detail
