// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From contacts to candidates: names are looked up in other threads, several at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/p2p/async/node_options.hpp"
#include "qpeer/p2p/bootstrap_plan.hpp"
#include "qpeer/p2p/peer_address.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::p2p::detail {

/// Whether all places of the contact are IP addresses rather than names.
[[nodiscard]] bool has_no_name(const PeerAddress& contact);

/// Awaitable, of the loop's thread. IP addresses need no time; names that have not answered within `patience` failed.
class [[nodiscard]] Lookup {
 public:
  struct Found {
    /// In the order of the contacts. Those of one contact, of all its places: RFC 8305 §4.
    std::vector<Candidate> candidates;
    std::vector<BootstrapError::Attempt> failures;  ///< Names without an address.
  };
  static constexpr std::size_t kMaxAtOnce = 8;

  Lookup(io::EventLoop& loop, std::vector<PeerAddress> contacts, Duration patience);
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() = default;

  [[nodiscard]] bool await_ready() const { return open_ == 0; }
  void await_suspend(async::Waiter waiter);
  Found await_resume();

 private:
  using Result = std::expected<std::vector<SocketAddress>, std::string>;
  struct Entry {
    std::size_t contact = 0;  ///< Its place in the list of contacts.
    std::optional<PeerId> id{};
    PeerAddress::Place place{};
    bool done = false;
    Result result{};
    io::Background call{};
  };

  void add(std::size_t contact, const std::optional<PeerId>& id, PeerAddress::Place place);
  void start_more();
  void on_found(Entry& entry, Result result);

  io::EventLoop& loop_;
  std::deque<Entry> entries_;
  std::size_t next_ = 0;  ///< The first that may not have been started.
  std::size_t open_ = 0;
  std::size_t at_once_ = 0;
  Duration patience_;
  async::Waiter waiter_;
  io::Timer timer_;
};

}  // namespace qpeer::p2p::detail
