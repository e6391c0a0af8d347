// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The names of the contacts that a node was given. A host may get another address, so the names are looked
// up again while links are missing.
//
//   links missing --2 s, 4 s, ... 2 min--> look up all --> on_found(addresses)
//   a link is lost --> from the start again
#pragma once

#include <functional>
#include <vector>

#include "qpeer/p2p/bootstrap_plan.hpp"
#include "qpeer/p2p/peer_address.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::p2p::detail {

/// Of the loop's thread. Look-ups run beside the loop.
class ContactNames {
 public:
  /// The pauses between look-ups.
  struct Pauses {
    Duration first = 2s;
    Duration longest = 120s;
  };
  /// Whether links are missing.
  using IsNeeded = std::function<bool()>;
  /// Takes the addresses of all contacts, in the order of the contacts.
  using OnFound = std::function<void(std::vector<Candidate>)>;

  ContactNames(io::EventLoop& loop, IsNeeded is_needed, OnFound on_found)
      : ContactNames(loop, std::move(is_needed), std::move(on_found), Pauses{}) {}
  ContactNames(io::EventLoop& loop, IsNeeded is_needed, OnFound on_found, Pauses pauses);

  /// Replaces the contacts. Where none has a name nothing is looked up.
  void watch(std::vector<PeerAddress> contacts);
  /// A link was lost: names are looked up soon.
  void on_link_lost() { link_lost_.set(); }
  void stop() { task_.cancel(); }

 private:
  async::Task<void> run(std::vector<PeerAddress> contacts);
  async::Task<void> pause(Duration& length);

  io::EventLoop& loop_;
  IsNeeded is_needed_;
  OnFound on_found_;
  Pauses pauses_;
  async::Event link_lost_;
  async::TaskGroup task_;  // Last: it uses the others.
};

}  // namespace qpeer::p2p::detail
