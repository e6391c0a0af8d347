// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/lookup.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "qpeer/transport/async/staggered.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/host_port.hpp"
#include "qpeer/transport/io/resolve.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {

namespace {

std::optional<SocketAddress> ip_address_of(const PeerAddress& contact) {
  return SocketAddress::parse(HostPort{.host = contact.host, .port = contact.port}.to_string());
}

}  // namespace

bool is_ip_address(const PeerAddress& contact) { return ip_address_of(contact).has_value(); }

Lookup::Lookup(io::EventLoop& loop, std::vector<PeerAddress> contacts, Duration patience)
    : loop_(loop),
      patience_(patience),
      timer_(loop, [this](Instant) { async::Trampoline::resume(waiter_); }) {
  for (PeerAddress& contact : contacts) {
    const auto address = ip_address_of(contact);
    Entry& entry = entries_.emplace_back(Entry{.contact = std::move(contact)});
    if (address) {
      entry.result->push_back(*address);
      entry.done = true;
    } else {
      ++open_;
    }
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
        [result, host = entry.contact.host, port = entry.contact.port] {
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
  for (Entry& entry : entries_) {
    if (!entry.done) entry.result = std::unexpected("its name was not found in time");
    if (!entry.result) {
      out.failures.push_back({.candidate = entry.contact.to_string(), .why = entry.result.error()});
      continue;
    }
    for (const SocketAddress& address :
         async::detail::interleave_families(std::move(*entry.result))) {
      out.candidates.push_back({.address = address,
                                .id = entry.contact.id,
                                .server_name = entry.contact.host,
                                .from_cache = false});
    }
  }
  return out;
}

}  // namespace qpeer::p2p::detail
